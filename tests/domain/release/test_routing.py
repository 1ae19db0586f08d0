import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.records import from_item, routing_write
from domain.release.claims import Role
from domain.release.routing import (
    EMPTY,
    KEPT,
    Answerer,
    RoutingDamaged,
    RoutingError,
    alone,
    answerers,
    checked,
    choose,
    choose_all,
    claim,
    endpoints_in_use,
    give_back,
    mended,
    percents,
    promote,
    rollback,
    stop,
)

AT = "2013-04-01T00:00:00Z"
LATER = "2013-05-01T00:00:00Z"
ENTITIES = [f"flight {number}" for number in range(2_000)]


def champion(release: str, since=AT) -> dict:
    return {"release": release, "endpoint": f"e-{release}", "since": since}


def promoted(*releases: str) -> dict:
    routing = EMPTY
    for number, release in enumerate(releases):
        at = f"2013-04-{number + 1:02d}T00:00:00Z"
        routing = promote(routing, release=release, endpoint=f"e-{release}", at=at, reason=f"{release} is better")
    return routing


def wanted(release: str, end: float, *, start=0.0, rollout="", arm="canary", role=Role.CANARY) -> dict:
    return {
        "rollout": rollout or f"{release}/1",
        "arm": arm,
        "role": role,
        "release": release,
        "endpoint": f"e-{release}",
        "start": start,
        "end": end,
        "since": LATER,
    }


def canary(share: float) -> dict:
    return claim(promoted("r-1"), wanted("r-2", share), reason="r-2 begins")


# ---- who answers whom


def test_before_the_first_release_nobody_is_chosen():
    assert choose(EMPTY, "flight 1") is None
    assert choose_all(EMPTY, ["flight 1", "flight 2"]) == [None, None]


def test_without_a_canary_the_champion_answers_everybody_and_is_compared_with_nobody():
    assert choose(promoted("r-1"), "flight 1") == Answerer("r-1", "e-r-1", "champion", "champion", None, None)


def test_a_canary_answers_its_share_and_the_champion_carries_the_same_rollout():
    routing = canary(0.05)
    ours = Answerer("r-2", "e-r-2", "canary", "canary", "r-2/1", 0.05)
    theirs = Answerer("r-1", "e-r-1", "champion", "champion", "r-2/1", 0.05)
    answered = choose_all(routing, ENTITIES)
    assert set(answered) == {ours, theirs}
    assert answered.count(ours) / len(ENTITIES) == pytest.approx(0.05, abs=0.015)
    assert answerers(routing) == [theirs, ours]
    assert percents(routing) == {"r-1": 95.0, "r-2": 5.0}


def test_arms_of_one_experiment_share_a_salt_and_have_different_entities():
    routing = claim(canary(0.1), wanted("r-3", 0.3, rollout="x", arm="B", role=Role.CHALLENGER), reason="")
    routing = claim(routing, wanted("r-4", 0.6, start=0.3, rollout="x", arm="C", role=Role.CHALLENGER), reason="")
    assert percents(routing) == {"r-1": 36.0, "r-2": 10.0, "r-3": 27.0, "r-4": 27.0}
    assert [(one.arm, one.rollout) for one in answerers(routing)] == [
        ("champion", "x"),
        ("canary", "r-2/1"),
        ("B", "x"),
        ("C", "x"),
    ]


entities = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(entities, max_size=5), st.sampled_from([0.05, 0.25, 0.5]))
def test_an_entity_is_answered_by_the_same_release_alone_and_among_others(ids, share):
    assert choose_all(canary(share), ids) == [choose(canary(share), one) for one in ids]


# ---- who is champion


def test_the_first_champion_has_nobody_before_it():
    assert promoted("r-1") == {
        "version": 1,
        "changed_at": AT,
        "reason": "r-1 is better",
        "champion": champion("r-1"),
        "claims": [],
        "previous": [],
    }


def test_champions_before_are_remembered_the_newest_first():
    routing = promoted("r-1", "r-2", "r-3")
    assert [one["release"] for one in routing["previous"]] == ["r-2", "r-1"]
    assert (routing["version"], routing["champion"]["release"]) == (3, "r-3")


def test_one_that_returns_is_not_its_own_predecessor():
    assert [one["release"] for one in promoted("r-1", "r-2", "r-1")["previous"]] == ["r-2"]


def test_only_so_many_are_remembered():
    assert len(promoted(*(f"r-{number}" for number in range(30)))["previous"]) == KEPT


def test_the_champion_is_not_promoted_again():
    with pytest.raises(RoutingError) as refused:
        promote(promoted("r-1"), release="r-1", endpoint="e", at=AT, reason="")
    assert str(refused.value) == "release 'r-1' is the champion already; nothing to do"


def test_a_rollback_brings_the_one_before_back_and_forgets_the_one_that_failed():
    assert rollback(promoted("r-1", "r-2"), at=LATER, reason="r-2 was wrong") == {
        "version": 3,
        "changed_at": LATER,
        "reason": "r-2 was wrong",
        "champion": champion("r-1", since=LATER),
        "claims": [],
        "previous": [],
    }


def test_without_a_champion_before_there_is_no_rollback():
    for routing in (EMPTY, promoted("r-1")):
        with pytest.raises(RoutingError) as refused:
            rollback(routing, at=AT, reason="")
        assert str(refused.value).startswith("there is no earlier champion to roll back to")


@given(st.lists(st.sampled_from(["r-1", "r-2", "r-3", "back", "stop", "canary"]), max_size=30))
def test_whatever_is_done_one_champion_answers_or_nobody_and_versions_have_no_gap(steps):
    routing = EMPTY
    for step in steps:
        try:
            if step == "back":
                changed = rollback(routing, at=AT, reason="")
            elif step == "stop":
                changed = stop(routing, at=AT, reason="")
            elif step == "canary":
                changed = claim(routing, wanted("r-9", 0.1), reason="")
            else:
                changed = promote(routing, release=step, endpoint=step, at=AT, reason="")
        except RoutingError:
            continue
        assert changed["version"] == routing["version"] + 1
        routing = checked(from_item(routing_write(changed)["Item"]))
        names = [one.role for one in answerers(routing)]
        assert names == (["champion", *["canary"] * bool(routing["claims"])] if routing["champion"] else [])
        assert routing["champion"] not in routing["previous"]


# ---- claims in the routing


def test_a_canary_that_grows_and_is_given_back_leaves_the_champion_with_everybody():
    routing = claim(canary(0.05), wanted("r-2", 0.25), reason="forward")
    assert (routing["version"], routing["reason"], percents(routing)) == (3, "forward", {"r-1": 75.0, "r-2": 25.0})
    shrunk = give_back(routing, "r-2/1", at=LATER, reason="careful", beyond=0.05)
    assert percents(shrunk) == {"r-1": 95.0, "r-2": 5.0}
    back = give_back(shrunk, "r-2/1", at=LATER, reason="worse")
    assert back == {**promoted("r-1"), "version": 5, "changed_at": LATER, "reason": "worse"}


def test_a_new_champion_ends_every_claim():
    for change in (
        promote(canary(0.05), release="r-2", endpoint="e-r-2", at=LATER, reason=""),
        promote(canary(0.05), release="r-3", endpoint="e-r-3", at=LATER, reason=""),
        rollback({**canary(0.05), "previous": [champion("r-0")]}, at=LATER, reason=""),
        alone(canary(0.05), at=LATER, reason=""),
        stop(canary(0.05), at=LATER, reason=""),
    ):
        assert change["claims"] == []


@pytest.mark.parametrize(
    ("routing", "release", "share", "why"),
    [
        (EMPTY, "r-2", 0.1, "release 'r-2' has no champion beside it, so it cannot answer a share; promote one first"),
        (promoted("r-1"), "r-1", 0.1, "release 'r-1' is the champion, so it cannot answer a share; promote one first"),
        (promoted("r-1"), "r-2", 2.0, "share 0 to 2: must rise within 0 to 1; give another share"),
    ],
)
def test_a_claim_that_cannot_be_is_refused(routing, release, share, why):
    with pytest.raises(RoutingError) as refused:
        claim(routing, wanted(release, share), reason="")
    assert str(refused.value) == why


def test_a_rollout_that_answers_nobody_gives_nothing_back():
    for routing, beyond in ((promoted("r-1"), 0.0), (canary(0.05), 0.05)):
        with pytest.raises(
            RoutingError, match="rollout 'r-2/1' answers no entity; `fairway status` shows which releases answer"
        ):
            give_back(routing, "r-2/1", at=LATER, reason="", beyond=beyond)


# ---- the stored item


def test_what_is_written_is_read_again():
    own = promote(promoted("r-1"), release="r-1", endpoint="e-r-1", at=AT, reason="pays", threshold=0.4)
    for routing in (promoted("r-1", "r-2"), canary(0.05), stop(canary(0.05), at=AT, reason="spent"), own):
        item = from_item(routing_write(routing)["Item"])
        assert checked(item) == {**routing, "item": "routing"}


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ({"claims": "r-1"}, "claims = 'r-1'"),
        ({"champion": "r-1"}, "champion = 'r-1'"),
        ({"champion": {"release": "r-1"}}, "champion {'release': 'r-1'}"),
        ({"previous": [7]}, "champion 7"),
        ({"claims": [{**wanted("r-2", 0.1), "end": "all"}]}, "claim {'rollout': 'r-2/1'"),
        ({"claims": [{**wanted("r-2", 0.1), "threshold": "low"}]}, "claim {'rollout': 'r-2/1'"),
    ],
)
def test_a_damaged_routing_is_refused_and_mended_by_the_next_version(damage, named):
    item = {**canary(0.05), **damage}
    with pytest.raises(RoutingDamaged) as refused:
        checked(item)
    assert str(refused.value).startswith(named)
    assert str(refused.value).endswith("not a routing; `fairway promote RELEASE` writes a whole one")
    assert mended(item) == {**EMPTY, "version": 2, "reason": f"damaged: {refused.value}"}


def test_a_routing_without_a_champion_by_accident_is_damaged():
    item = {name: value for name, value in promoted("r-1").items() if name != "champion"}
    with pytest.raises(RoutingDamaged, match="champion = None: not a routing"):
        checked(item)


# ---- what must stay up


def test_the_champion_before_stays_up_for_a_while_and_a_canary_as_long_as_it_answers():
    routing = promoted("r-1", "r-2", "r-3")  # r-3 since 3 April
    assert endpoints_in_use(routing, keep_since="2013-04-03T00:00:00Z") == {"e-r-3", "e-r-2"}
    later = claim(routing, wanted("r-4", 0.05), reason="")  # in May, which is no reason to keep r-2 longer
    assert endpoints_in_use(later, keep_since="2013-04-03T00:00:01Z") == {"e-r-3", "e-r-4"}
    assert endpoints_in_use(stop(routing, at=LATER, reason=""), keep_since=LATER) == {"e-r-3"}
    assert endpoints_in_use(EMPTY, keep_since=AT) == set()


# ---- a threshold of its own


def test_a_release_may_be_champion_at_another_threshold_until_it_is_rolled_back_or_promoted_without():
    names = {"release": "r-1", "endpoint": "e-r-1", "at": LATER, "reason": "it pays more"}
    routing = promote(promoted("r-1"), **names, threshold=0.4)
    assert (routing["champion"], routing["previous"]) == (
        {**champion("r-1", LATER), "threshold": 0.4},
        [champion("r-1")],
    )
    assert choose(routing, "flight 1").decides_from(0.5) == 0.4
    assert rollback(routing, at=LATER, reason="back")["champion"] == champion("r-1", LATER)
    assert promote(routing, **names)["champion"] == champion("r-1", LATER)
    with pytest.raises(RoutingError, match="is the champion already"):
        promote(routing, **names, threshold=0.4)


def test_a_champion_that_returns_decides_as_it_did_last_and_another_by_the_usual_threshold():
    routing = promote(promoted("r-1"), release="r-1", endpoint="e-r-1", at=LATER, reason="", threshold=0.4)
    routing = promote(routing, release="r-2", endpoint="e-r-2", at=LATER, reason="")
    assert choose(routing, "flight 1").decides_from(0.5) == 0.5
    assert promote(routing, release="r-1", endpoint="e-r-1", at=LATER, reason="")["champion"]["threshold"] == 0.4


def test_the_champion_answers_a_share_at_another_threshold_and_at_no_other_of_its_own():
    other = {**wanted("r-1", 0.5, arm="challenger", role=Role.CHALLENGER), "threshold": 0.4}
    routing = claim(promoted("r-1"), other, reason="compared")
    assert {one.decides_from(0.5) for one in choose_all(routing, ENTITIES[:50])} == {0.4, 0.5}
    assert percents(routing) == {"r-1": 100.0}
    with pytest.raises(RoutingError, match="is the champion, so it cannot answer a share"):
        claim(promoted("r-1"), wanted("r-1", 0.5), reason="compared")
