"""Runs without an end: in progress, or stopped.

A run's record is RUNNING until a state of its flow records the end. Stopping the execution, or a restart of a local
AWS, also stops that state, so the record alone is not enough.
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
YOUNG = timedelta(minutes=1)  # AWS lists a new execution a little later
KINDS: tuple[records.FlowKind, ...] = (RunKind.TRAIN, RunKind.BATCH)


class Unfinished(TypedDict):
    """A run without an end; `status` is RUNNING or STOPPED."""

    kind: str
    run: str
    status: str
    started_at: str | None


def unfinished(stage: Stage, *, now: datetime | None = None) -> list[Unfinished]:
    """List the runs of every kind that have not ended, ordered by name."""
    return [run for kind in KINDS if kind in stage.addresses for run in _of_kind(stage, kind, now or datetime.now(UTC))]


def _of_kind(stage: Stage, kind: records.FlowKind, now: datetime) -> Iterator[Unfinished]:
    open_runs = [run for run in records.runs(stage, kind) if run.get("status") == RunStatus.RUNNING]
    at_work = set(_at_work(stage, kind)) if open_runs else set()
    for run in open_runs:
        name, started_at = run["run"], run.get("started_at")
        if name in at_work or _is_young(started_at, now):
            yield {"kind": kind.value, "run": name, "status": RunStatus.RUNNING.value, "started_at": started_at}
        elif _is_open(stage, kind, name):  # read again: it may have ended since
            yield {"kind": kind.value, "run": name, "status": STOPPED, "started_at": started_at}


def _is_young(started_at: str | None, now: datetime) -> bool:
    begun = parse_timestamp(started_at or "")
    return begun is not None and now - begun < YOUNG


def _is_open(stage: Stage, kind: records.FlowKind, run: str) -> bool:
    return (records.run(stage, kind, run) or {}).get("status") == RunStatus.RUNNING


def _at_work(stage: Stage, kind: records.FlowKind) -> Iterator[str]:
    """Return the names of runs with a running execution; a schedule leaves the name to the flow."""
    for execution in executions.running(stage.client("stepfunctions"), stage.addresses[kind]):
        given = execution["input"]
        yield given.get("run") or run_name(kind, given.get("as_of", ""), iso(execution["started"]))
