"""Whoever changes the routing, an entity moves between the champion and the one that changed."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.release.claims import (
    ClaimRefused,
    Role,
    given_back,
    holder,
    live,
    measures,
    place,
    share_beside_champion,
    taken,
)

AT = "2013-04-01T00:00:00Z"
MANY = 100_000
ENTITIES = [f"flight {number}" for number in range(400)]


def claim(rollout: str, end: float, *, start=0.0, arm="canary") -> dict:
    return {
        "rollout": rollout,
        "arm": arm,
        "role": Role.CANARY,
        "release": f"r-{rollout}",
        "endpoint": f"e-{rollout}",
        "start": start,
        "end": end,
        "since": AT,
    }


def owners(claims: list) -> list[str | None]:
    """Who answers each of ENTITIES; None is the champion."""
    found = [holder(claims, entity) for entity in ENTITIES]
    return [one["rollout"] if one else None for one in found]


def counted(claims: list, entities=MANY) -> dict[str | None, int]:
    held = [holder(claims, f"flight {number}") for number in range(entities)]
    names = [one["rollout"] if one else None for one in held]
    return {name: names.count(name) for name in set(names)}


# ---- places


def test_places_are_spread_evenly_over_a_hundred_buckets():
    buckets = [0] * 100
    for number in range(MANY):
        buckets[int(place("r-1/20130401", f"flight {number}") * 100)] += 1
    chi2 = sum((count - MANY / 100) ** 2 / (MANY / 100) for count in buckets)
    assert chi2 < 148.2  # of 99 degrees of freedom, exceeded by chance in 1 of 1,000


def test_a_place_is_the_same_on_every_machine():
    assert place("r-1", "N1") == 0.24746724896635008  # the first 8 bytes of sha256, as a share of 2^64


@given(st.text(), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_place_is_at_least_0_and_below_1(rollout, entity):
    assert 0 <= place(rollout.encode("ascii", "ignore").decode(), entity) < 1


def test_two_canaries_of_a_tenth_have_a_hundredth_in_common():
    both = sum(place("one", f"flight {number}") < 0.1 > place("two", f"flight {number}") for number in range(MANY))
    assert both / MANY / 0.1 == pytest.approx(0.10, abs=0.01)


# ---- what is taken and given back


def test_a_share_grows_from_5_over_10_to_25_percent_and_never_moves_an_entity_back():
    before = set()
    for share in (0.05, 0.10, 0.25):
        claims = taken(taken([], claim("a", share)), claim("a", share))
        after = {entity for entity, owner in zip(ENTITIES, owners(claims), strict=True) if owner}
        assert before <= after
        before = after
    assert claims == [claim("a", 0.25)]


def test_a_share_that_grows_takes_nothing_from_a_later_claim():
    claims = taken(taken(taken([], claim("a", 0.05)), claim("b", 0.10)), claim("a", 0.10))
    assert claims == [claim("a", 0.05), claim("b", 0.10), claim("a", 0.10, start=0.05)]


def test_what_is_given_back_is_the_champions_until_nobody_comes_after_it():
    claims = given_back(taken(taken([], claim("a", 0.10)), claim("b", 0.10)), "a", beyond=0.04)
    nobody = {"release": None, "endpoint": None}
    assert claims == [claim("a", 0.04), {**claim("a", 0.10, start=0.04), **nobody}, claim("b", 0.10)]
    assert given_back(claims, "b") == [claim("a", 0.04)]


def test_what_was_given_back_can_be_taken_again_in_part():
    claims = given_back(taken(taken([], claim("a", 0.25)), claim("b", 0.10)), "a", beyond=0.10)
    again = taken(claims, claim("a", 0.20))
    nobody = {"release": None, "endpoint": None}
    assert again == [claim("a", 0.20), {**claim("a", 0.25, start=0.20), **nobody}, claim("b", 0.10)]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (claim("a", 0.0), "share 0 to 0: must rise within 0 to 1; give another share"),
        (claim("a", 1.5), "share 0 to 1.5: must rise within 0 to 1; give another share"),
        (claim("a", 1.0), "share 0 to 1: must leave the champion a share; give a smaller one"),
        (claim("b", 0.3, arm="other"), "share 0 to 0.3: arm canary has share 0 to 0.2; give a smaller share"),
    ],
)
def test_an_interval_that_cannot_be_is_refused_by_name(wanted, why):
    with pytest.raises(ClaimRefused) as refused:
        taken([claim("b", 0.2)], wanted)
    assert str(refused.value) == why


# ---- any history of changes

SHARES = st.sampled_from([0.05, 0.1, 0.25, 0.3, 0.5, 0.75])
CHANGES = st.lists(st.tuples(st.sampled_from("abcd"), st.one_of(st.just(0.0), SHARES)), max_size=14)


def changed(claims: list, rollout: str, share: float) -> list:
    """A rollout that gets just this share."""
    claims = given_back(claims, rollout, beyond=share)
    return taken(claims, claim(rollout, share)) if share else claims


@given(CHANGES)
def test_an_entity_moves_between_the_champion_and_the_claim_that_changed(changes):
    claims, shares = [], {}
    for rollout, share in changes:
        before, claims = owners(claims), changed(claims, rollout, share)
        moves = {(old, new) for old, new in zip(before, owners(claims), strict=True) if old != new}
        grown = share > shares.get(rollout, 0.0)
        assert moves <= ({(None, rollout)} if grown else {(rollout, None)})
        shares[rollout] = share


@given(CHANGES)
def test_a_claim_holds_no_entity_beyond_its_share_and_the_oldest_holds_all_of_it(changes):
    claims, shares = [], {}
    for rollout, share in changes:
        claims, shares[rollout] = changed(claims, rollout, share), share
        for entity, owner in zip(ENTITIES, owners(claims), strict=True):
            assert owner is None or place(owner, entity) < shares[owner]
    if claims:
        first = claims[0]
        held = [entity for entity in ENTITIES if first["start"] <= place(first["rollout"], entity) < first["end"]]
        assert {holder(claims, entity) is None for entity in held} <= {first["release"] is None}


@given(CHANGES)
def test_intervals_of_a_rollout_never_overlap_and_nothing_is_kept_in_vain(changes):
    claims = []
    for rollout, share in changes:
        claims = changed(claims, rollout, share)
        for name in "abcd":
            ends = sorted((one["start"], one["end"]) for one in claims if one["rollout"] == name)
            assert all(one[1] <= other[0] for one, other in pairwise(ends))
        assert not claims or claims[-1]["release"] is not None
    for name in "abcd":
        claims = given_back(claims, name)
    assert claims == []


def test_measured_shares_are_those_that_are_counted():
    claims = taken(taken(taken([], claim("a", 0.05)), claim("b", 0.10)), claim("a", 0.25))
    claims = given_back(taken(claims, claim("c", 0.2)), "b", beyond=0.06)
    counts, expected = counted(claims), measures(claims)
    for (rollout, _), share in expected.items():
        assert counts[rollout] / MANY == pytest.approx(share, abs=0.004)
    assert share_beside_champion(claims, "c", "canary") == pytest.approx(
        counts["c"] / (counts["c"] + counts[None]), abs=0.005
    )


@given(SHARES)
def test_alone_a_share_is_what_was_asked_for(share):
    assert share_beside_champion([claim("a", share)], "a", "canary") == share


def test_the_newest_rollouts_share_is_its_own_whoever_came_before():
    claims = taken(taken([], claim("a", 0.5)), claim("b", 0.05))
    assert share_beside_champion(claims, "b", "canary") == 0.05
    assert live(claims) == claims
