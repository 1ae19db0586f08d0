"""Declining quality by late outcomes, found by a detector that restarts."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from domain.watch import decline

AT_RELEASE = decline.begin(1_000, 5_000)


@pytest.mark.parametrize(("wrong", "outcomes"), [(0, 10), (1, 1000), (1_000, 5_000), (4_999, 5_000), (3, 4)])
def test_the_bound_of_the_error_rate_is_that_of_clopper_and_pearson(wrong, outcomes):
    expected = stats.beta.ppf(0.975, wrong + 1, outcomes - wrong)
    assert decline.error_bound(wrong, outcomes) == pytest.approx(expected, rel=1e-9)


def test_where_nothing_is_known_of_the_release_nothing_is_a_decline():
    assert decline.begin(0, 0).bound == decline.begin(7, 7).bound == 1.0
    state = decline.after(decline.begin(0, 0), 100, 100)
    assert not decline.is_alarm(state) and state.evidence == -math.inf


def test_a_window_is_one_ratio_of_likelihoods_for_each_alternative():
    bound = AT_RELEASE.bound
    state = decline.after(AT_RELEASE, 60, 200)
    for ratio, found in zip(decline.RATIOS, state.sums, strict=True):
        odds = ratio * bound / (1 - bound)
        expected = stats.binom.logpmf(60, 200, odds / (1 + odds)) - stats.binom.logpmf(60, 200, bound)
        assert found == pytest.approx(expected, rel=1e-9)  # the first window has nothing before it
    again = decline.after(state, 60, 200)
    assert again.sums == pytest.approx([math.log1p(math.exp(one)) + one for one in state.sums])


def test_the_evidence_of_a_window_has_the_mean_one_at_the_bound():
    bound = AT_RELEASE.bound
    values = [math.exp(decline.after(AT_RELEASE, wrong, 40).evidence) for wrong in range(41)]
    assert np.dot(values, stats.binom.pmf(range(41), 40, bound)) == pytest.approx(1.0)


@given(st.integers(0, 50))
def test_no_outcomes_leave_the_evidence_as_it_is(wrong):
    state = decline.after(AT_RELEASE, wrong, 50)
    assert decline.after(state, 0, 0) == state


def test_an_alarm_is_due_at_the_budget_and_the_detector_restarts():
    state, day = AT_RELEASE, 0
    while not decline.is_alarm(state):
        state, day = decline.after(state, 60, 200), day + 1
    assert day == 3 and state.evidence >= math.log(100 / 0.05)
    assert decline.restarted(state) == AT_RELEASE
    assert not decline.is_alarm(state, windows=10**9)


def test_good_days_before_do_not_hide_a_decline():
    old = AT_RELEASE
    for _ in range(365):
        old = decline.after(old, 36, 200)
    assert abs(days_until_alarm(old) - days_until_alarm(AT_RELEASE)) <= 1


def days_until_alarm(state: decline.Decline) -> int:
    """Days of 26 % wrong answers until the alarm."""
    for day in range(100):
        if decline.is_alarm(state):
            return day
        state = decline.after(state, 52, 200)
    pytest.fail("no alarm in 100 days")


def test_a_tolerance_lets_a_release_become_a_little_worse():
    lenient = decline.begin(1_000, 5_000, tolerance=0.05)
    assert lenient.bound == pytest.approx(AT_RELEASE.bound + 0.05)
    assert decline.after(lenient, 60, 200).evidence < decline.after(AT_RELEASE, 60, 200).evidence


@pytest.mark.parametrize(("wrong", "outcomes"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(wrong, outcomes):
    with pytest.raises(ValueError, match=rf"wrong = {wrong}: must be from 0 to the 5 outcomes"):
        decline.after(AT_RELEASE, wrong, outcomes)
    with pytest.raises(ValueError, match=rf"wrong = {wrong}"):
        decline.error_bound(wrong, outcomes)


def test_the_state_is_a_handful_of_numbers():
    state = decline.after(AT_RELEASE, 60, 200)
    assert replace(state, sums=tuple(map(float, map(repr, state.sums)))) == state


@given(st.integers(1, 20), st.integers(2, 20))
def test_a_decline_is_dated_to_the_window_it_began_in(good, bad):
    windows = [(20, 100)] * good + [(40, 100)] * bad
    assert decline.began(decline.error_bound(1000, 5000), windows) == good
