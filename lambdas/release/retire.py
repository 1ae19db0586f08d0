"""Release, long after Promote: what no routing needs any more is removed, so that nobody pays for it."""

import logging
import os
from datetime import UTC, datetime, timedelta

from domain.records import release_key
from domain.release.routing import endpoints_in_use
from domain.timestamps import iso, parse_timestamp
from lambdas.aws import tables
from lambdas.aws.hosting import BUSY, DELETING, Hosted, hosted, remove
from lambdas.aws.routes import read_routing
from lambdas.settings import CONFIG

LOG = logging.getLogger("fairway")
ROUTING = os.environ["ROUTING_TABLE"]
PREFIX = os.environ["ENDPOINT_PREFIX"]
DEPLOYING = timedelta(hours=2)  # a release that was not promoted by then never will be


def handler(event, context):
    return retire(
        list(hosted(PREFIX)),
        now=datetime.now(UTC),
        routing=read_routing(ROUTING),
        release=lambda name: tables.get(ROUTING, release_key(name)) or {},
        remove=remove,
        mark=lambda name: tables.update(ROUTING, release_key(name), {"state": "retired"}, only_if_there=True),
    )


def retire(things: list[Hosted], *, now: datetime, routing: dict, release, remove, mark) -> dict:
    """{removed: names}. Routing says what is in use; what is being deployed is not in it yet and is left alone too."""
    keep_since = iso(now - timedelta(minutes=CONFIG.release.keep_previous_minutes))
    kept = endpoints_in_use(routing, keep_since=keep_since) | {thing.name for thing in things if thing.status in BUSY}
    unused = [
        thing
        for thing in things
        if thing.name not in kept
        and thing.status != DELETING
        and not being_deployed(thing, release(release_of(thing.name)), now)
    ]
    names = list(dict.fromkeys(thing.name for thing in unused))
    for name in names:  # before: whoever is killed halfway finds the rest again, but not the names of what is gone
        mark(release_of(name))
    remove_each(unused, remove)
    return {"removed": names}


def remove_each(things: list[Hosted], remove) -> None:
    """What cannot be removed must not keep the others up and billed; its error is raised after, as the flow knows it."""
    failed = None
    for thing in things:
        try:
            remove(thing)
        except Exception as error:
            LOG.warning("%s %s not removed: %s", thing.kind, thing.name, error)
            failed = failed or error
    if failed:
        raise failed


def release_of(name: str) -> str:
    return name.removeprefix(PREFIX)


def being_deployed(thing: Hosted, release: dict, now: datetime) -> bool:
    """Its release is marked so; or it is young, and its release was not promoted since it was made."""
    marked = parse_timestamp(release.get("deploying_since", "")) if release.get("state") == "deploying" else None
    if marked and now - marked < DEPLOYING:
        return True
    promoted = parse_timestamp(release.get("promoted_at", ""))
    return now - thing.created < DEPLOYING and (promoted is None or promoted < thing.created)
