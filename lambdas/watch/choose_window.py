"""Watch, first state: choose the window, the files captured in it, and what its releases are compared with."""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import NotRequired, TypedDict, cast

from domain import lake
from domain.records import RELEASE, run_key, to_item
from domain.release.state import IN_USE, ReleaseItem
from domain.runs import RunKind, RunStatus, WatchItem, WatchPlan, WatchSettings
from domain.timestamps import iso, parse_timestamp
from domain.train.windows import WindowError, checked_run
from domain.watch.counts import WindowCounts
from domain.watch.reference import Reference
from domain.watch.windows import Span, hours, last_whole, span_of
from lambdas.aws import objects, tables
from lambdas.settings import CONFIG

LAKE = os.environ["LAKE"]
RUNS = os.environ["RUNS_TABLE"]
ROUTING = os.environ["ROUTING_TABLE"]
MOST_RELEASES = 20  # that one window can have answers of: the newest that ever answered
EVER_ANSWERED = ("promoted_at", "rollout")

Write = Callable[[str, object], None]  # a document into the lake, by key


class Request(TypedDict):
    """Input of the flow."""

    run: str
    as_of: str
    window: NotRequired[str]  # a timestamp within it; without one the newest that has ended


def handler(event: Request, context: object) -> WatchPlan:
    releases = tables.scan_all(
        ROUTING,
        FilterExpression="begins_with(#item, :release)",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues=to_item({":release": RELEASE}),
    )
    return choose_window(
        event,
        captured=_captured,
        releases=cast(Iterator[ReleaseItem], releases),
        read=lambda key: objects.read_json(LAKE, key),
        write=lambda key, document: objects.write_json(LAKE, key, document),
        record=_record_run,
    )


def choose_window(
    request: Request,
    *,
    captured: Callable[[Span], Iterable[str]],
    releases: Iterable[ReleaseItem],
    read: Callable[[str], Reference | None],
    write: Write,
    record: Callable[[str, WatchItem], None],
) -> WatchPlan:
    """Choose the window, and write what its job reads; where nothing was captured, also that it has no row.

    Raises WindowError, and RunRefused.
    """
    run, span = checked_run(request["run"]), _span(request)
    keys = sorted(captured(span))
    settings: WatchSettings = {
        "run": run,
        "window": span.name,
        "start": iso(span.start),
        "end": iso(span.end),
        "as_of": iso(_timestamp("as_of", request["as_of"])),
    }
    write(lake.run_key(run, "settings/run.json"), settings)
    write(lake.run_key(run, "settings/references.json"), _references(releases, read))
    if keys:
        manifest = [{"prefix": lake.uri(LAKE, lake.CAPTURED)}, *(key.removeprefix(lake.CAPTURED) for key in keys)]
        write(lake.run_key(run, "captured.manifest"), manifest)
    else:
        write(lake.window_key(span.name), _nothing(settings))
    record(run, {"window": span.name, "files": len(keys), "as_of": settings["as_of"]})
    return {
        **settings,
        "settings_uri": lake.uri(LAKE, lake.run_key(run, "settings/")),
        "captured_manifest": lake.uri(LAKE, lake.run_key(run, "captured.manifest")) if keys else None,
        "files": len(keys),
        "counts_uri": lake.uri(LAKE, lake.window_prefix(span.name)),
    }


def _span(request: Request) -> Span:
    days = CONFIG.monitoring.window_days
    if request.get("window"):
        return span_of(_timestamp("window", request["window"]), days)
    return last_whole(_timestamp("as_of", request["as_of"]), days)


def _timestamp(name: str, text: object) -> datetime:
    found = parse_timestamp(text) if isinstance(text, str) else None
    if found is None:
        raise WindowError(f"{name} = {text!r}: must be an ISO 8601 date or time such as 2013-04-01")
    return found


def _references(releases: Iterable[ReleaseItem], read: Callable[[str], Reference | None]) -> dict[str, Reference]:
    """Read the reference of each release that may have answered; one that was made before there were any has none."""
    answered = [item for item in releases if item.get("state") in IN_USE or any(name in item for name in EVER_ANSWERED)]
    newest = sorted(answered, key=lambda item: item.get("created_at", ""), reverse=True)[:MOST_RELEASES]
    found = {
        item["release"]: read(lake.reference_key(item["run"], item["candidate"]))
        for item in newest
        if "run" in item and "candidate" in item
    }
    return {release: reference for release, reference in found.items() if reference is not None}


def _nothing(settings: WatchSettings) -> WindowCounts:
    return {
        "window": settings["window"],
        "start": settings["start"],
        "end": settings["end"],
        "as_of": settings["as_of"],
        "rows": 0,
        "unparsed": 0,
        "set_aside": [],
        "releases": {},
    }


# ---- effects


def _captured(span: Span) -> Iterator[str]:
    for hour in hours(span):
        yield from (found.key for found in objects.listing(LAKE, lake.captured_prefix(hour)))


def _record_run(run: str, chosen: WatchItem) -> None:
    """Mark the run as running. The clock is read for the record only: nothing that is computed depends on it."""
    running: WatchItem = {"status": RunStatus.RUNNING, **chosen}
    tables.update(RUNS, run_key(RunKind.WATCH, run), running, once={"started_at": iso(datetime.now(UTC))})
