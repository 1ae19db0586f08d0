"""Runs, releases and the routing, read from the stage's tables as plain values."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypedDict, cast, overload

from domain import records
from domain.release.routing import EMPTY, Routing, answerers, mended, percents
from domain.release.state import ReleaseItem
from domain.runs import BatchItem, LoadItem, RunKind, TrainItem
from domain.watch.verdict import WindowItem
from fairway.stage.aws import Stage

FlowKind = Literal[RunKind.TRAIN, RunKind.BATCH]


class ReleaseRole(TypedDict):
    """A release with its role and the percent of entities it answers; None and 0 if it answers none."""

    release: str
    role: str | None
    weight: float
    state: str | None


@overload
def run(stage: Stage, kind: Literal["load"], name: str) -> LoadItem | None: ...
@overload
def run(stage: Stage, kind: Literal["train"], name: str) -> TrainItem | None: ...
@overload
def run(stage: Stage, kind: Literal["batch"], name: str) -> BatchItem | None: ...
@overload
def run(stage: Stage, kind: FlowKind, name: str) -> TrainItem | BatchItem | None: ...
def run(stage: Stage, kind: str, name: str) -> Any:
    """Read a run; None if there is none."""
    return _item(stage, "runs", records.run_key(kind, name))


@overload
def runs(stage: Stage, kind: Literal["load", "unload"]) -> Iterator[LoadItem]: ...
@overload
def runs(stage: Stage, kind: Literal["train"]) -> Iterator[TrainItem]: ...
@overload
def runs(stage: Stage, kind: Literal["batch"]) -> Iterator[BatchItem]: ...
@overload
def runs(stage: Stage, kind: Literal[RunKind.WINDOW]) -> Iterator[WindowItem]: ...
@overload
def runs(stage: Stage, kind: FlowKind) -> Iterator[TrainItem | BatchItem]: ...
def runs(stage: Stage, kind: str) -> Iterator[Any]:
    """Read every run of a kind, in the order of their names."""
    query = stage.client("dynamodb").get_paginator("query")
    pages = query.paginate(TableName=stage.addresses["runs"], **records.runs_query(kind), ConsistentRead=True)
    return (records.from_item(item) for page in pages for item in page["Items"])


def routing(stage: Stage) -> Routing:
    """Read the routing; the empty one before the first release."""
    item = _item(stage, "routing", records.routing_key())
    return mended(item) if item else EMPTY


def release(stage: Stage, name: str) -> ReleaseItem | None:
    """Read a release; None if there is none."""
    return cast(ReleaseItem | None, _item(stage, "routing", records.release_key(name)))


def releases(stage: Stage) -> list[ReleaseItem]:
    """Read every release, newest first."""
    scan = stage.client("dynamodb").get_paginator("scan")
    pages = scan.paginate(TableName=stage.addresses["routing"], ConsistentRead=True)
    items = (records.from_item(item) for page in pages for item in page["Items"])
    found = [cast(ReleaseItem, item) for item in items if item["item"].startswith(records.RELEASE)]
    return sorted(found, key=lambda item: item.get("created_at", ""), reverse=True)


def _item(stage: Stage, table: str, key: records.Item) -> dict[str, Any] | None:
    item = stage.client("dynamodb").get_item(TableName=stage.addresses[table], Key=key, ConsistentRead=True).get("Item")
    return records.from_item(item) if item else None


def with_roles(releases: Iterable[ReleaseItem], routing: Routing) -> list[ReleaseRole]:
    """Join releases with the routing."""
    roles: dict[str, str] = {}
    for one in answerers(routing):  # the champion first: it may also be a challenger, at another threshold
        roles.setdefault(one.release, one.role)
    percent = percents(routing)
    return [
        {
            "release": item["release"],
            "role": roles.get(item["release"]),
            "weight": percent.get(item["release"], 0),
            "state": item.get("state"),
        }
        for item in releases
    ]
