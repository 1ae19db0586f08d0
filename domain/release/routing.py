"""The routing: one small item that assigns entities to releases, changed by pure functions.

`version` is the condition of each write: whoever read version 3 may write version 4, once.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, NotRequired, TypedDict, cast

from domain.release import claims as held
from domain.release.claims import Claim, ClaimRefused, Role
from domain.release.shadow import EVEN, Shadow, is_asked


class Champion(TypedDict):
    """The release that answers every entity that no claim holds, or an earlier one."""

    release: str
    endpoint: str
    since: str  # timestamp
    threshold: NotRequired[float]  # from which its decisions are yes, where that is not serving.threshold


class Routing(TypedDict):
    """Routing item of the routing table (domain/records.py: ROUTING)."""

    version: int
    champion: Champion | None  # None before the first release, and while the model is stopped
    claims: list[Claim]  # of canaries and experiments; an earlier one is served first
    shadow: NotRequired[Shadow | None]  # asked about rows that the champion has answered; it answers nobody
    previous: list[Champion]  # earlier champions, newest first
    changed_at: str  # timestamp; empty before the first release
    reason: str


class Answerer(NamedTuple):
    """A release that answers, and what its answers are evidence of.

    The champion is compared with the newest rollout, and has that rollout's id and share; None if it answers every
    entity.
    """

    release: str
    endpoint: str
    role: str  # a Role
    arm: str
    rollout: str | None
    share: float | None  # the rollout's, of the entities that it and the champion hold together: above 0 and below 1
    threshold: float | None = None  # its own; None where it decides by serving.threshold

    def decides_from(self, usual: float) -> float:
        """Return the probability from which its decisions are yes."""
        return usual if self.threshold is None else self.threshold


EMPTY: Routing = {
    "version": 0,
    "champion": None,
    "claims": [],
    "previous": [],
    "changed_at": "",
    "reason": "nothing released yet",
}
_TEXT, _NUMBER, _PERHAPS_TEXT = (str,), (int, float), (str, type(None))
_ROUTING = {
    "version": (int,),
    "champion": (dict, type(None)),
    "claims": (list,),
    "previous": (list,),
    "changed_at": _TEXT,
    "reason": _TEXT,
}
_CHAMPION = {"release": _TEXT, "endpoint": _TEXT, "since": _TEXT}
_CLAIM = {
    "rollout": _TEXT,
    "arm": _TEXT,
    "role": _TEXT,
    "release": _PERHAPS_TEXT,
    "endpoint": _PERHAPS_TEXT,
    "start": _NUMBER,
    "end": _NUMBER,
    "since": _TEXT,
}
_SHADOW = {"rollout": _TEXT, "release": _TEXT, "endpoint": _TEXT, "share": _NUMBER, "since": _TEXT}
KEPT = 10  # champions remembered
FRESH_S = 5.0  # age at which a function reads the routing again


class RoutingError(Exception):
    """Report that a change cannot be made; the message gives the reason and what can be done."""


class RoutingDamaged(Exception):
    """Report that the stored item is not a routing; the message says what is wrong and how to replace it."""


class RoutingChanged(Exception):
    """Report that the routing was written since it was read; try again."""


# ---- the stored item


def checked(item: Mapping[str, Any]) -> Routing:
    """Check the stored item before it is used. Raises RoutingDamaged."""
    problems = [f"{name} = {item.get(name)!r}" for name in _wrong(item, _ROUTING)]
    if not problems:
        champions = item["previous"] if item["champion"] is None else [item["champion"], *item["previous"]]
        problems += [f"champion {one!r}" for one in champions if _wrong(one, _CHAMPION) or _has_wrong_threshold(one)]
        problems += [f"claim {one!r}" for one in item["claims"] if _wrong(one, _CLAIM) or _has_wrong_threshold(one)]
        problems += [f"shadow {one!r}" for one in [item.get("shadow")] if one is not None and _wrong(one, _SHADOW)]
    if problems:
        raise RoutingDamaged(
            f"{', '.join(problems)[:500]}: not a routing; `fairway promote RELEASE` writes a whole one"
        )
    return cast(Routing, item)


def mended(item: Mapping[str, Any]) -> Routing:
    """Return the stored item or, if it is damaged, an empty routing that the next version can follow."""
    try:
        return checked(item)
    except RoutingDamaged as error:
        version = item.get("version")
        before = math.floor(version) if isinstance(version, (int, float)) else 0
        return {**EMPTY, "version": before, "reason": f"damaged: {error}"}


def _wrong(found: Any, shape: Mapping[str, tuple[type, ...]]) -> list[str]:
    """Return the names of `shape` that are missing or have another type."""
    if not isinstance(found, Mapping):
        return list(shape)
    return [name for name, kinds in shape.items() if name not in found or not isinstance(found[name], kinds)]


def _has_wrong_threshold(one: Mapping[str, Any]) -> bool:
    return not isinstance(one.get("threshold", 0.5), _NUMBER)


# ---- who answers


def choose(routing: Routing, entity_id: str) -> Answerer | None:
    """Choose the release that answers an entity, the same every time; None if there is none."""
    return choose_all(routing, [entity_id])[0]


def choose_all(routing: Routing, entity_ids: Iterable[str]) -> list[Answerer | None]:
    """Choose the release that answers each entity: a share of 10 % is 10 % of the entities, not of the requests."""
    if routing["champion"] is None:
        return [None for _ in entity_ids]
    champion_answers, *arms = answerers(routing)
    if not arms:
        return _beside_the_shadow(champion_answers, routing.get("shadow"), entity_ids)
    by_arm = {(one.rollout, one.arm): one for one in arms}
    holders = (held.holder(routing["claims"], entity_id) for entity_id in entity_ids)
    return [by_arm[claim["rollout"], claim["arm"]] if claim else champion_answers for claim in holders]


def _beside_the_shadow(champion: Answerer, shadow: Shadow | None, entity_ids: Iterable[str]) -> list[Answerer | None]:
    """Let the champion answer everybody; its answers to the shadow's entities are evidence for the shadow."""
    if shadow is None:
        return [champion for _ in entity_ids]
    compared = champion._replace(rollout=shadow["rollout"], share=EVEN)
    return [compared if is_asked(shadow, entity_id) else champion for entity_id in entity_ids]


def asked_beside(routing: Routing) -> list[Answerer]:
    """Return the shadow as one who answers after the champion has; none where there is none."""
    shadow = routing.get("shadow")
    if shadow is None:
        return []
    return [Answerer(shadow["release"], shadow["endpoint"], "shadow", "shadow", shadow["rollout"], EVEN)]


def answerers(routing: Routing) -> list[Answerer]:
    """Return every release that answers: the champion, then each arm in the order of its first claim."""
    champion = routing["champion"]
    if champion is None:
        return []
    arms = [_answerer(claim, routing) for claim in held.live(routing["claims"])]
    newest = arms[-1] if arms else None
    rollout, share = (newest.rollout, newest.share) if newest else (None, None)
    name, endpoint, threshold = champion["release"], champion["endpoint"], champion.get("threshold")
    return [
        Answerer(name, endpoint, Role.CHAMPION, Role.CHAMPION, rollout, share, threshold),
        *dict.fromkeys(arms),
    ]


def _answerer(claim: Claim, routing: Routing) -> Answerer:
    assert claim["release"] is not None and claim["endpoint"] is not None, "only claims that are live answer"
    rollout, arm = claim["rollout"], claim["arm"]
    share = held.share_beside_champion(routing["claims"], rollout, arm)
    return Answerer(claim["release"], claim["endpoint"], claim["role"], arm, rollout, share, claim.get("threshold"))


def percents(routing: Routing) -> dict[str, float]:
    """Return how many percent of the entities each release answers."""
    held_by = held.measures(routing["claims"])
    found: dict[str, float] = {}
    for one in answerers(routing):
        share = 1 - sum(held_by.values()) if one.role == Role.CHAMPION else held_by[one.rollout or "", one.arm]
        found[one.release] = found.get(one.release, 0.0) + 100 * share
    return {release: round(percent, 4) for release, percent in found.items()}


# ---- champion


def is_champion(routing: Routing, release: str | None, threshold: float | None = None) -> bool:
    """Return whether the release is champion with this threshold of its own; None: with none."""
    champion = routing["champion"]
    return champion is not None and (champion["release"], champion.get("threshold")) == (release, threshold)


def decides_from(routing: Routing, usual: float) -> float:
    """Return the probability from which the champion, or the fallback without one, decides yes."""
    champion = routing["champion"]
    return champion.get("threshold", usual) if champion else usual


def promote(
    routing: Routing, *, release: str, endpoint: str, at: str, reason: str, threshold: float | None = None
) -> Routing:
    """Let the release answer every entity, and remember the previous champion for a rollback.

    Without a `threshold` it decides by the one of its own that it was champion with last, if it had one. Every claim
    and shadow ends, since what it was compared with is gone.
    """
    current = routing["champion"]
    if threshold is None and (current is None or current["release"] != release):
        threshold = next((old.get("threshold") for old in routing["previous"] if old["release"] == release), None)
    if is_champion(routing, release, threshold):
        raise RoutingError(f"release {release!r} is the champion already; nothing to do")
    past = ([current] if current else []) + [old for old in routing["previous"] if old["release"] != release]
    champion: Champion = {"release": release, "endpoint": endpoint, "since": at}
    if threshold is not None:
        champion["threshold"] = threshold
    return _next(routing, at, reason, champion=champion, claims=[], shadow=None, previous=past[:KEPT])


def rollback(routing: Routing, *, at: str, reason: str) -> Routing:
    """Let the previous champion answer every entity again. Raises RoutingError if there is none."""
    if not routing["previous"]:
        raise RoutingError(
            "there is no earlier champion to roll back to; `fairway releases` lists what can be promoted"
        )
    back, *older = routing["previous"]
    return _next(routing, at, reason, champion={**back, "since": at}, claims=[], shadow=None, previous=older)


def stop(routing: Routing, *, at: str, reason: str) -> Routing:
    """Let the fallback answer everything; a rollback lets the champion answer again."""
    past = [routing["champion"]] if routing["champion"] else []
    past += routing["previous"]
    return _next(routing, at, reason, champion=None, claims=[], shadow=None, previous=past[:KEPT])


# ---- arms beside the champion


def claim(routing: Routing, wanted: Claim, *, reason: str) -> Routing:
    """Let an arm answer its whole interval, or the parts that no other claim holds.

    If it already answers a part, the arm grows. Raises RoutingError.
    """
    if routing["champion"] is None or is_champion(routing, wanted["release"], wanted.get("threshold")):
        why = "is the champion" if routing["champion"] else "has no champion beside it"
        raise RoutingError(f"release {wanted['release']!r} {why}, so it cannot answer a share; promote one first")
    try:
        claims = held.taken(routing["claims"], wanted)
    except ClaimRefused as refused:
        raise RoutingError(str(refused)) from refused
    return _next(routing, wanted["since"], reason, claims=claims)


def give_back(routing: Routing, rollout: str, *, at: str, reason: str, beyond: float = 0.0) -> Routing:
    """Let the champion answer the rollout's entities from the place `beyond` on, by default all of them.

    Raises RoutingError if the rollout holds none.
    """
    if not any(one["rollout"] == rollout and one["end"] > beyond for one in held.live(routing["claims"])):
        raise RoutingError(f"rollout {rollout!r} answers no entity; `fairway status` shows which releases answer")
    return _next(routing, at, reason, claims=held.given_back(routing["claims"], rollout, beyond=beyond))


def alone(routing: Routing, *, at: str, reason: str) -> Routing:
    """Let the champion answer everybody, beside no shadow."""
    return _next(routing, at, reason, claims=[], shadow=None)


def cast_shadow(routing: Routing, wanted: Shadow, *, reason: str) -> Routing:
    """Have a release asked about entities that the champion has answered. Raises RoutingError without a champion."""
    champion = routing["champion"]
    if champion is None or champion["release"] == wanted["release"]:
        why = "is the champion" if champion else "has no champion beside it"
        raise RoutingError(f"release {wanted['release']!r} {why}, so it cannot be a shadow; promote one first")
    return _next(routing, wanted["since"], reason, shadow=wanted)


def end_shadow(routing: Routing, *, at: str, reason: str) -> Routing:
    """Ask no release any more about rows that the champion has answered."""
    return _next(routing, at, reason, shadow=None)


def _next(routing: Routing, at: str, reason: str, **changes: Any) -> Routing:
    following = {**routing, "version": routing["version"] + 1, "changed_at": at, "reason": reason, **changes}
    if following.get("shadow") is None:
        following.pop("shadow", None)
    return cast(Routing, following)


# ---- endpoints to keep


def endpoints_in_use(routing: Routing, *, keep_since: str) -> set[str]:
    """Return the endpoints that answer now, or belonged to a champion at or after `keep_since` and are kept for a
    rollback.
    """
    in_use = {one.endpoint for one in (*answerers(routing), *asked_beside(routing))}
    since = routing["champion"]["since"] if routing["champion"] else routing["changed_at"]
    if since >= keep_since:
        in_use |= {one["endpoint"] for one in routing["previous"][:1]}
    return in_use
