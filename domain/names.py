"""Names that both the template and the code that runs in it use: metrics and indexes. Table keys: domain/records.py."""

from enum import StrEnum

METRICS_NAMESPACE = "Fairway"
COST_TAG = "fairway"  # on every resource of a stage, with the stage's prefix: the budget counts by it
BY_ENTITY = "by_entity"  # index of the predictions table: entity_id, made_at


class Metric(StrEnum):
    """A metric of a stage, in METRICS_NAMESPACE; its unit follows from the end of its name (lambdas/metrics.py)."""

    REQUESTS = "Requests"
    PREDICTIONS = "Predictions"
    FALLBACKS = "Fallbacks"  # answers without the model that should have had it
    STAND_INS = "StandIns"  # answers that the function gave because the endpoint did not
    ASLEEP = "Asleep"  # answers without the model while its endpoint is down on purpose
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
