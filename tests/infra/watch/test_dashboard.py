"""The dashboard's four groups, and that every metric of ours is on it."""

import json
import re

import pytest

from domain.names import METRICS_NAMESPACE, Metric
from tests.infra.reading import of_type

ELSEWHERE = {
    Metric.ASLEEP: "planned, in office hours",
    Metric.REAPED: "an alarm tells of each",
    Metric.REAPED_USD: "an alarm tells of each",
}


@pytest.fixture(scope="module")
def widgets(service) -> list[dict]:
    (board,) = of_type(service, "AWS::CloudWatch::Dashboard").values()
    body = board["Properties"]["DashboardBody"] if "Properties" in board else board["DashboardBody"]
    text = "".join(part if isinstance(part, str) else "deployed" for part in body["Fn::Join"][1])
    return json.loads(text)["widgets"]


def test_it_has_the_groups_model_business_data_and_system_each_with_graphs(widgets):
    groups: dict[str, list[str]] = {}
    for widget in sorted(widgets, key=lambda one: (one["y"], one["x"])):
        if widget["type"] == "text":
            name = re.fullmatch(r"## (\w+): .+\?", widget["properties"]["markdown"])[1]
            groups[name] = []
        else:
            groups[name].append(widget["properties"]["title"])
    assert {name: len(titles) for name, titles in groups.items()} == {"Model": 3, "Business": 3, "Data": 4, "System": 5}
    assert all(titles for titles in groups.values())


def test_every_metric_that_functions_write_is_drawn(widgets):
    drawn = {
        line[1]
        for widget in widgets
        for line in widget["properties"].get("metrics", [])
        if line[0] == METRICS_NAMESPACE
    }
    assert drawn == set(Metric) - set(ELSEWHERE)


def test_no_widget_lies_on_another(widgets):
    taken = [
        (x, y)
        for widget in widgets
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
