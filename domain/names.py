"""Names that both the templates and the deployed code use: metrics and indexes (table keys: domain/records.py)."""

from enum import StrEnum

METRICS_NAMESPACE = "Fairway"
COST_TAG = "fairway"  # tag of every resource of a stage; its value is the stage's prefix, and the budget counts by it
BY_ENTITY = "by_entity"  # index of the predictions table: entity_id, made_at


class Metric(StrEnum):
    """Metric of a stage, in METRICS_NAMESPACE; the end of its name determines its unit (lambdas/metrics.py)."""

    REQUESTS = "Requests"
    PREDICTIONS = "Predictions"
    FALLBACKS = "Fallbacks"  # answers without the model, although it should have answered
    STAND_INS = "StandIns"  # answers by the function because the endpoint gave none
    ASLEEP = "Asleep"  # answers without the model while its endpoint is deleted on purpose
    UNSURE = "Unsure"  # answers that the model left to the fallback, or that were flagged for a person
    LATENCY = "Latency"
    MODEL_LATENCY = "ModelLatency"
    OUTCOMES = "Outcomes"
    UNMATCHED = "Unmatched"
    VALUE_USD = "ValueUsd"
    SPENT_USD = "SpentUsd"
    SPENT_PERCENT = "SpentPercent"
    REAPED = "Reaped"
    REAPED_USD = "ReapedUsd"  # saved a month
    DATA_AGE_DAYS = "DataAgeDays"  # from the newest row that a run judged on to its as_of
    BROKEN_BENCHMARKS = "BrokenBenchmarks"  # that the champion breaks in its newest evaluation
    WATCH_ALARMS = "WatchAlarms"  # findings that alarm, of the window that was watched and those before it
    MOVED = "Moved"  # features and answers that drifted in the window


def lake_parameter(project: str, stage: str) -> str:
    """Return the name of the SSM parameter that has the name of a stage's lake."""
    return f"/fairway/{project}/{stage}/lake"
