"""What a mapping reads of a stream at a time: batches, their halves, and the treatment of failures."""

import json
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from local.ministack.stream_records import Record

LARGEST_EVENT_BYTES = 6 * 1024 * 1024
LONGEST_WINDOW_S = 1.0  # the longest window; nobody wants to wait minutes on a laptop


@dataclass(frozen=True)
class Batch:
    """Records that a mapping's filters let through, each with its position, and the position after the batch."""

    records: list[tuple[int, Record]]
    end: int

    @property
    def event(self) -> dict[str, list[Record]]:
        return {"Records": [record for _, record in self.records]}

    def age_ms(self, now: float) -> float:
        """Return the age of the last record, as the metric IteratorAge has it."""
        _, last = self.records[-1]
        return max(0.0, 1000 * (now - float(last["dynamodb"]["ApproximateCreationDateTime"])))


class After(Enum):
    """What to do with a failed batch; a text is the condition reported to the destination."""

    HALVES = None
    AGAIN = ""
    TOO_OLD = "MaxRecordAgeExceeded"
    TOO_OFTEN = "RetryAttemptsExhausted"


@dataclass
class Reading:
    """State of a mapping; `ends` are the positions at which bisected batches end, the nearest last."""

    ends: list[int] = field(default_factory=list)
    tries: int = 0  # of the current batch, which failed
    since: float | None = None  # when the first record of the batch was read

    def most(self, start: int, batch_size: int) -> int:
        """Return how many records the next batch may have, from this position on."""
        while self.ends and self.ends[-1] <= start:
            self.ends.pop()
        return min(batch_size, self.ends[-1] - start) if self.ends else batch_size

    def is_due(self, mapping: dict, *, is_full: bool) -> bool:
        """Return whether the batch need not wait for more records."""
        if self.ends or self.tries or is_full:
            return True
        now = time.monotonic()
        self.since = self.since or now
        return now - self.since >= min(float(mapping.get("MaximumBatchingWindowInSeconds") or 0), LONGEST_WINDOW_S)

    def failed(self, mapping: dict, batch: Batch) -> After:
        """Record that the batch failed, and return what to do with it."""
        if 0 < int(mapping.get("MaximumRecordAgeInSeconds") or -1) < _age_s(batch):
            return After.TOO_OLD
        if mapping.get("BisectBatchOnFunctionError") and len(batch.records) > 1:
            middle = batch.records[len(batch.records) // 2][0]
            self.ends += [middle] if batch.end in self.ends else [batch.end, middle]
            return After.HALVES
        self.tries += 1
        most = mapping.get("MaximumRetryAttempts")
        return After.AGAIN if most in (None, -1) or self.tries <= int(most or 0) else After.TOO_OFTEN


def _age_s(batch: Batch) -> float:
    created = (float(record["dynamodb"]["ApproximateCreationDateTime"]) for _, record in batch.records)
    return time.time() - min(created)


def within_a_call(batch: Batch) -> Batch:
    """Return as much of a batch as Lambda accepts in one call."""
    size = 0
    for number, (position, record) in enumerate(batch.records):
        size += len(json.dumps(record))
        if number and size > LARGEST_EVENT_BYTES:
            return Batch(batch.records[:number], position)
    return batch


def left_of(batch: Batch, mapping: dict, body: Any) -> Batch | None:
    """Return what a function that reports failures left undone: everything from the first failure on; None if
    nothing.
    """
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
        return None
    reported = body.get("batchItemFailures") if isinstance(body, dict) else None
    failed = {each.get("itemIdentifier") for each in reported or []}
    if not failed:
        return None
    numbers = [n for n, (_, record) in enumerate(batch.records) if record["dynamodb"]["SequenceNumber"] in failed]
    return Batch(batch.records[min(numbers, default=0) :], batch.end)
