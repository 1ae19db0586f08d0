"""Release, long after Promote: endpoints that no routing needs any more are removed, so that nobody pays for them."""

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypedDict, cast

from domain.records import release_key
from domain.release.routing import Routing, endpoints_in_use
from domain.release.state import ANSWERING_A_SHARE, ReleaseItem, ReleaseState, deploying_at_most
from domain.timestamps import iso, parse_timestamp
from lambdas.aws import tables
from lambdas.aws.hosting import BUSY, DELETING, Hosted, hosted, remove
from lambdas.aws.routes import read_routing
from lambdas.settings import CONFIG

LOG = logging.getLogger("fairway")
ROUTING = os.environ["ROUTING_TABLE"]
DEPLOYING_AT_MOST = deploying_at_most(CONFIG.release)
PREFIX = os.environ["ENDPOINT_PREFIX"]


class Retired(TypedDict):
    removed: list[str]  # names of endpoints


def handler(event: object, context: object) -> Retired:
    return retire(
        list(hosted(PREFIX)),
        now=datetime.now(UTC),
        routing=read_routing(ROUTING),
        release=_release,
        remove=remove,
        mark=lambda name: tables.update(
            ROUTING, release_key(name), {"state": ReleaseState.RETIRED}, only_if_there=True
        ),
    )


def retire(
    things: list[Hosted],
    *,
    now: datetime,
    routing: Routing,
    release: Callable[[str], ReleaseItem],
    remove: Callable[[Hosted], None],
    mark: Callable[[str], object],
) -> Retired:
    """Remove the endpoints that are neither in the routing nor being deployed, and mark their releases as retired."""
    keep_since = iso(now - timedelta(minutes=CONFIG.release.keep_previous_minutes))
    kept = endpoints_in_use(routing, keep_since=keep_since) | {thing.name for thing in things if thing.status in BUSY}
    unused = [
        thing
        for thing in things
        if thing.name not in kept
        and thing.status != DELETING
        and not _being_deployed(thing, release(_release_of(thing.name)), now)
    ]
    names = list(dict.fromkeys(thing.name for thing in unused))
    for name in names:  # first: a retry after a kill lists what is left, but not the names of what is gone
        mark(_release_of(name))
    _remove_each(unused, remove)
    return {"removed": names}


def _remove_each(things: list[Hosted], remove: Callable[[Hosted], None]) -> None:
    """Remove everything that can be removed, then raise the first error so the state machine sees it."""
    failed: Exception | None = None
    for thing in things:
        try:
            remove(thing)
        except Exception as error:  # noqa: BLE001 raised below, after the others were removed
            LOG.warning("%s %s not removed: %s", thing.kind, thing.name, error)
            failed = failed or error
    if failed:
        raise failed


def _release_of(name: str) -> str:
    return name.removeprefix(PREFIX)


def _release(name: str) -> ReleaseItem:
    return cast(ReleaseItem, tables.get(ROUTING, release_key(name)) or {})


def _being_deployed(thing: Hosted, release: ReleaseItem, now: datetime) -> bool:
    """Whether its release is marked so, or it is young and its release was not promoted since it was made.

    One that waits for the rollout before it may do so for days.
    """
    if release.get("state") in ANSWERING_A_SHARE:
        return True
    marked = (
        parse_timestamp(release.get("deploying_since", "")) if release.get("state") == ReleaseState.DEPLOYING else None
    )
    if marked and now - marked < DEPLOYING_AT_MOST:
        return True
    promoted = parse_timestamp(release.get("promoted_at", ""))
    return now - thing.created < DEPLOYING_AT_MOST and (promoted is None or promoted < thing.created)
