"""Batch, last state: what was read, scored, quarantined and written must add up, or the run has failed."""

import os
from collections import Counter
from datetime import UTC, datetime

from domain import lake
from domain.records import run_key
from domain.timestamps import iso, parse_timestamp
from lambdas.aws import objects, tables

LAKE = os.environ["LAKE"]
RUNS = os.environ["RUNS_TABLE"]


class CountsDoNotAddUp(Exception):
    """Rows were lost or doubled between reading and storing."""


def handler(event, context):
    run = event["run"]
    return close_batch(
        run,
        written=event["written"],
        now=datetime.now(UTC),
        summaries=read_summaries(run),
        known=tables.get(RUNS, run_key("batch", run)) or {},
        record=lambda values: tables.update(RUNS, run_key("batch", run), values),
    )


def close_batch(run: str, *, written: int, now: datetime, summaries: list[dict], known: dict, record) -> dict:
    """{run, read, quarantined, scored, written, seconds}; recorded with how many rows broke which rule."""
    counts = {name: sum(summary[name] for summary in summaries) for name in ("read", "quarantined", "scored")}
    due = 0 if known.get("store") is False else counts["scored"]  # a run may ask for Parquet only
    whole = sum(summary["last"] for summary in summaries)
    refuse_losses(run, {**counts, "written": written}, due=due, shards=whole, planned=known.get("shards"))
    reasons = sum((Counter(summary.get("reasons", {})) for summary in summaries), Counter())
    result = {**counts, "written": written, "seconds": seconds_since(known.get("started_at"), now)}
    record({**result, "status": "SUCCEEDED", "reasons": dict(reasons), "finished_at": iso(now)})
    return {"run": run, **result}


def refuse_losses(run: str, counts: dict, *, due: int, shards: int, planned: int | None) -> None:
    read, scored, quarantined, written = (counts[name] for name in ("read", "scored", "quarantined", "written"))
    if planned is not None and shards != planned:
        raise CountsDoNotAddUp(
            f"{run}: {shards} of {planned} shards are scored to their end; start the run again, it resumes"
        )
    if read != scored + quarantined:
        raise CountsDoNotAddUp(
            f"{run}: read {read:,} rows, but scored {scored:,} and quarantined {quarantined:,}; "
            "score the input as a new run"
        )
    if due != written:
        raise CountsDoNotAddUp(f"{run}: scored {scored:,} rows, but wrote {written:,}; start the run again, it resumes")


def seconds_since(started_at: str | None, now: datetime) -> float:
    started = parse_timestamp(started_at or "") or now
    return round((now - started).total_seconds(), 3)


def read_summaries(run: str) -> list[dict]:
    return objects.read_each(LAKE, (key for key, _ in objects.listing(LAKE, lake.batch_prefix(run, "summary"))))
