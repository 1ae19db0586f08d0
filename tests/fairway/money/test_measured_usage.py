"""Against moto: a stage with two weeks of metrics, runs and outcomes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from domain.config.sections import read_config
from domain.money.usage import month_of, with_usage
from domain.records import to_item
from domain.watch.observed import observe
from fairway.money.measured_usage import by_hour_of_week, measured_usage
from fairway.stage.aws import Stage
from fairway.stage.outcomes import joined_outcomes
from fairway.terminal.errors import Refused

ROOT = Path(__file__).parents[3]
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
TABLES = {"runs": ("kind", "run"), "outcomes": ("entity_id", "event_time"), "predictions": ("id",)}


@pytest.fixture
def stage(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        session = boto3.Session(region_name="us-east-1")
        for table, keys in TABLES.items():
            session.client("dynamodb").create_table(
                TableName=table,
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                BillingMode="PAY_PER_REQUEST",
            )
        yield Stage(ROOT, read_config(ROOT), session, None, {name: name for name in TABLES})


def put(stage, table, **item):
    stage.client("dynamodb").put_item(TableName=table, Item=to_item(item))


def emit(stage, at, **metrics):
    dimensions = [{"Name": "project", "Value": "flights"}, {"Name": "stage", "Value": "local"}]
    for name, value in metrics.items():
        datum = {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value}
        stage.client("cloudwatch").put_metric_data(Namespace="Fairway", MetricData=[datum])


def test_what_was_measured_becomes_a_usage_that_can_be_projected(stage):
    for day in range(1, 15):
        emit(
            stage,
            NOW - timedelta(days=day),
            Requests=720.0,
            Predictions=1440.0,
            Outcomes=360.0,
            Latency=50.0,
            ModelLatency=10.0,
        )
    put(stage, "runs", kind="batch", run="b1", started_at=(NOW - timedelta(days=1)).isoformat(), read=5000)
    put(stage, "runs", kind="batch", run="b2", started_at=(NOW - timedelta(days=2)).isoformat(), read=7000)
    put(stage, "runs", kind="batch", run="b0", started_at=(NOW - timedelta(days=90)).isoformat(), read=1)
    put(stage, "runs", kind="load", run="l1", loaded_at=(NOW - timedelta(days=3)).isoformat(), accepted=28_000)
    began, ended = ((NOW - timedelta(days=days)).isoformat() for days in (20, 12))
    put(stage, "runs", kind="experiment", run="e1", started_at=began, finished_at=ended)
    put(stage, "runs", kind="experiment", run="e2", started_at=(NOW - timedelta(days=1)).isoformat())
    found = measured_usage(stage, days=14, now=NOW)
    hours = found.pop("hours")
    assert found == {
        "requests_per_second": pytest.approx(720 / 86_400),
        "rows_per_request": 2.0,
        "outcomes_percent": 25.0,
        "predict_ms": 50.0,
        "scoring_ms": 10.0,
        "batch_runs": pytest.approx(2 * 730 / 24 / 14),
        "rows_per_batch": 6000,
        "training_runs": 0.0,
        "experiment_days": pytest.approx(3 * 730 / 24 / 14),
        "rows_loaded": round(28_000 * 730 / 24 / 14),
        **({"prediction_bytes": found["prediction_bytes"]} if "prediction_bytes" in found else {}),
    }
    assert sum(hours.values()) * 3600 * 730 / 168 == pytest.approx(720 * 7 * 730 / 168, rel=0.1)
    assert month_of(with_usage(stage.config, {**found, "hours": hours})).batch_rows == pytest.approx(
        12_000 * 730 / 24 / 14
    )


def test_an_hour_of_the_week_is_the_mean_of_its_weeks_and_silence_counts():
    monday = datetime(2026, 11, 2, tzinfo=UTC)
    rates = by_hour_of_week(
        {monday + timedelta(hours=9): 3600.0}, monday - timedelta(hours=1), monday + timedelta(days=14)
    )
    assert len(rates) == 168
    assert (rates["mon 09-10"], rates["mon 10-11"]) == (0.5, 0.0)


def test_a_stage_that_answered_nothing_has_no_usage(stage):
    with pytest.raises(Refused, match="stage 'local' answered no request in 7 days; use "):
        measured_usage(stage, days=7, now=NOW)


def test_outcomes_of_a_release_are_those_that_met_its_model(stage):
    cases = [
        (True, True, "model", "r-1"),
        (True, False, "model", "r-1"),
        (False, True, "model", "r-1"),
        (False, True, "model", "r-1"),
        (False, False, "fallback", "r-1"),
        (False, False, "model", "r-0"),
    ]
    names = ("prediction", "correct", "source", "release")
    for number, case in enumerate(cases):
        put(stage, "outcomes", entity_id=str(number), event_time="t", **dict(zip(names, case, strict=True)))
    put(stage, "outcomes", entity_id="unmatched", event_time="t", outcome=True)
    observed = observe("binary", "roc_auc", joined_outcomes(stage, "r-1"))
    assert (observed.outcomes, observed.decisions) == (
        4,
        {"true_positive": 1, "false_positive": 1, "true_negative": 2, "false_negative": 0},
    )
