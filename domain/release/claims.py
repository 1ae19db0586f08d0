"""Who holds which entities beside the champion: intervals of a salted hash, in the order in which they were taken.

A claim holds the entities whose place under its rollout's salt lies in its interval, unless an earlier claim of the
list holds them; an entity that no claim holds is the champion's. Places under two salts are independent, so no entity
is everybody's guinea pig, and two experiments mix their arms evenly.

Whatever is done to the list, an entity moves between the champion and the one claim that changed, and never between two
claims, which would spoil what both have measured. Two rules see to it: what is taken is taken at the end of the list,
so it is taken from the champion alone; and what is given back keeps its place in the list as the champion's own, until
nobody comes after it who would inherit its entities.
"""

import hashlib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import groupby, pairwise
from typing import NotRequired, TypedDict


class Role(StrEnum):
    """Role of a release that answers."""

    CHAMPION = "champion"
    CANARY = "canary"  # on its way to champion
    CHALLENGER = "challenger"  # an arm of an experiment


class Claim(TypedDict):
    """An interval of a rollout's places, from `start` to below `end`; an arm that grew has several.

    `release` and `endpoint` are None if the interval was given back: then it is the champion's.
    """

    rollout: str  # id of a rollout or an experiment, which is the salt of the places
    arm: str
    role: str  # a Role
    release: str | None
    endpoint: str | None
    start: float
    end: float
    since: str  # timestamp
    threshold: NotRequired[float]  # from which its decisions are yes, where that is not serving.threshold


class ClaimRefused(Exception):
    """Report that an interval cannot be taken; the message gives the reason."""


def place(rollout: str, entity_id: str) -> float:
    """Return the place of an entity under a rollout's salt: from 0 to below 1, always the same."""
    digest = hashlib.sha256(f"{rollout}\0{entity_id}".encode()).digest()
    # as many bits as a float has; with more, the last place would be 1.0
    return (int.from_bytes(digest[:8]) >> 11) / (1 << 53)


def holder(claims: Sequence[Claim], entity_id: str) -> Claim | None:
    """Return the claim that holds the entity; None if the champion does."""
    places: dict[str, float] = {}
    for claim in claims:
        rollout = claim["rollout"]
        if rollout not in places:
            places[rollout] = place(rollout, entity_id)
        if claim["start"] <= places[rollout] < claim["end"]:
            return claim if claim["release"] is not None else None
    return None


def live(claims: Iterable[Claim]) -> list[Claim]:
    """Leave out the intervals that were given back."""
    return [claim for claim in claims if claim["release"] is not None]


def taken(claims: Sequence[Claim], wanted: Claim) -> list[Claim]:
    """Return the claims after the interval of `wanted` was taken; what its arm already holds of it, it keeps.

    Raises ClaimRefused for an invalid interval, for one that another arm of the rollout holds a part of, and for one
    that would leave nothing to the champion for a comparison.
    """
    if not 0 <= wanted["start"] < wanted["end"] <= 1:
        raise ClaimRefused(f"{_interval(wanted)}: must rise within 0 to 1; give another share")
    ours = [claim for claim in claims if claim["rollout"] == wanted["rollout"]]
    for claim in live(ours):
        if claim["arm"] != wanted["arm"] and _overlap(claim, wanted):
            raise ClaimRefused(f"{_interval(wanted)}: arm {claim['arm']} has {_interval(claim)}; give a smaller share")
    cut = _cut(claims, wanted["rollout"], wanted["start"], wanted["end"])
    after = _tidy([*(_taken_again(claim, wanted) for claim in cut), *_uncovered(ours, wanted)])
    if sum(claim["end"] - claim["start"] for claim in live(after) if claim["rollout"] == wanted["rollout"]) >= 1:
        raise ClaimRefused(f"{_interval(wanted)}: must leave the champion a share; give a smaller one")
    return after


def given_back(claims: Sequence[Claim], rollout: str, *, beyond: float = 0.0) -> list[Claim]:
    """Return the claims after a rollout gave back its intervals from the place `beyond` on."""

    def leaves(claim: Claim) -> bool:
        return claim["rollout"] == rollout and claim["start"] >= beyond

    return _tidy([_of_the_champion(claim) if leaves(claim) else claim for claim in _cut(claims, rollout, beyond)])


def measures(claims: Sequence[Claim]) -> dict[tuple[str, str], float]:
    """Return the share of all entities that each (rollout, arm) holds; the rest is the champion's.

    Exact if the hash is random: places under different salts are independent, and the intervals of one salt do not
    overlap.
    """
    before: dict[str, float] = {}  # width already covered, by salt
    found: dict[tuple[str, str], float] = {}
    for claim in claims:
        rollout, width = claim["rollout"], claim["end"] - claim["start"]
        free = 1.0
        for salt, wide in before.items():
            free *= 1.0 if salt == rollout else 1 - wide
        if claim["release"] is not None:
            found[rollout, claim["arm"]] = found.get((rollout, claim["arm"]), 0.0) + width * free
        before[rollout] = before.get(rollout, 0.0) + width
    return found


def share_beside_champion(claims: Sequence[Claim], rollout: str, arm: str) -> float:
    """Return an arm's share of the entities that it and the champion hold together; its evidence is counted by this
    share.
    """
    held = measures(claims)
    ours = held[rollout, arm]
    # 6 digits, since it is part of the key of the item that counts are added to
    return round(ours / (ours + 1 - sum(held.values())), 6)


def _interval(claim: Claim) -> str:
    return f"share {claim['start']:g} to {claim['end']:g}"


def _overlap(one: Claim, other: Claim) -> bool:
    return one["start"] < other["end"] and other["start"] < one["end"]


def _cut(claims: Iterable[Claim], rollout: str, *places: float) -> list[Claim]:
    """Cut the intervals of a rollout at these places, given in rising order."""
    cut = []
    for claim in claims:
        within = [at for at in places if claim["rollout"] == rollout and claim["start"] < at < claim["end"]]
        cut += [_with_interval(claim, *ends) for ends in pairwise([claim["start"], *within, claim["end"]])]
    return cut


def _with_interval(claim: Claim, start: float, end: float) -> Claim:
    return {**claim, "start": start, "end": end}


def _taken_again(claim: Claim, wanted: Claim) -> Claim:
    """Give back to the arm the intervals within `wanted` that it had given up."""
    mine = claim["rollout"] == wanted["rollout"] and claim["release"] is None and _overlap(claim, wanted)
    return _with_interval(wanted, claim["start"], claim["end"]) if mine else claim


def _of_the_champion(claim: Claim) -> Claim:
    return {**claim, "release": None, "endpoint": None}


def _uncovered(ours: Iterable[Claim], wanted: Claim) -> list[Claim]:
    """Return the parts of the interval that no claim of the rollout covers."""
    parts, start = [], wanted["start"]
    for claim in sorted(ours, key=lambda claim: claim["start"]):
        if claim["end"] <= start or claim["start"] >= wanted["end"]:
            continue
        if claim["start"] > start:
            parts.append(_with_interval(wanted, start, claim["start"]))
        start = claim["end"]
    return [*parts, _with_interval(wanted, start, wanted["end"])] if start < wanted["end"] else parts


def _tidy(claims: list[Claim]) -> list[Claim]:
    """Drop intervals that were given back and precede no claim, and join neighbours of one arm."""
    kept = list(claims)
    while kept and kept[-1]["release"] is None:
        kept.pop()
    return [joined for _, run in groupby(kept, key=_owner) for joined in _joined(list(run))]


def _owner(claim: Claim) -> tuple[str, str, str | None]:
    return claim["rollout"], claim["arm"], claim["release"]


def _joined(run: list[Claim]) -> list[Claim]:
    """Join adjacent intervals of one arm that follow each other in the list."""
    joined: list[Claim] = []
    for claim in sorted(run, key=lambda claim: claim["start"]):
        if joined and joined[-1]["end"] == claim["start"]:
            joined[-1] = _with_interval(joined[-1], joined[-1]["start"], claim["end"])
        else:
            joined.append(claim)
    return joined
