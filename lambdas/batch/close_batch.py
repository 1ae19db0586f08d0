"""Batch, last state: fail the run unless the rows read, scored, quarantined and written add up."""

import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypedDict, cast

from domain import lake
from domain.batch.segments import Summary
from domain.records import run_key
from domain.runs import BatchItem, RunKind, RunStatus
from domain.timestamps import iso, parse_timestamp
from lambdas.aws import objects, tables
from lambdas.batch.run_settings import settings_key
from lambdas.batch.scored_before import ScoredFiles

LAKE = os.environ["LAKE"]
RUNS = os.environ["RUNS_TABLE"]


class CountsDoNotAddUp(Exception):
    """Report that rows were lost or duplicated between reading and storing."""


class Counts(TypedDict):
    """Row counts of a run."""

    read: int
    quarantined: int
    scored: int
    written: int


class Closed(Counts):
    """Result of a run; `seconds` since its first start."""

    run: str
    seconds: float


def handler(event: dict[str, Any], context: object) -> Closed:
    run = event["run"]
    return close_batch(
        run,
        written=event["written"],
        now=datetime.now(UTC),
        summaries=_read_summaries(run),
        known=cast(BatchItem, tables.get(RUNS, run_key(RunKind.BATCH, run)) or {}),
        planned=objects.read_json(LAKE, settings_key(run, "files.json")),
        keep=lambda key, document: objects.write_json(LAKE, key, document),
        record=lambda values: tables.update(RUNS, run_key(RunKind.BATCH, run), values),
    )


def close_batch(
    run: str,
    *,
    written: int,
    now: datetime,
    summaries: list[Summary],
    known: BatchItem,
    planned: ScoredFiles | None,
    keep: Callable[[str, ScoredFiles], None],
    record: Callable[[BatchItem], object],
) -> Closed:
    """Check that the counts add up, and record them with the quarantined rows by rule. Raises CountsDoNotAddUp.

    From here on the planned files count as scored: `keep` records them.
    """
    counts: Counts = {
        "read": sum(summary["read"] for summary in summaries),
        "quarantined": sum(summary["quarantined"] for summary in summaries),
        "scored": sum(summary["scored"] for summary in summaries),
        "written": written,
    }
    due = 0 if known.get("store") is False else counts["scored"]  # a run may request Parquet only
    whole = sum(summary["last"] for summary in summaries)
    _refuse_losses(run, counts, due=due, shards=whole, planned=known.get("shards"))
    reasons: Counter[str] = sum((Counter(summary.get("reasons", {})) for summary in summaries), Counter())
    if planned and planned["files"]:
        keep(planned["key"], planned)
    seconds = _seconds_since(known.get("started_at"), now)
    closed: BatchItem = {"status": RunStatus.SUCCEEDED, "reasons": dict(reasons), "finished_at": iso(now)}
    record({**closed, **counts, "seconds": seconds})
    return {"run": run, **counts, "seconds": seconds}


def _refuse_losses(run: str, counts: Counts, *, due: int, shards: int, planned: int | None) -> None:
    read, scored, quarantined = counts["read"], counts["scored"], counts["quarantined"]
    if planned is not None and shards != planned:
        raise CountsDoNotAddUp(
            f"{run}: {shards} of {planned} shards are scored completely; start the run again, it resumes"
        )
    if read != scored + quarantined:
        raise CountsDoNotAddUp(
            f"{run}: read {read:,} rows, but scored {scored:,} and quarantined {quarantined:,}; "
            "score the input as a new run"
        )
    if due != counts["written"]:
        raise CountsDoNotAddUp(
            f"{run}: scored {scored:,} rows, but wrote {counts['written']:,}; start the run again, it resumes"
        )


def _seconds_since(started_at: str | None, now: datetime) -> float:
    started = parse_timestamp(started_at or "") or now
    return round((now - started).total_seconds(), 3)


def _read_summaries(run: str) -> list[Summary]:
    return objects.read_each(LAKE, (file.key for file in objects.listing(LAKE, lake.batch_prefix(run, "summary"))))
