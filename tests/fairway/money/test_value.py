"""One figure for what a release is worth, from the same evidence in the report and in every form of `fairway cost`."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from domain.config.sections import read_config
from fairway.money.cost import Options, cost
from fairway.money.value import value_of
from fairway.report.gather import report
from fairway.stage.aws import contract_of
from fairway.terminal.progress import Progress
from tests.fairway.commands.test_releases import CHAMPION, ROUTING
from tests.fairway.money.test_cost import templates  # noqa: F401  the reference project's own, synthesised once

ROOT = Path(__file__).parents[3]
BILL = SimpleNamespace(
    monthly_usd=60.0, low_usd=55.0, high_usd=65.0, fixed_usd=50.0, per_use_usd=10.0, predictions=1000
)
HELD_OUT = {"true_positive": 1000, "false_positive": 500, "true_negative": 8000, "false_negative": 500}
FEW = {"true_positive": 20, "false_positive": 0, "true_negative": 0, "false_negative": 0}
MANY = {"true_positive": 10, "false_positive": 40, "true_negative": 80, "false_negative": 20}
RELEASE = CHAMPION["release"]


def evidence(held_out, joined) -> list[tuple[str, int]]:
    config = read_config(ROOT)
    value = value_of(config, contract_of(ROOT, config), BILL, held_out=held_out, joined=joined)
    judged = [value.worth, value.beside] if value else []
    return [(worth["evidence"], worth["outcomes"]) for worth in judged if worth]


def test_outcomes_lead_once_they_are_enough_and_held_out_rows_until_then():
    assert evidence(HELD_OUT, MANY) == [("outcomes", 150), ("held-out rows", 10_000)]
    assert evidence(HELD_OUT, FEW) == [("held-out rows", 10_000), ("outcomes", 20)]
    assert evidence(HELD_OUT, None) == [("held-out rows", 10_000)]
    assert evidence(None, FEW) == [("outcomes", 20)]
    assert evidence(None, dict.fromkeys(FEW, 0)) == []


@pytest.fixture
def released(place):
    place.put(
        "routing",
        item=f"release#{RELEASE}",
        release=RELEASE,
        state="champion",
        metrics={"roc_auc": 0.7},
        p99_ms=0.4,
        size_mb=1.5,
        decisions=HELD_OUT,
    )
    place.put("routing", **ROUTING)
    return place


@pytest.mark.parametrize(("outcomes", "said"), [(20, "not enough outcomes (20)"), (120, "measured on 120 outcomes")])
def test_the_report_and_cost_give_the_same_sentences(released, templates, outcomes, said):  # noqa: F811
    for number in range(outcomes):
        released.put(
            "outcomes",
            entity_id=str(number),
            event_time="t",
            release=RELEASE,
            source="model",
            prediction=number % 3 == 0,
            probability=0.4,
            correct=number % 2 == 0,
        )
    with Progress() as progress:
        made = report(released.folder, "local", synth=lambda *_: templates["local"], progress=progress)
        options = Options(templates=templates["local"])
        reckoned = cost(released.folder, "local", options, progress=progress).values
    page = Path(json.loads(json.dumps(made.values))["out"]).read_text(encoding="utf-8")
    sentences = [reckoned["worth"]["sentence"], reckoned["worth_beside"]["sentence"]]
    assert made.values["worth"] == sentences[0]
    assert all(sentence in page for sentence in sentences)
    assert sum(said in sentence for sentence in sentences) == 1
