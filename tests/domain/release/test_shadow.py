"""A shadow: which rows it is asked about, and how a rollout goes through it."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.records import from_item, routing_write
from domain.release.counts import NUMBERS, Counts
from domain.release.harm import Limits, weigh
from domain.release.rollout import Plan, State, begun, decide, evidence_of, found, moved, routed
from domain.release.routing import (
    EMPTY,
    Answerer,
    RoutingDamaged,
    RoutingError,
    alone,
    answerers,
    asked_beside,
    cast_shadow,
    checked,
    choose_all,
    endpoints_in_use,
    percents,
    promote,
    rollback,
    stop,
)
from domain.release.shadow import EVEN, is_asked

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
LATER, AT = START + timedelta(hours=2), "2026-11-28T14:00:00Z"
PLAN = Plan(
    shares=(0.05, 0.5),
    minutes=60.0,
    rows=1000,
    look_s=60,
    limits=Limits(),
    shadow=0.2,
    shadow_minutes=30,
    shadow_rows=500,
)
ENOUGH = Counts(EVEN, canary_rows=500, champion_rows=500, canary_entities=300, champion_entities=300, paired=500)
ALONE = promote(EMPTY, release="r-1", endpoint="e-1", at="2026-11-28T11:00:00Z", reason="the first")
ENTITIES = [f"flight {number}" for number in range(5_000)]


def shadow(plan=PLAN) -> dict:
    return begun(rollout="r-2/1", release="r-2", endpoint="e-2", champion="r-1", now=START, plan=plan)


def after(counts: list[Counts], *, now=LATER, plan=PLAN, rollout=None) -> tuple[str, float, str]:
    looked = decide(rollout or shadow(), counts, now=now, plan=plan)
    return looked["state"], looked["share"], looked["why"]


SHADOWED = routed(shadow(), ALONE, at=AT)


# ---- who is asked


def test_the_champion_answers_everybody_and_its_answers_to_a_sample_are_evidence_for_the_shadow():
    plain = Answerer("r-1", "e-1", "champion", "champion", None, None)
    compared = Answerer("r-1", "e-1", "champion", "champion", "r-2/1/shadow", EVEN)
    answered = choose_all(SHADOWED, ENTITIES)
    assert set(answered) == {plain, compared}
    assert answered.count(compared) / len(ENTITIES) == pytest.approx(0.2, abs=0.02)
    assert (answerers(SHADOWED), percents(SHADOWED)) == ([plain], {"r-1": 100.0})
    assert asked_beside(SHADOWED) == [Answerer("r-2", "e-2", "shadow", "shadow", "r-2/1/shadow", EVEN)]
    assert asked_beside(ALONE) == []


def test_its_sample_is_not_the_canarys_so_that_no_entity_is_everybodys_guinea_pig():
    canary = routed(moved(shadow(), State.CANARY, 0.5, now=LATER, why="forward"), SHADOWED, at=AT)
    both = [
        is_asked(SHADOWED["shadow"], entity) and one.release == "r-2"
        for entity, one in zip(ENTITIES, choose_all(canary, ENTITIES), strict=True)
    ]
    assert sum(both) / len(ENTITIES) == pytest.approx(0.2 * 0.5, abs=0.02)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_sample_keeps_the_entities_of_a_smaller_one(entity, one, other):
    small, large = ({**SHADOWED["shadow"], "share": share} for share in sorted((one, other)))
    assert is_asked(large, entity) or not is_asked(small, entity)


# ---- the rollout


def test_a_rollout_begins_as_a_shadow_where_the_plan_has_one():
    first = shadow()
    assert (first["state"], first["share"], first["why"]) == ("shadow", 0.2, "begins beside r-1")
    assert (evidence_of(first), PLAN.compares) == ("r-2/1/shadow", True)


def test_enough_rows_and_time_without_harm_lead_to_the_first_share_of_the_canary():
    assert after([ENOUGH]) == ("canary", 0.05, "500 answers of 500 in 120 min of 30 min, and no evidence of harm")
    canary = decide(shadow(), [ENOUGH], now=LATER, plan=PLAN)
    assert evidence_of(canary) == "r-2/1"


def test_a_plan_without_canary_leads_from_the_shadow_to_champion():
    assert after([ENOUGH], plan=dataclasses.replace(PLAN, shares=()))[0] == "champion"


@pytest.mark.parametrize("minutes", [0, 10_000_000])
def test_without_a_row_it_stays_a_shadow_however_long(minutes):
    held = ("shadow", 0.2, "holds as a shadow at 20 %: the shadow was asked nothing yet")
    assert after([], now=START + timedelta(minutes=minutes)) == held


def test_a_pause_holds_it():
    assert (
        after([ENOUGH], rollout={**shadow(), "paused": "paused by hand"})[2]
        == "holds as a shadow at 20 %: paused by hand"
    )


FAILURES = {"canary_error": 30, "canary_fallback": 30}


def test_a_shadow_that_fails_where_the_champion_does_not_goes_back_before_it_has_answered_anybody():
    state, share, why = after([dataclasses.replace(ENOUGH, **FAILURES)])
    assert (state, share) == ("rolled back", 0.0)
    assert why.startswith("failed answers: entities that failed: 30 of 300 of the canary, 0 of 300 of the champion")
    back = decide(shadow(), [dataclasses.replace(ENOUGH, **FAILURES)], now=LATER, plan=PLAN)
    assert evidence_of(back) == "r-2/1/shadow"  # whoever looks later sees what ended it


def test_an_outage_of_both_ends_nothing():
    outage = {**FAILURES, "champion_error": 30, "champion_fallback": 30}
    assert after([dataclasses.replace(ENOUGH, **outage)])[0] == "canary"


def test_a_slow_shadow_and_one_that_is_right_less_often_go_back():
    assert after([dataclasses.replace(ENOUGH, canary_slow=40, champion_slow=4)])[2].startswith("slow answers: ")
    assert after([dataclasses.replace(ENOUGH, disagreements=200, canary_right=60)])[2].startswith("decisions: ")


AMOUNTS = st.integers(0, 10**5)


@given(st.fixed_dictionaries(dict.fromkeys(NUMBERS, AMOUNTS)), st.integers(0, 10**6))
def test_whatever_was_counted_it_goes_to_the_first_share_at_most_and_never_against_the_evidence(numbers, minutes):
    counts = [Counts(EVEN, **{**numbers, "canary_right": min(numbers["canary_right"], numbers["disagreements"])})]
    state, share, why = after(counts, now=START + timedelta(minutes=minutes))
    weighed = weigh(counts, PLAN.limits)
    assert (state == "rolled back") == any(one.is_harm for one in weighed)
    assert (state, share) in (("rolled back", 0.0), ("shadow", 0.2), ("canary", 0.05))
    if state == "canary":
        assert not any(one.holds for one in weighed) and counts[0].canary_rows + counts[0].canary_entities
    assert why


# ---- the routing


def test_the_routing_is_made_what_was_decided_and_then_there_is_nothing_to_do():
    assert SHADOWED["reason"] == "rollout of r-2: shadow at 20 %: begins beside r-1"
    assert routed(shadow(), SHADOWED, at=AT) is None
    canary = moved(shadow(), State.CANARY, 0.05, now=LATER, why="forward")
    answering = routed(canary, SHADOWED, at=AT)
    assert (percents(answering), asked_beside(answering)) == ({"r-1": 95.0, "r-2": 5.0}, [])
    back = moved(shadow(), State.ROLLED_BACK, 0.0, now=LATER, why="failed answers: 9 of 9")
    assert routed(back, SHADOWED, at=AT) == {
        **ALONE,
        "version": 3,
        "changed_at": AT,
        "reason": "rollout of r-2: failed answers: 9 of 9",
    }
    assert routed(back, ALONE, at=AT) is None


def test_a_new_champion_a_stop_and_a_spent_budget_end_the_shadow_and_the_rollout_finds_it_ended():
    running = {**shadow(), "routed": True}
    assert found(running, SHADOWED, now=LATER) == running
    for change, state in (
        (alone(SHADOWED, at=AT, reason="spent"), "aborted"),
        (promote(SHADOWED, release="r-2", endpoint="e-2", at=AT, reason="by hand"), "champion"),
        (promote(SHADOWED, release="r-3", endpoint="e-3", at=AT, reason="by hand"), "superseded"),
        (stop(SHADOWED, at=AT, reason="spent"), "superseded"),
        (rollback({**SHADOWED, "previous": [SHADOWED["champion"]]}, at=AT, reason="by hand"), "aborted"),
    ):
        assert "shadow" not in change
        assert found(running, change, now=LATER)["state"] == state


def test_its_endpoint_stays_up():
    assert endpoints_in_use(SHADOWED, keep_since="2030") == {"e-1", "e-2"}


def test_what_is_written_is_read_again_and_what_is_damaged_is_refused():
    item = from_item(routing_write(SHADOWED)["Item"])
    assert checked(item) == {**SHADOWED, "item": "routing"}
    with pytest.raises(RoutingDamaged, match="shadow {'release': 'r-2'}: not a routing"):
        checked({**item, "shadow": {"release": "r-2"}})


@pytest.mark.parametrize(("routing", "why"), [(EMPTY, "has no champion beside it"), (ALONE, "is the champion")])
def test_a_shadow_needs_another_champion(routing, why):
    with pytest.raises(RoutingError, match=why):
        cast_shadow(routing, {**SHADOWED["shadow"], "release": "r-1"}, reason="")
