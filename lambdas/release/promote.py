"""Release: one conditional write makes the release champion."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

from domain.release import routing as rules
from domain.release.routing import Routing, RoutingChanged
from domain.release.state import ReleaseState
from domain.timestamps import iso
from lambdas.aws.routes import mark, mended_routing, write_routing

ROUTING = os.environ["ROUTING_TABLE"]


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """Effects on the routing table: `write` returns whether its condition held; `mark` sets values of a release."""

    read: Callable[[], Routing]
    write: Callable[[Routing], bool]
    mark: Callable[[str, dict[str, str]], None]


class Promoted(TypedDict):
    release: str
    previous: str | None


def handler(event: dict[str, Any], context: object) -> Promoted:
    return promote(
        release=event["release"],
        endpoint=event["endpoint"],
        threshold=event.get("experiment", {}).get("threshold"),
        reason=event["reason"],
        at=iso(datetime.now(UTC)),
        table=RoutingTable(
            read=lambda: mended_routing(ROUTING),
            write=lambda routing: write_routing(ROUTING, routing),
            mark=lambda release, values: mark(ROUTING, release, values),
        ),
    )


def promote(
    *, release: str, endpoint: str, reason: str, at: str, table: RoutingTable, threshold: float | None = None
) -> Promoted:
    """Make the release champion, with the `threshold` of an experiment if that gave it one.

    Idempotent: if it is already champion, only the remaining marks are written.
    """
    routing = table.read()
    current = routing["champion"]
    is_there = current is not None and (current["release"], current["endpoint"]) == (release, endpoint)
    if current is None or not is_there or threshold not in (None, current.get("threshold")):
        routing = rules.promote(routing, release=release, endpoint=endpoint, at=at, reason=reason, threshold=threshold)
        if not table.write(routing):
            raise RoutingChanged(f"the routing changed while {release} was being promoted; try again")
        since = at
    else:
        since = current["since"]
    previous = routing["previous"][0]["release"] if routing["previous"] else None
    table.mark(release, {"state": ReleaseState.CHAMPION, "promoted_at": since})
    if previous and previous != release:
        table.mark(previous, {"state": ReleaseState.PREVIOUS})
    return {"release": release, "previous": previous}
