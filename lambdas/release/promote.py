"""Release: the new champion answers from one conditional write on."""

import os
from datetime import UTC, datetime

from domain.records import release_key
from domain.release import routing as rules
from domain.timestamps import iso
from lambdas.aws import tables
from lambdas.aws.routes import read_routing, write_routing

ROUTING = os.environ["ROUTING_TABLE"]


class RoutingChanged(Exception):
    """Somebody else changed the routing between our reading and our writing; trying again is right."""


def handler(event, context):
    return promote(
        release=event["release"],
        endpoint=event["endpoint"],
        reason=event["reason"],
        at=iso(datetime.now(UTC)),
        read=lambda: read_routing(ROUTING),
        write=lambda routing: write_routing(ROUTING, routing),
        mark=mark_release,
    )


def promote(*, release: str, endpoint: str, reason: str, at: str, read, write, mark) -> dict:
    """{release, previous}. Again after it was done, it only makes sure of the rest."""
    routing = read()
    if not answers_already(routing, release, endpoint):
        routing = rules.promote(routing, release=release, endpoint=endpoint, at=at, reason=reason)
        if not write(routing):
            raise RoutingChanged(f"the routing changed while {release} was being promoted; try again")
    previous = routing["previous"][0]["release"] if routing["previous"] else None
    mark(release, {"state": "champion", "promoted_at": rules.champion(routing)["since"]})
    if previous:
        mark(previous, {"state": "previous"})
    return {"release": release, "previous": previous}


def answers_already(routing: dict, release: str, endpoint: str) -> bool:
    current = rules.champion(routing)
    return current is not None and (current["release"], current["endpoint"]) == (release, endpoint)


def mark_release(release: str, values: dict) -> None:
    tables.update(ROUTING, release_key(release), {"release": release, **values})
