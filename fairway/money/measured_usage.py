"""Usage from a stage's own metrics and tables: requests by hour of the week, durations and sizes."""

from datetime import UTC, datetime, timedelta

from domain.money.usage import DAYS, DAYS_PER_MONTH, SECONDS_PER_HOUR
from domain.names import METRICS_NAMESPACE, Metric
from domain.timestamps import parse_timestamp
from fairway.stage import experiments
from fairway.stage.aws import Stage
from fairway.stage.records import runs
from fairway.terminal.errors import Refused

HOUR_S = 3600
METRICS = {
    "requests": (Metric.REQUESTS, "Sum"),
    "predictions": (Metric.PREDICTIONS, "Sum"),
    "outcomes": (Metric.OUTCOMES, "Sum"),
    "latency_ms": (Metric.LATENCY, "Average"),
    "model_ms": (Metric.MODEL_LATENCY, "Average"),
}


def measured_usage(stage: Stage, *, days: int, now: datetime) -> dict:
    """Return a usage profile of the last `days`; what was not measured is left to the size."""
    hourly = _hourly_metrics(stage, now - timedelta(days=days), now)
    requests = sum(hourly["requests"].values())
    if not requests:
        raise Refused(
            "not_measured",
            f"stage {stage.config.stage!r} answered no request in {days} days; use [usage] or --usage FILE",
        )
    predictions = sum(hourly["predictions"].values())
    measured = {
        "requests_per_second": requests / (days * 24 * SECONDS_PER_HOUR),
        "hours": by_hour_of_week(hourly["requests"], now - timedelta(days=days), now) if days >= 7 else {},
        "rows_per_request": max(1.0, predictions / requests),
        "outcomes_percent": min(100.0, 100.0 * sum(hourly["outcomes"].values()) / predictions) if predictions else None,
        "predict_ms": weighted(hourly["latency_ms"], hourly["requests"]),
        "scoring_ms": weighted(hourly["model_ms"], hourly["requests"]),
        **_of_runs(stage, since=now - timedelta(days=days), days=days),
        "prediction_bytes": item_bytes(stage, "predictions"),
    }
    return {name: value for name, value in measured.items() if value is not None}


def _hourly_metrics(stage: Stage, start: datetime, end: datetime) -> dict[str, dict[datetime, float]]:
    """Return {metric: {start of the hour: value}}."""
    dimensions = [
        {"Name": "project", "Value": stage.config.project.name},
        {"Name": "stage", "Value": stage.config.stage},
    ]
    queries = [
        {
            "Id": id,
            "MetricStat": {
                "Metric": {"Namespace": METRICS_NAMESPACE, "MetricName": name, "Dimensions": dimensions},
                "Period": HOUR_S,
                "Stat": stat,
            },
        }
        for id, (name, stat) in METRICS.items()
    ]
    pages = (
        stage.client("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(MetricDataQueries=queries, StartTime=start, EndTime=end)
    )
    hours: dict[str, dict[datetime, float]] = {id: {} for id in METRICS}
    for page in pages:
        for result in page["MetricDataResults"]:
            hours[result["Id"]].update(zip(result["Timestamps"], result["Values"], strict=True))
    return hours


def by_hour_of_week(counts: dict[datetime, float], start: datetime, end: datetime) -> dict[str, float]:
    """Return {`mon 07-08`: requests per second}: the mean of that hour over the weeks, including hours without
    requests.
    """
    totals: dict[str, list[float]] = {}
    hour = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    by_start = {at.astimezone(UTC).replace(minute=0, second=0, microsecond=0): count for at, count in counts.items()}
    while hour + timedelta(hours=1) <= end:
        name = f"{DAYS[hour.weekday()]} {hour.hour:02d}-{hour.hour + 1:02d}"
        totals.setdefault(name, []).append(by_start.get(hour, 0.0))
        hour += timedelta(hours=1)
    return {name: sum(values) / len(values) / SECONDS_PER_HOUR for name, values in totals.items()}


def weighted(values: dict[datetime, float], counts: dict[datetime, float]) -> float | None:
    """Return the mean over requests, from the means over hours."""
    total = sum(counts.get(at, 0.0) for at in values)
    return sum(value * counts.get(at, 0.0) for at, value in values.items()) / total if total else None


def _of_runs(stage: Stage, *, since: datetime, days: int) -> dict:
    per_month = DAYS_PER_MONTH / days
    batches = [run for run in runs(stage, "batch") if _is_since(run.get("started_at"), since)]
    trainings = [run for run in runs(stage, "train") if _is_since(run.get("started_at"), since)]
    loads = [run for run in runs(stage, "load") if _is_since(run["loaded_at"], since)]
    rows = [batch["read"] for batch in batches if "read" in batch]
    return {
        "batch_runs": len(batches) * per_month,
        "rows_per_batch": round(sum(rows) / len(rows)) if rows else None,
        "training_runs": len(trainings) * per_month,
        "experiment_days": _experiment_days(stage, since, since + timedelta(days=days)) * per_month,
        "rows_loaded": round(sum(load["accepted"] for load in loads) * per_month),
    }


def _experiment_days(stage: Stage, start: datetime, end: datetime) -> float:
    """Return the days between the two in which an experiment ran; one runs at a time."""
    seconds = 0.0
    for one in experiments.kept(stage):
        began, ended = parse_timestamp(one["started_at"]), parse_timestamp(one.get("finished_at", "")) or end
        if began:
            seconds += max(0.0, (min(ended, end) - max(began, start)).total_seconds())
    return seconds / (24 * SECONDS_PER_HOUR)


def _is_since(timestamp: str | None, since: datetime) -> bool:
    at = parse_timestamp(timestamp or "")
    return at is not None and at >= since


def item_bytes(stage: Stage, table: str) -> int | None:
    """Return the mean size of an item; AWS counts a table only every six hours, so a new one has none yet."""
    table_description = stage.client("dynamodb").describe_table(TableName=stage.addresses[table])["Table"]
    return (
        round(table_description["TableSizeBytes"] / table_description["ItemCount"])
        if table_description.get("ItemCount") and table_description.get("TableSizeBytes")
        else None
    )
