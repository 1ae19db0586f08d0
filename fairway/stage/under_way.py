"""Runs that have not ended: under way, or stopped, where nothing works on them any more.

A run's record is RUNNING until a state of its flow writes how it ended. Whoever stops the execution, or the restart of
a local AWS, stops that too, so the record alone does not tell.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from domain.runs import RunKind, RunStatus
from domain.timestamps import iso, parse_timestamp
from domain.train.windows import run_name
from fairway.stage import executions, records
from fairway.stage.aws import Stage

STOPPED = "STOPPED"
YOUNG = timedelta(minutes=1)  # AWS lists an execution that has just begun a little later
KINDS: tuple[records.FlowKind, ...] = (RunKind.TRAIN, RunKind.BATCH)


class Unfinished(TypedDict):
    """A run without an end; `status` is RUNNING or STOPPED."""

    kind: str
    run: str
    status: str
    started_at: str | None


def unfinished(stage: Stage, *, now: datetime | None = None) -> list[Unfinished]:
    """List the runs of every kind that have not ended, in the order of their names."""
    return [run for kind in KINDS if kind in stage.addresses for run in _of_kind(stage, kind, now or datetime.now(UTC))]


def _of_kind(stage: Stage, kind: records.FlowKind, now: datetime) -> Iterator[Unfinished]:
    open_runs = [run for run in records.runs(stage, kind) if run.get("status") == RunStatus.RUNNING]
    at_work = set(_at_work(stage, kind)) if open_runs else set()
    for run in open_runs:
        name, started_at = run["run"], run.get("started_at")
        if name in at_work or _is_young(started_at, now):
            yield {"kind": kind.value, "run": name, "status": RunStatus.RUNNING.value, "started_at": started_at}
        elif _is_open(stage, kind, name):  # read once more: it may have ended since
            yield {"kind": kind.value, "run": name, "status": STOPPED, "started_at": started_at}


def _is_young(started_at: str | None, now: datetime) -> bool:
    begun = parse_timestamp(started_at or "")
    return begun is not None and now - begun < YOUNG


def _is_open(stage: Stage, kind: records.FlowKind, run: str) -> bool:
    return (records.run(stage, kind, run) or {}).get("status") == RunStatus.RUNNING


def _at_work(stage: Stage, kind: records.FlowKind) -> Iterator[str]:
    """Names of the runs that executions work on; a schedule leaves the name to the flow."""
    for execution in executions.running(stage.client("stepfunctions"), stage.addresses[kind]):
        given = execution["input"]
        yield given.get("run") or run_name(kind, given.get("as_of", ""), iso(execution["started"]))
