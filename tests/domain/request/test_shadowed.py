"""What a row that a shadow was asked about adds to its evidence."""

import pytest

from domain.release.counts import Kind, Side
from domain.request.shadowed import guarded, seen_of_side

ROLLOUT = "r-2/1/shadow"
ANSWER = {
    "id": "p-1",
    "rollout": ROLLOUT,
    "entity_id": "flight 1",
    "role": "champion",
    "source": "model",
    "latency_ms": 9.0,
}
SAID = {"other_release": "r-2", "other_prediction": "true", "other_ms": 40.0}


def adds(answer=ANSWER, other=SAID, *, slow_ms=0.0) -> dict:
    total: dict = {}
    for each in guarded(answer, other, slow_ms=slow_ms, late_ms=1500.0):
        for name, number in each["adds"].items():
            total[name] = total.get(name, 0) + number
    return total


BOTH = {"canary_rows": 1, "champion_rows": 1, "canary_entities": 1, "champion_entities": 1}


def test_a_row_that_both_scored_is_a_pair_and_on_both_sides():
    assert adds() == {**BOTH, "paired": 1}


def test_a_row_that_the_shadow_was_not_asked_about_counts_on_no_side():
    assert adds(other=None) == {}


def test_a_fallback_of_the_champion_is_its_failure_and_no_pair():
    fallback = {**ANSWER, "source": "fallback", "cause": "MODEL_ERROR"}
    assert adds(fallback) == {**BOTH, "champion_error": 1, "champion_fallback": 1}
    assert "other" not in guarded(fallback, SAID, slow_ms=0.0, late_ms=1500.0)[0]["item"]


@pytest.mark.parametrize(
    ("other", "failed"),
    [
        ({"other_cause": "MODEL_ERROR"}, {"canary_error": 1, "canary_fallback": 1}),
        ({"other_cause": "LATE"}, {"canary_slow": 1, "canary_fallback": 1}),
        ({}, {}),  # a further row of a call that failed: its first row has the cause
    ],
)
def test_a_call_that_failed_is_one_fault_of_the_shadow(other, failed):
    assert adds(other={"other_release": "r-2", "other_reason": "...", **other}) == {**BOTH, **failed}


@pytest.mark.parametrize(
    ("took_ms", "slow_ms", "slow"),
    [(1400.0, 0.0, False), (1600.0, 0.0, True), (60.0, 50.0, True), (40.0, 50.0, False)],
)
def test_slow_is_what_a_customer_would_have_waited_for_in_vain(took_ms, slow_ms, slow):
    assert ("canary_slow" in adds(other={**SAID, "other_ms": took_ms}, slow_ms=slow_ms)) == slow


def test_each_side_has_guards_of_its_own():
    keys = {str(seen_of_side(ROLLOUT, kind, side, "flight 1")) for kind in Kind for side in Side}
    assert len(keys) == len(Kind) * len(Side)
