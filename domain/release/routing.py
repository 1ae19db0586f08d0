"""Which release answers whom: one small item, changed by pure functions and written back only if nobody else wrote.

    {"version": 3, "changed_at": "...", "reason": "...",
     "routes":   [{"release", "endpoint", "role": "champion", "weight": 100, "since"}],
     "previous": [the champions before it, newest first]}

`version` is the condition of the write: whoever read version 3 may write version 4, once.
"""

import hashlib

EMPTY = {"version": 0, "routes": [], "previous": [], "changed_at": "", "reason": "nothing released yet"}
BUCKETS = 10_000
KEPT = 10  # champions remembered
FRESH_S = 5.0  # for so long a function may go on by the routing that it has read


class RoutingError(Exception):
    """The change cannot be made; the message says why and what can."""


def choose(routing: dict, entity_id: str) -> dict | None:
    """The route that answers this entity, the same one every time; None before the first release.

    An entity's place is the hash of its id, so a share of 10 % is 10 % of the entities, not of the requests, and
    raising a share moves only the entities that it gains.
    """
    answering = [route for route in routing["routes"] if route["weight"] > 0]
    if not answering:
        return None
    total = sum(route["weight"] for route in answering)
    place = bucket(entity_id) / BUCKETS * total
    for route in answering:
        place -= route["weight"]
        if place < 0:
            return route
    return answering[-1]


def bucket(entity_id: str) -> int:
    return int.from_bytes(hashlib.sha256(entity_id.encode()).digest()[:8]) % BUCKETS


def champion(routing: dict) -> dict | None:
    return next((route for route in routing["routes"] if route["role"] == "champion"), None)


def promote(routing: dict, *, release: str, endpoint: str, at: str, reason: str) -> dict:
    """The release answers everybody; the champion before it is remembered for a rollback."""
    current = champion(routing)
    if current and current["release"] == release:
        raise RoutingError(f"release {release!r} is the champion already; nothing to do")
    route = {"release": release, "endpoint": endpoint, "role": "champion", "weight": 100, "since": at}
    past = ([current] if current else []) + [old for old in routing["previous"] if old["release"] != release]
    return changed(routing, [route], past, at, reason)


def rollback(routing: dict, *, at: str, reason: str) -> dict:
    """The champion before this one answers again."""
    if not routing["previous"]:
        raise RoutingError(
            "there is no earlier champion to roll back to; `fairway releases` lists what can be promoted"
        )
    back, *older = routing["previous"]
    return changed(routing, [{**back, "role": "champion", "weight": 100, "since": at}], older, at, reason)


def changed(routing: dict, routes: list, previous: list, at: str, reason: str) -> dict:
    return {
        "version": routing["version"] + 1,
        "changed_at": at,
        "reason": reason,
        "routes": routes,
        "previous": previous[:KEPT],
    }


def endpoints_in_use(routing: dict, *, keep_since: str) -> set[str]:
    """Endpoints that answer now, or that answered at or after `keep_since` and are kept up for a rollback."""
    inuse = {route["endpoint"] for route in routing["routes"]}
    if routing["changed_at"] >= keep_since:
        inuse |= {route["endpoint"] for route in routing["previous"][:1]}
    return inuse
