"""What cannot be removed: what models learned from the entity's rows, and backups.

Which runs learned is known from the rows alone. So a note of them is stored before a row is removed, under a hash of
the entity's id, and deleted at the end: if the command was killed, the next one names its releases too.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, TypedDict

from domain import records
from domain.release.state import ReleaseItem
from domain.runs import RunKind, TrainItem
from domain.timestamps import parse_timestamp
from fairway.forget.entity import Entity
from fairway.stage import records as stored
from fairway.stage.aws import Stage


class Learnt(TypedDict):
    """A release that was trained on a window with rows of the entity."""

    release: str
    run: str
    state: str | None


class _Window(NamedTuple):
    run: str
    start: datetime
    end: datetime


class Learners:
    """The runs whose windows have rows of an entity, collected while its rows are searched."""

    def __init__(self, stage: Stage, entity: Entity, *, really: bool) -> None:
        self.stage, self.really = stage, really
        self.key = records.run_key(RunKind.FORGET, hashlib.sha256(entity.id.encode()).hexdigest()[:16])
        self.timed = entity.contract.event_time is not None
        self.windows = [window for run in stored.runs(stage, "train") if (window := _window_of(run))]
        self.found = self._noted()

    def add(self, times: Sequence[datetime]) -> None:
        """Record the runs whose windows contain one of the event times; without event times, all runs."""
        runs = {one.run for one in self.windows if not self.timed or any(one.start <= at < one.end for at in times)}
        if runs - self.found and self.really:
            self.stage.client("dynamodb").update_item(
                TableName=self.stage.addresses["runs"],
                Key=self.key,
                UpdateExpression="ADD learnt :runs",
                ExpressionAttributeValues={":runs": {"SS": sorted(runs)}},
            )
        self.found.update(runs)

    def releases(self) -> list[Learnt]:
        """Return the releases of all runs found by this command, and by one that was killed before it."""
        return [_learnt(one) for one in stored.releases(self.stage) if one.get("run") in self.found]

    def close(self) -> None:
        """Delete the note, if there is one."""
        if not self.found:
            return
        self.stage.client("dynamodb").delete_item(TableName=self.stage.addresses["runs"], Key=self.key)

    def _noted(self) -> set[str]:
        table, read = self.stage.addresses["runs"], self.stage.client("dynamodb").get_item
        item = read(TableName=table, Key=self.key, ConsistentRead=True).get("Item", {})
        return set(item["learnt"]["SS"]) if "learnt" in item else set()


def _window_of(run: TrainItem) -> _Window | None:
    start, end = parse_timestamp(run.get("train_start", "")), parse_timestamp(run.get("as_of", ""))
    return _Window(run["run"], start, end) if start and end else None


def _learnt(item: ReleaseItem) -> Learnt:
    return {"release": item["release"], "run": item["run"], "state": item.get("state")}
