"""What a look at a rollout's counts leads to: further, back, or nowhere, each with its reason."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.sections import of_stage
from domain.release.counts import NUMBERS, Counts
from domain.release.evidence import loss_terms
from domain.release.harm import Limits, weigh
from domain.release.rollout import (
    COMPARED,
    Plan,
    State,
    begun,
    decide,
    found,
    moved,
    plan_of,
    routed,
    wait_s,
)
from domain.release.routing import EMPTY, alone, percents, promote

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
LATER = START + timedelta(hours=2)
PLAN = Plan(shares=(0.05, 0.25, 0.5), minutes=60.0, rows=1000, look_s=60, limits=Limits())
ENOUGH = Counts(0.05, canary_rows=1000, champion_rows=19_000, canary_entities=500, champion_entities=9_500)


def canary(share=0.05) -> dict:
    rollout = begun(rollout="r-2/1", release="r-2", endpoint="e-2", champion="r-1", now=START, plan=PLAN)
    return rollout if share == 0.05 else moved(rollout, State.CANARY, share, now=START, why="forward")


def after(counts: list[Counts], *, rollout=None, now=LATER, plan=PLAN) -> tuple[str, float, str]:
    looked = decide(rollout or canary(), counts, now=now, plan=plan)
    return looked["state"], looked["share"], looked["why"]


# ---- the plan


def test_the_plan_is_read_from_the_settings():
    document = {
        "project": {"name": "flights", "contract": "c.toml", "task": "binary"},
        "release": {"canary": [5, 25], "canary_minutes": 10, "canary_rows": 50, "look_seconds": 5},
    }
    plan = Plan(shares=(0.05, 0.25), minutes=10.0, rows=50, look_s=5, limits=Limits())
    assert plan_of(of_stage(document, "local")) == dataclasses.replace(plan, shadow_minutes=60.0, shadow_rows=1000)
    shadow = {**document["release"], "shadow": 20, "shadow_minutes": 5, "shadow_rows": 30}
    planned = plan_of(of_stage({**document, "release": shadow}, "local"))
    assert (planned.shadow, planned.shadow_minutes, planned.shadow_rows, planned.compares) == (0.2, 5, 30, True)
    assert not plan_of(of_stage({**document, "release": {}}, "local")).compares
    worth = {**document, "business": {"false_negative_usd": -25.0}}
    assert plan_of(of_stage(worth, "local")).limits.values
    assert not plan_of(of_stage({**worth, "project": {**document["project"], "task": "regression"}}, "x")).limits.values


def test_a_rollout_begins_at_the_first_share_with_that_on_record():
    assert canary() == {
        "rollout": "r-2/1",
        "release": "r-2",
        "endpoint": "e-2",
        "champion": "r-1",
        "state": "canary",
        "share": 0.05,
        "began_at": "2026-11-28T12:00:00Z",
        "step_since": "2026-11-28T12:00:00Z",
        "looked_at": "2026-11-28T12:00:00Z",
        "paused": "",
        "why": "begins beside r-1",
        "routed": False,
        "decisions": [
            {"at": "2026-11-28T12:00:00Z", "state": "canary", "share": 0.05, "why": "begins beside r-1"},
        ],
        "looks": [],
    }


# ---- forward


def test_enough_answers_and_enough_time_without_harm_lead_to_the_next_share():
    assert after([ENOUGH]) == (
        "canary",
        0.25,
        "1,000 answers of 1,000 in 120 min of 60 min, and no evidence of harm",
    )


def test_short_times_are_told_in_seconds_and_none_where_none_is_asked_for():
    short, none = dataclasses.replace(PLAN, minutes=0.3), dataclasses.replace(PLAN, minutes=0.0)
    soon = START + timedelta(seconds=36)
    assert after([ENOUGH], now=soon, plan=short)[2] == "1,000 answers of 1,000 in 36 s of 18 s, and no evidence of harm"
    assert after([ENOUGH], now=soon, plan=none)[2] == "1,000 answers of 1,000, and no evidence of harm"


def test_after_the_last_share_it_is_champion():
    half = Counts(0.5, canary_rows=1000, champion_rows=1000, canary_entities=500, champion_entities=500)
    assert after([half], rollout=canary(0.5))[:2] == ("champion", 0.5)


def test_proven_safety_leads_further_before_the_time_is_over():
    slow = dataclasses.replace(ENOUGH, canary_rows=900, canary_slow=25, champion_slow=2_000)
    state, share, why = after([slow], now=START)
    assert (state, share) == ("canary", 0.25)
    assert why == "failures are below 2 times the champion's; e-value 1.1e+13 of 20" or why.startswith("failures are")


# ---- no data is not bad data


@pytest.mark.parametrize("minutes", [0, 59, 10_000_000])
def test_without_an_answer_of_the_canary_it_holds_however_long(minutes):
    quiet = Counts(0.05, champion_rows=10**6, champion_error=5)
    for counts in ([], [quiet]):
        assert after(counts, now=START + timedelta(minutes=minutes)) == (
            "canary",
            0.05,
            "holds at 5 %: the canary has answered nobody yet",
        )


def test_traffic_that_stops_holds_the_share_for_want_of_answers():
    few = dataclasses.replace(ENOUGH, canary_rows=700)
    why = "holds at 5 %: 700 answers of 1,000 in 10,000 min of 60 min"
    assert after([few], now=START + timedelta(minutes=10_000)) == ("canary", 0.05, why)


def test_answers_at_an_earlier_share_do_not_count_for_this_one():
    assert after([ENOUGH], rollout=canary(0.25))[2] == "holds at 25 %: the canary has answered nobody yet"


# ---- back


def test_a_canary_that_fails_goes_back_with_the_rule_the_counts_and_the_evidence():
    failing = dataclasses.replace(ENOUGH, canary_error=25, canary_fallback=25, champion_error=40, champion_fallback=40)
    counts = "entities that failed: 25 of 500 of the canary, 40 of 9,500 of the champion"
    assert after([failing]) == ("rolled back", 0.0, f"failed answers: {counts}; e-value 1,246,536,623,161 of 100")


def test_arms_that_are_swapped_do_not_go_back():
    swapped = dataclasses.replace(
        ENOUGH, canary_error=1, canary_fallback=1, champion_error=4_000, champion_fallback=4_000
    )
    assert after([swapped])[0] == "canary"


def test_a_common_outage_is_nobodys_fault():
    outage = {"canary_error": 100, "canary_fallback": 100, "champion_error": 1_900, "champion_fallback": 1_900}
    assert after([dataclasses.replace(ENOUGH, **outage)])[:2] == ("canary", 0.25)


def test_a_candidate_without_errors_since_it_answers_from_the_fallback_goes_back():
    empty = dataclasses.replace(ENOUGH, canary_fallback=100, champion_error=50, champion_fallback=50)
    assert after([empty])[0] == "rolled back"
    assert "entities that got the fallback: 100 of 500 of the canary" in after([empty])[2]


def test_failures_of_an_earlier_share_still_count_after_it_was_raised():
    failing = dataclasses.replace(ENOUGH, canary_error=25, canary_fallback=25, champion_error=40, champion_fallback=40)
    raised = Counts(0.25, canary_rows=10, canary_entities=10, champion_entities=30)
    assert after([failing, raised], rollout=canary(0.25))[0] == "rolled back"


def test_a_slow_canary_goes_back():
    slow = dataclasses.replace(ENOUGH, canary_slow=100, champion_slow=475)
    assert after([slow])[2].startswith("slow answers: entities that waited too long: 100 of 500 of the canary")


def test_decisions_that_are_right_less_often_go_back():
    wrong = dataclasses.replace(ENOUGH, paired=5_000, disagreements=400, canary_right=150)
    state, _, why = after([wrong])
    counts = "rows with an outcome that the two decided differently: 400; the canary was right on 150"
    assert (state, why.split("; e-value")[0]) == ("rolled back", f"decisions: {counts}")


def test_where_decisions_have_a_value_it_decides_and_not_how_often_they_are_right():
    """Right less often, and worth more: a missed positive costs more than a false alarm."""
    plan = dataclasses.replace(PLAN, limits=Limits(values=True))
    gains = tuple(20 * term for term in loss_terms(10.0, 65.0))
    better = dataclasses.replace(ENOUGH, paired=5_000, disagreements=400, canary_right=150, losses=gains)
    assert after([better], plan=plan)[:2] == ("canary", 0.25)
    costs = tuple(200 * term for term in loss_terms(-10.0, 65.0))
    assert after([dataclasses.replace(better, losses=costs)], plan=plan)[2].startswith(
        "value: rows that both decided: 5,000"
    )


def test_a_canary_that_gets_fewer_entities_than_its_share_goes_back_since_nothing_can_be_believed():
    lost = dataclasses.replace(ENOUGH, canary_entities=200, champion_entities=9_800)
    state, _, why = after([lost])
    assert (state, why.split("; e-value")[0]) == (
        "rolled back",
        "split: entities of the canary: 200 of 10,000 where 5 % were expected",
    )


def test_suspicion_holds_the_share_and_a_pause_too_but_neither_stops_it_from_going_back():
    suspicious = dataclasses.replace(ENOUGH, canary_error=5, canary_fallback=5, champion_error=10, champion_fallback=10)
    counts = "entities that failed: 5 of 500 of the canary, 10 of 9,500 of the champion"
    assert after([suspicious]) == ("canary", 0.05, f"holds at 5 %: failed answers: {counts}; e-value 63 of 100")
    paused = {**canary(), "paused": "paused by hand"}
    assert after([ENOUGH], rollout=paused) == ("canary", 0.05, "holds at 5 %: paused by hand")
    failing = dataclasses.replace(ENOUGH, canary_error=60, canary_fallback=60)
    assert after([failing], rollout=paused)[0] == "rolled back"


# ---- whatever was counted

AMOUNTS = st.integers(0, 10**6)


@st.composite
def counted(draw) -> list[Counts]:
    steps = []
    for share in draw(st.lists(st.sampled_from(PLAN.shares), unique=True)):
        numbers = {name: draw(AMOUNTS) for name in NUMBERS}
        steps.append(Counts(share, **{**numbers, "canary_right": draw(st.integers(0, numbers["disagreements"]))}))
    return sorted(steps, key=lambda step: step.share)


@given(counted(), st.sampled_from(PLAN.shares), st.integers(0, 10**7), st.booleans())
def test_whatever_was_counted_a_look_moves_by_one_share_at_most_and_never_against_the_evidence(
    counts, share, minutes, values
):
    plan = dataclasses.replace(PLAN, limits=Limits(values=values))
    looked = decide(canary(share), counts, now=START + timedelta(minutes=minutes), plan=plan)
    following = {0.05: 0.25, 0.25: 0.5, 0.5: 0.5}[share]
    harm = any(one.is_harm for one in weigh(counts, plan.limits))
    suspicion = any(one.holds for one in weigh(counts, plan.limits))
    answered = any(step.share == share and (step.canary_rows or step.canary_entities) for step in counts)
    assert (looked["state"] == "rolled back") == harm
    if not harm and (suspicion or not answered):
        assert (looked["state"], looked["share"]) == ("canary", share)
    if looked["state"] != "rolled back":
        assert looked["share"] in (share, following)
    assert looked["why"] and len(looked["why"]) < 300
    assert decide(looked, counts, now=LATER, plan=plan) == looked if harm else True


@given(st.sampled_from([state for state in State if state not in COMPARED]), counted())
def test_what_has_ended_or_not_begun_is_left_alone(state, counts):
    rollout = {**canary(), "state": state}
    assert decide(rollout, counts, now=LATER, plan=PLAN) == rollout


def test_each_look_is_remembered_with_its_evidence():
    looked = decide(canary(), [dataclasses.replace(ENOUGH, canary_rows=10)], now=LATER, plan=PLAN)
    weighed = weigh([ENOUGH], PLAN.limits)
    assert looked["looks"] == [
        {
            "at": "2026-11-28T14:00:00Z",
            "entities": 10_000,
            "evidence": {one.rule: round(one.log_e, 4) for one in weighed},
        }
    ]


# ---- how often


@pytest.mark.parametrize(("age", "seconds"), [(0, 60), (3, 60), (10, 180), (24 * 365, 157_680)])
def test_a_step_that_lasts_is_looked_at_200_times_in_its_age(age, seconds):
    assert wait_s(canary(), now=START + timedelta(hours=age), plan=PLAN) == seconds


# ---- the routing follows

ALONE = promote(EMPTY, release="r-1", endpoint="e-1", at="2026-11-28T11:00:00Z", reason="the first")
AT = "2026-11-28T14:00:00Z"


def test_the_routing_is_made_what_was_decided_and_then_there_is_nothing_to_do():
    at_five = routed(canary(), ALONE, at=AT)
    assert percents(at_five) == {"r-1": 95.0, "r-2": 5.0}
    assert at_five["reason"] == "rollout of r-2: canary at 5 %: begins beside r-1"
    assert routed(canary(), at_five, at=AT) is None
    at_half = routed(canary(0.5), at_five, at=AT)
    assert percents(at_half) == {"r-1": 50.0, "r-2": 50.0}
    back = moved(canary(0.5), State.ROLLED_BACK, 0.0, now=LATER, why="failed answers: 9 of 9")
    assert routed(back, at_half, at=AT) == {
        **ALONE,
        "version": 4,
        "changed_at": AT,
        "reason": "rollout of r-2: failed answers: 9 of 9",
    }
    assert routed(back, ALONE, at=AT) is None


def test_somebody_who_changed_who_answers_has_ended_the_rollout():
    begun_well = {**canary(), "routed": True}
    at_five = routed(canary(), ALONE, at=AT)
    assert found(begun_well, at_five, now=LATER) == begun_well
    assert found(canary(), ALONE, now=LATER) == canary()  # which is still to be routed
    for change, state in (
        (alone(at_five, at=AT, reason="spent"), "aborted"),
        (promote(at_five, release="r-2", endpoint="e-2", at=AT, reason="by hand"), "champion"),
        (promote(at_five, release="r-3", endpoint="e-3", at=AT, reason="by hand"), "superseded"),
    ):
        ended = found(begun_well, change, now=LATER)
        assert (ended["state"], ended["why"]) == (state, change["reason"])
