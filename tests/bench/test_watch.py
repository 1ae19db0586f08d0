"""The benchmark of the rules of watching tells how often and how soon each alarmed, and whether that holds."""

from functools import partial

import numpy as np
import pytest

from bench.watch.__main__ import Alarms, Rate, Result, Scenario, line, result, shifted, summary
from bench.watch.declining import days
from bench.watch.drifting import chances, feature
from domain.watch.bins import count

ALWAYS = Scenario("moved", "window", lambda random: Alarms(2, None), "PSI > 0.2", always_within=2)


def test_a_large_shift_is_found_in_the_first_window_by_both_rules():
    scenario = Scenario(
        "+1 sigma",
        "window",
        partial(shifted, rows=1_000, shift=1.0, reference_rows=2_000),
        "PSI > 0.2",
        always_within=2,
    )
    assert result(scenario, 2) == Result(scenario, Rate(1.0, 1, 1), Rate(1.0, 1, 1))


def test_the_same_seeds_give_the_same_days():
    first, second = (days(np.random.default_rng(3), many=50, error_rate=0.25) for _ in range(2))
    assert first == second and first.ours and first.theirs


def test_the_rows_of_a_window_fall_into_the_bins_as_values_would():
    random = np.random.default_rng(5)
    one = feature(random, 2_000)
    values = random.normal(0.25, size=100_000).tolist()
    shares = np.array(count(one.bins, values)) / 100_000
    assert chances(one.bins, 0.25) == pytest.approx(shares.tolist(), abs=0.006)
    assert (sum(one.reference), one.reference[-2:]) == (2_000, [0, 0])
    again = np.random.default_rng(5).normal(size=2_000).tolist()
    assert one.reference == count(one.bins, again)


@pytest.mark.parametrize(
    ("held", "ours", "told"),
    [
        ({"most_alarms": 0.05}, Rate(0.05, 3, 90), "holds"),
        ({"most_alarms": 0.05}, Rate(0.06, 3, 90), "BROKEN"),
        ({"always_within": 2}, Rate(1.0, 1, 2), "holds"),
        ({"always_within": 2}, Rate(1.0, 1, 3), "BROKEN"),
        ({"always_within": 2}, Rate(0.99, 1, 1), "BROKEN"),
        ({"median_within": 10}, Rate(0.9, 10, 40), "holds"),
        ({"median_within": 10}, Rate(0.4, 1, 1), "BROKEN"),  # soon, but most runs never
        ({"median_within": 10}, Rate(0.9, 11, 40), "BROKEN"),
        ({}, Rate(0.0, None, None), "-"),
    ],
)
def test_a_figure_beyond_its_limit_is_broken(held, ours, told):
    one = Result(Scenario("a scenario", "window", lambda random: Alarms(None, None), "PSI > 0.2", **held), ours, ours)
    assert line(one).split()[-1] == told


def test_the_last_line_has_every_figure_beside_its_limit():
    assert summary([result(ALWAYS, 4)]) == (
        "moved: 100.0% of runs, PSI > 0.2 0.0%, median 2, latest 2 (always within 2 windows)"
    )
