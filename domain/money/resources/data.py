"""DynamoDB on demand: writes, reads, storage and backup, table by table."""

import math

from domain.money.prices import Prices
from domain.money.resources.lines import Line, line
from domain.money.schedule import HOURS_PER_MONTH
from domain.money.template import Resource, last_word
from domain.money.usage import BYTES_PER_GB, DAYS_PER_MONTH, SECONDS_PER_HOUR, Month
from domain.release.rollout import plan_of
from domain.release.routing import FRESH_S

DYNAMODB = "AmazonDynamoDB"
WRITES, READS, KEPT, RECOVERY = (
    "WriteRequestUnits",
    "ReadRequestUnits",
    "TimedStorage-ByteHrs",
    "TimedPITRStorage-ByteHrs",
)
WRITE_UNIT_BYTES = 1024
EVENTUAL = 0.5  # an eventually consistent read of up to 4 KB costs half a unit
OUTCOME_BYTES = 300
TRANSACTIONAL = 2.0  # units of a write in a transaction
ROLLOUT_ANSWERS = 20_000  # answers of a release, and of the one it is compared with, before it is champion
EVIDENCE_BYTES = 250  # an item by which an answer or an entity is counted
CONTROL_BYTES = 2048  # a routing item, a release, a run: few and small


def table_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line] | None:
    """Price a table's use; None if no rule says how it is used."""
    demand = TABLES.get(last_word(resource.properties.get("TableName", resource.name)))
    if demand is None:
        return None
    lines = demand(usage, 1 + len(resource.properties.get("GlobalSecondaryIndexes", [])))
    if _recoverable(resource):
        lines += [
            ("store", "point-in-time recovery", RECOVERY, gb) for _, _, usage_type, gb in lines if usage_type == KEPT
        ]
    return [
        line(resource, prices, flow=flow, what=what, price=(DYNAMODB, usage_type), quantity=quantity)
        for flow, what, usage_type, quantity in lines
    ]


Demand = list[tuple[str, str, str, float]]  # flow, what, usage type, quantity


def predictions(month: Month, copies: int) -> Demand:
    """Each answer is written once, and once more to each index; each outcome looks up its prediction."""
    units = math.ceil(month.usage.prediction_bytes / WRITE_UNIT_BYTES) * copies
    months_kept = min(month.config.serving.keep_predictions_days / DAYS_PER_MONTH, month.usage.months)
    answers = month.predictions + month.batch_rows
    return [
        ("request", "answers written", WRITES, month.predictions * units),
        ("batch", "answers written", WRITES, month.batch_rows * units),
        ("watch", "looked up for an outcome", READS, month.outcomes * EVENTUAL),
        ("store", "kept", KEPT, answers * months_kept * month.usage.prediction_bytes * copies / BYTES_PER_GB),
    ]


def outcomes(month: Month, copies: int) -> Demand:
    """Each is written with what it adds to its window, or neither is; what was there before is looked up."""
    return [
        ("watch", "outcomes written", WRITES, month.outcomes * TRANSACTIONAL * copies),
        ("watch", "looked up before", READS, month.outcomes),
        ("store", "kept", KEPT, month.outcomes * month.usage.months * OUTCOME_BYTES * copies / BYTES_PER_GB),
    ]


def routing(month: Month, copies: int) -> Demand:
    """predict caches the routing for seconds, so it reads at most once a request, and about once every few seconds."""
    reads = min(month.requests, HOURS_PER_MONTH * SECONDS_PER_HOUR / FRESH_S)
    changes = month.training_runs * 4  # a release is judged, promoted, replaced, retired
    return [("request", "who answers", READS, reads * EVENTUAL), *control(month, "train", changes * copies)]


def runs(month: Month, copies: int) -> Demand:
    runs = month.training_runs + month.batch_runs + month.watch_runs
    # Begun and ended; a load a day; and each run that watches writes a window, and the one before with its outcomes.
    records = 2 * runs + DAYS_PER_MONTH + 2 * month.watch_runs
    return control(month, "train", records * copies)


def evidence(month: Month, copies: int) -> Demand:
    """Each outcome is added to its window. While a release is shadow, canary or challenger, each answer and each new
    entity is an item, and an outcome looks its pair up; in an experiment it is also its entity's value, another item.
    """
    rollouts = month.training_runs if plan_of(month.config).compares else 0.0
    experiments = month.predictions * min(month.usage.experiment_days / DAYS_PER_MONTH, 1.0)
    answers = min(rollouts * ROLLOUT_ANSWERS + experiments, month.predictions)
    share = month.usage.outcomes_percent / 100
    known, values = answers * share, experiments * share
    return [
        ("watch", "answers counted", WRITES, answers * 2 * TRANSACTIONAL * copies),
        ("watch", "pairs looked up", READS, known),
        ("watch", "outcomes counted", WRITES, (month.outcomes + known + values) * TRANSACTIONAL),
        ("store", "kept", KEPT, answers * 2 * EVIDENCE_BYTES * month.usage.months / BYTES_PER_GB),
    ]


def control(month: Month, flow: str, records: float) -> Demand:
    return [
        (flow, "records written", WRITES, records * CONTROL_BYTES / WRITE_UNIT_BYTES),
        ("store", "kept", KEPT, records * month.usage.months * CONTROL_BYTES / BYTES_PER_GB),
    ]


TABLES = {"predictions": predictions, "outcomes": outcomes, "routing": routing, "runs": runs, "evidence": evidence}


def _recoverable(resource: Resource) -> bool:
    """Return whether point-in-time recovery is on; a global table sets it for each region."""
    places = [resource.properties, *resource.properties.get("Replicas", [])]
    return any(each.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled") for each in places)
