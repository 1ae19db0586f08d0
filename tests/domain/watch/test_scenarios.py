"""Scenarios of a backtest: which columns change, and what is refused."""

from datetime import date, timedelta

import pytest

from domain.contract.schema import Column, Contract
from domain.watch.scenarios import ScenarioRefused, in_words, outcome_days, scenario_of

CONTRACT = Contract(
    "shop",
    "binary",
    (
        Column("order", "integer", role="key", source="shop"),
        Column("load", "float", source="scale"),
        Column("label", "string", source="scale"),
        Column("late", "boolean", role="target", source="door"),
    ),
    prior=0.5,
)
SINCE = date(2024, 2, 1)


def scenario(kind: str, name: str | None):
    return scenario_of(CONTRACT, kind=kind, name=name, since=SINCE)


def test_a_source_changes_with_all_its_features_and_a_unit_only_where_there_are_numbers():
    assert scenario("source", "scale") == {"kind": "source", "columns": ["load", "label"], "since": "2024-02-01"}
    assert scenario("unit", "scale")["columns"] == ["load"]
    assert scenario("category", "scale")["columns"] == ["label"]
    assert scenario("delay", None)["columns"] == []
    assert in_words(scenario("upstream", "load")) == "load the same in every row from 2024-02-01 on"


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("flood", "load", "--scenario flood: must be one of unit, category, source, upstream, price, delay"),
        ("unit", None, "--scenario unit: needs --of, a column, source or owner of the contract"),
        ("unit", "label", "--of label: must have a feature of type integer or float for --scenario unit"),
        ("source", "order", "--of order: must have a feature for --scenario source"),
        ("source", "scales", "--of 'scales': must be a column, source or owner of the contract: "),
        ("delay", "load", "--of load: must be left out with --scenario delay, which is about outcomes"),
    ],
)
def test_what_cannot_happen_is_refused_by_name(kind, name, told):
    with pytest.raises(ScenarioRefused) as refused:
        scenario(kind, name)
    assert str(refused.value).startswith(told)


def test_outcomes_of_a_delayed_feed_come_two_weeks_later_from_its_day_on():
    delayed = scenario("delay", None)
    days = [outcome_days(each, day, 1) for each in (None, delayed) for day in (date(2024, 1, 31), SINCE)]
    assert days == [timedelta(days=1), timedelta(days=1), timedelta(days=1), timedelta(days=15)]
