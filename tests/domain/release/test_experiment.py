"""What a look at an experiment's counts leads to: a verdict in words, an end, or nothing yet; each with its reason."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.sections import Business
from domain.release.counts import Counts
from domain.release.evidence import loss_terms
from domain.release.experiment import Metric, arms, begun, decide, objection
from domain.release.harm import Limits
from domain.release.rollout import State, found, routed
from domain.release.routing import EMPTY, choose, claim, give_back, percents, promote
from domain.release.sequence import arm_of

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
LATER = START + timedelta(hours=2)
BUSINESS = Business(true_positive_usd=40.0, false_positive_usd=-12.0, true_negative_usd=0.0, false_negative_usd=-25.0)
HALVES = {"canary_entities": 5_000, "champion_entities": 5_000}


def trial(metric="correct", users=10_000, **values) -> dict:
    asked = {"share": 0.5, "metric": metric, "users": users, "days": 14.0, "by": "a person", "before": "waiting"}
    names = {"rollout": "experiment#r-2/1", "release": "r-2", "endpoint": "e-2", "champion": "r-1"}
    return {**begun(asked, **names, now=START), **values}


def after(counts: Counts, *, of=None, now=LATER) -> dict:
    return decide(of or trial(), [counts], now=now, limits=Limits(), business=BUSINESS)


def rates(champion: int, challenger: int, entities: int = 5_000) -> Counts:
    """So many entities of each arm got a right answer, all of them a no."""
    return Counts(
        0.5,
        **HALVES,
        champion_true_negative=champion,
        champion_false_negative=entities - champion,
        canary_true_negative=challenger,
        canary_false_negative=entities - challenger,
    )


# ---- what it can ask


@pytest.mark.parametrize(
    ("metric", "task", "business", "why"),
    [
        ("correct", "binary", Business(), ""),
        ("conversion", "binary", Business(), ""),
        ("value", "binary", BUSINESS, ""),
        ("error", "regression", Business(), ""),
        ("correct", "multiclass", Business(), ""),
        ("clicks", "binary", BUSINESS, "must be one of value, correct, conversion, error"),
        ("value", "binary", Business(), "needs the value of decisions; set them in [business]"),
        ("value", "multiclass", BUSINESS, "needs a yes or no; take correct"),
        (
            "correct",
            "regression",
            Business(),
            "needs decisions that are right or wrong, which a number is not; take error",
        ),
    ],
)
def test_a_metric_that_the_project_does_not_have_is_refused_by_name(metric, task, business, why):
    assert objection(metric, task, business) == why


def test_it_begins_at_its_share_and_stays_there():
    assert trial()["share"] == 0.5 and trial()["state"] == "challenger"
    assert trial()["decisions"] == [
        {"at": "2026-11-28T12:00:00Z", "state": "challenger", "share": 0.5, "why": "compared with r-1 by correct"}
    ]
    assert after(Counts(0.5, canary_rows=10**6))["share"] == 0.5


# ---- the arms


def test_each_metric_makes_its_own_values_of_the_counts():
    counts = Counts(
        0.5,
        canary_entities=100,
        canary_error=7,
        champion_entities=90,
        canary_true_positive=10,
        canary_false_positive=20,
        canary_true_negative=30,
        canary_false_negative=5,
        champion_true_positive=1,
        canary_right_class=3,
    )
    challenger = {metric: arms([counts], metric, BUSINESS)[1] for metric in Metric}
    assert challenger == {
        "value": arm_of({40.0: 10, -12.0: 20, 0.0: 30, -25.0: 5}),
        "correct": arm_of({1.0: 43, 0.0: 25}),
        "conversion": arm_of({1.0: 15, 0.0: 50}),
        "error": arm_of({1.0: 7, 0.0: 93}),
    }
    assert arms([counts], Metric.VALUE, BUSINESS)[0] == arm_of({40.0: 1})


# ---- what is found


def test_a_better_challenger_is_told_in_words_with_its_interval_and_stays_until_somebody_decides():
    looked = after(rates(4_000, 4_400))
    sentence = (
        "r-2 is right for 8.00 more of 100 entities than r-1 (6.46 to 9.54); odds against chance above 1e+15 to 1"
    )
    assert looked["experiment"]["verdict"] == {"at": "2026-11-28T14:00:00Z", "better": True, "sentence": sentence}
    assert (looked["state"], looked["share"], looked["why"]) == ("challenger", 0.5, sentence)
    again = decide(looked, [rates(4_000, 4_400)], now=LATER, limits=Limits(), business=BUSINESS)
    assert (again["why"], again["decisions"]) == (f"holds at 50 %: {sentence}", looked["decisions"])


def test_a_worse_challenger_gives_its_share_back():
    looked = after(rates(4_400, 4_000))
    assert (looked["state"], looked["share"]) == ("stopped", 0.0)
    assert looked["why"].startswith("r-2 is right for 8.00 fewer of 100 entities than r-1 (6.46 to 9.54); ")


def test_swapped_arms_are_told_apart():
    one, other = after(rates(4_000, 4_400)), after(rates(4_400, 4_000))
    assert (one["experiment"]["verdict"]["better"], other["experiment"]["verdict"]["better"]) == (True, False)


def test_fewer_failed_answers_are_better():
    counts = Counts(0.5, **HALVES, canary_error=500, champion_error=900)
    assert after(counts, of=trial("error"))["experiment"]["verdict"]["better"] is True
    assert "r-2 fails 8.00 fewer of 100 entities than r-1" in after(counts, of=trial("error"))["why"]


def test_value_is_told_in_dollars():
    counts = Counts(
        0.5,
        **HALVES,
        champion_true_positive=500,
        champion_true_negative=4_500,
        canary_true_positive=1_000,
        canary_true_negative=4_000,
    )
    assert "r-2 brings $4.00 more per entity than r-1 (3.40 to 4.60)" in after(counts, of=trial("value"))["why"]


def test_at_the_planned_number_without_a_difference_it_ends_and_says_so():
    looked = after(rates(4_000, 4_010))
    assert (looked["state"], looked["experiment"]["verdict"]["better"]) == ("stopped", None)
    assert looked["why"].startswith(
        "no difference shown among 10,000 entities: r-2 is right for 0.20 more of 100 entities than r-1 (-1.48 to 1.88)"
    )


def test_a_difference_that_only_the_planned_end_shows_is_found_there_and_not_before():
    counts = rates(4_000, 4_100)  # 2.56 standard errors
    assert after(counts, of=trial(users=10_001))["why"].startswith("holds at 50 %: 10,000 of 10,001 entities: r-2 is")
    assert after(counts)["experiment"]["verdict"]["better"] is True


def test_a_verdict_stays_whatever_is_counted_later():
    decided = after(rates(4_000, 4_400))
    again = decide(decided, [rates(4_400, 4_000)], now=LATER, limits=Limits(), business=BUSINESS)
    assert again["experiment"]["verdict"] == decided["experiment"]["verdict"]
    assert again["state"] == "challenger"


@pytest.mark.parametrize(
    "counts", [Counts(0.5), rates(40, 49, 100), Counts(0.5, canary_entities=90, champion_entities=80)]
)
def test_without_values_or_with_too_few_nothing_is_found(counts):
    looked = after(counts)
    assert (looked["state"], "verdict" in looked["experiment"]) == ("challenger", False)
    assert looked["why"].startswith("holds at 50 %: values other than the commonest one: ")


def test_traffic_that_stops_ends_at_the_longest_duration_without_a_verdict():
    counts = rates(60, 70, 130)
    assert after(counts, now=START + timedelta(days=13.9))["state"] == "challenger"
    looked = after(counts, now=START + timedelta(days=14))
    assert (looked["state"], "verdict" in looked["experiment"]) == ("stopped", False)
    assert looked["why"].startswith("14 days are over: 260 of 10,000 entities: r-2 is right for 7.69 more of 100 ")


# ---- its guardrails


def test_a_challenger_that_fails_goes_back_with_the_evidence_whatever_its_metric_says():
    counts = dataclasses.replace(rates(4_000, 4_400), canary_error=300, canary_fallback=300)
    looked = after(counts)
    assert (looked["state"], looked["share"]) == ("rolled back", 0.0)
    assert looked["why"].startswith("failed answers: entities that failed: 300 of 5,000 of the canary, 0 of 5,000")


def test_lost_value_on_rows_that_both_scored_ends_it():
    losses = tuple(200 * term for term in loss_terms(-10.0, 65.0))
    counts = Counts(0.5, **HALVES, paired=5_000, disagreements=400, losses=losses)
    limits = Limits(values=True)
    assert decide(trial(), [counts], now=LATER, limits=limits, business=BUSINESS)["state"] == "rolled back"


def test_a_split_that_is_not_the_declared_one_stops_it_and_is_not_the_releases_fault():
    looked = after(dataclasses.replace(rates(4_000, 4_400), canary_entities=4_000, champion_entities=6_000))
    assert (looked["state"], "verdict" in looked["experiment"]) == ("stopped", False)
    assert looked["why"].startswith("split: entities of the canary: 4,000 of 10,000 where 50 % were expected")


# ---- the routing

ALONE = promote(EMPTY, release="r-1", endpoint="e-1", at="2026-11-28T11:00:00Z", reason="the first")
AT = "2026-11-28T14:00:00Z"


def test_its_arms_answer_as_challenger_and_champion_until_it_ends():
    both = routed(trial(), ALONE, at=AT)
    assert (percents(both), both["reason"]) == (
        {"r-1": 50.0, "r-2": 50.0},
        "experiment of r-2: challenger at 50 %: compared with r-1 by correct",
    )
    answerers = {choose(both, f"flight {number}") for number in range(50)}
    assert {(one.role, one.rollout, one.share) for one in answerers} == {
        ("champion", "experiment#r-2/1", 0.5),
        ("challenger", "experiment#r-2/1", 0.5),
    }
    ended = after(rates(4_400, 4_000))
    back = routed(ended, both, at=AT)
    assert (percents(back), back["reason"]) == ({"r-1": 100.0}, f"experiment of r-2: {ended['why']}")


def test_a_share_that_was_changed_in_mid_experiment_ends_it_since_its_arms_cannot_be_compared():
    both = routed(trial(), ALONE, at=AT)
    running = trial(routed=True)
    assert found(running, both, now=LATER) == running
    for changed in (
        give_back(both, "experiment#r-2/1", at=AT, reason="by hand", beyond=0.2),
        claim(both, {**both["claims"][0], "end": 0.6}, reason="by hand"),
    ):
        ended = found(running, changed, now=LATER)
        assert (ended["state"], ended["share"]) == ("stopped", 0.0)
        assert ended["why"].startswith("its share was changed to ")
        assert percents(routed(ended, changed, at=AT)) == {"r-1": 100.0}


@given(st.sampled_from([state for state in State if state != State.CHALLENGER]))
def test_what_has_ended_or_not_begun_is_left_alone(state):
    assert after(rates(4_000, 4_400), of=trial(state=state)) == trial(state=state)


# ---- a threshold as challenger


def of_threshold(**values) -> dict:
    asked = {"share": 0.5, "metric": "correct", "users": 10_000, "days": 14.0, "by": "a person", "before": "champion"}
    names = {"rollout": "experiment#r-1/1", "release": "r-1", "endpoint": "e-1", "champion": "r-1"}
    return {**begun({**asked, "threshold": 0.4, "against": 0.5}, **names, now=START), **values}


def test_the_champion_is_compared_with_itself_at_another_threshold_and_both_are_named():
    both = routed(of_threshold(), ALONE, at=AT)
    answerers = {choose(both, f"flight {number}") for number in range(50)}
    assert {(one.release, one.role, one.decides_from(0.5)) for one in answerers} == {
        ("r-1", "champion", 0.5),
        ("r-1", "challenger", 0.4),
    }
    assert (
        both["reason"] == "experiment of r-1 at threshold 0.4: challenger at 50 %: compared with r-1 at 0.5 by correct"
    )
    looked = after(rates(4_000, 4_400), of=of_threshold())
    assert looked["experiment"]["verdict"]["sentence"].startswith(
        "r-1 at threshold 0.4 is right for 8.00 more of 100 entities than r-1 at 0.5 ("
    )


def test_an_experiment_of_a_threshold_follows_what_a_person_did_to_the_routing():
    both, running = routed(of_threshold(), ALONE, at=AT), of_threshold(routed=True)
    assert found(running, both, now=LATER) == running
    promoted = promote(both, release="r-1", endpoint="e-1", at=AT, reason="by hand", threshold=0.4)
    assert found(running, promoted, now=LATER)["state"] == "champion"
    assert found(running, ALONE, now=LATER)["state"] == "aborted"
    another = promote(both, release="r-2", endpoint="e-2", at=AT, reason="by hand")
    assert found(running, another, now=LATER)["state"] == "superseded"
