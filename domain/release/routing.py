"""Which release answers whom: one small item, changed by pure functions and written back only if nobody else wrote.

`version` is the condition of the write: the reader of version 3 may write version 4, once.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypedDict, cast


class Role(StrEnum):
    """Role of a release in the routing."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    SHADOW = "shadow"


class Route(TypedDict):
    """A release that may answer; `weight` is its share of the entities relative to the other routes."""

    release: str
    endpoint: str
    role: str  # a Role
    weight: float
    since: str  # timestamp


class Routing(TypedDict):
    """Routing item of the routing table (domain/records.py: ROUTING)."""

    version: int
    routes: list[Route]
    previous: list[Route]  # earlier champions, newest first
    changed_at: str  # timestamp; empty before the first release
    reason: str


SHAPE = {"version": int, "routes": list, "previous": list, "changed_at": str, "reason": str}
EMPTY: Routing = {"version": 0, "routes": [], "previous": [], "changed_at": "", "reason": "nothing released yet"}
BUCKETS = 10_000
KEPT = 10  # champions remembered
FRESH_S = 5.0  # age at which a function reads the routing again


class RoutingError(Exception):
    """The change cannot be made; the message gives the reason and what can be done."""


class RoutingDamaged(Exception):
    """The stored item is not a routing; the message names what is wrong and how to write a whole one."""


class RoutingChanged(Exception):
    """The routing was written between our reading and our writing; trying again is right."""


def checked(item: Mapping[str, Any]) -> Routing:
    """Check the stored item before anybody is answered by it. Raises RoutingDamaged."""
    problems = [f"{name} = {item.get(name)!r}" for name, kind in SHAPE.items() if not isinstance(item.get(name), kind)]
    routes = [*item["routes"], *item["previous"]] if not problems else []
    problems += [f"route {route!r}" for route in routes if not _is_route(route)]
    if problems:
        raise RoutingDamaged(
            f"{', '.join(problems)[:500]}: not a routing; `fairway promote RELEASE` writes a whole one"
        )
    return cast(Routing, item)


def mended(item: Mapping[str, Any]) -> Routing:
    """Return the stored item, or in place of a damaged one a routing to nobody that the next version can follow."""
    try:
        return checked(item)
    except RoutingDamaged as error:
        version = item.get("version")
        return {**EMPTY, "version": version if isinstance(version, int) else 0, "reason": f"damaged: {error}"}


def _is_route(route: object) -> bool:
    texts = ("release", "endpoint", "role", "since")
    return (
        isinstance(route, dict)
        and all(isinstance(route.get(name), str) for name in texts)
        and isinstance(route.get("weight"), (int, float))
    )


def choose(routing: Routing, entity_id: str) -> Route | None:
    """Choose the route that answers this entity, the same one every time; None before the first release.

    An entity's place is the hash of its id, so a share of 10 % is 10 % of the entities, not of the requests, and
    raising a share moves only the entities that it gains.
    """
    answering = [route for route in routing["routes"] if route["weight"] > 0]
    if not answering:
        return None
    total = sum(route["weight"] for route in answering)
    place = _bucket(entity_id) / BUCKETS * total
    for route in answering:
        place -= route["weight"]
        if place < 0:
            return route
    return answering[-1]


def _bucket(entity_id: str) -> int:
    return int.from_bytes(hashlib.sha256(entity_id.encode()).digest()[:8]) % BUCKETS


def champion(routing: Routing) -> Route | None:
    """Return the route of the champion; None before the first release."""
    return next((route for route in routing["routes"] if route["role"] == Role.CHAMPION), None)


def promote(routing: Routing, *, release: str, endpoint: str, at: str, reason: str) -> Routing:
    """Let the release answer every entity, and remember the champion before it for a rollback. Raises RoutingError."""
    current = champion(routing)
    if current and current["release"] == release:
        raise RoutingError(f"release {release!r} is the champion already; nothing to do")
    route = _champion_route(release, endpoint, at)
    past = ([current] if current else []) + [old for old in routing["previous"] if old["release"] != release]
    return changed(routing, [route], past, at, reason)


def _champion_route(release: str, endpoint: str, since: str) -> Route:
    return {"release": release, "endpoint": endpoint, "role": Role.CHAMPION.value, "weight": 100, "since": since}


def rollback(routing: Routing, *, at: str, reason: str) -> Routing:
    """Let the champion before this one answer again. Raises RoutingError if there is none."""
    if not routing["previous"]:
        raise RoutingError(
            "there is no earlier champion to roll back to; `fairway releases` lists what can be promoted"
        )
    back, *older = routing["previous"]
    return changed(routing, [_champion_route(back["release"], back["endpoint"], at)], older, at, reason)


def changed(routing: Routing, routes: list[Route], previous: list[Route], at: str, reason: str) -> Routing:
    """Return the next version of the routing."""
    return {
        "version": routing["version"] + 1,
        "changed_at": at,
        "reason": reason,
        "routes": routes,
        "previous": previous[:KEPT],
    }


def endpoints_in_use(routing: Routing, *, keep_since: str) -> set[str]:
    """Return the endpoints that answer now, or that answered at or after `keep_since` and stay up for a rollback."""
    in_use = {route["endpoint"] for route in routing["routes"]}
    if routing["changed_at"] >= keep_since:
        in_use |= {route["endpoint"] for route in routing["previous"][:1]}
    return in_use
