"""The age of the newest row, reported by the clock."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lambdas.money import rows_age as module
from lambdas.money.rows_age import report_age
from tests.lambdas import stage

NOW = datetime(2026, 12, 28, 12, tzinfo=UTC)


def loaded(aws, load: str, *spans: tuple[str | None, str | None]) -> None:
    parts = [
        {"key": f"rows/{load}-{n}", "rows": 10, "first": first, "last": last} for n, (first, last) in enumerate(spans)
    ]
    aws.put(stage.RUNS, kind="load", run=load, parts=json.dumps(parts))


def reported(capsys) -> list[float]:
    return [json.loads(line)["DataAgeDays"] for line in capsys.readouterr().out.splitlines()]


def test_a_feed_that_ended_ages_though_nothing_trains(aws, capsys):
    loaded(aws, "b", ("2026-11-01T00:00:00Z", "2026-11-14T12:00:00Z"))
    loaded(aws, "a", ("2026-09-01T00:00:00Z", "2026-10-31T00:00:00Z"))
    report_age(NOW)
    assert reported(capsys) == [44.0]


def test_a_row_of_2099_hides_no_feed_that_ended(aws, capsys):
    loaded(aws, "a", ("2026-12-01T00:00:00Z", "2026-12-18T12:00:00Z"), ("2099-01-01T00:00:00Z", "2099-01-01T00:00:00Z"))
    report_age(NOW)
    loaded(aws, "b", ("2026-12-28T00:00:00Z", "2026-12-29T00:00:00Z"))  # a forecast of tonight is no old row
    report_age(NOW)
    assert reported(capsys) == [10.0, 0.0]


@pytest.mark.parametrize("spans", [[], [(None, None)]], ids=["nothing loaded", "no event time"])
def test_without_a_dated_row_there_is_no_age(aws, capsys, spans):
    loaded(aws, "a", *spans)
    report_age(NOW)
    assert reported(capsys) == []


def test_where_no_age_was_agreed_none_is_reported(aws, capsys, monkeypatch):
    loaded(aws, "a", ("2026-11-01T00:00:00Z", "2026-11-14T12:00:00Z"))
    monkeypatch.setattr(module, "CONFIG", replace(stage.CONFIG, data=replace(stage.CONFIG.data, max_age_days=0)))
    report_age(NOW)
    assert reported(capsys) == []
