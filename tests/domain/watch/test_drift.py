"""Drift with its sampling error, a tolerance, and one budget of false alarms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.watch import drift
from domain.watch.drift import Counts

COUNTS = Counts([500] * 10, [70, 90, 100, 100, 110, 110, 100, 105, 105, 110])
BENJAMINI_HOCHBERG = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216]
SIDE = st.lists(st.integers(0, 300), min_size=4, max_size=4)


def test_a_window_is_compared_by_vectors_computed_elsewhere():
    assert drift.psi(COUNTS) == pytest.approx(0.015101, rel=1e-4)
    assert drift.distance(COUNTS) == pytest.approx(11.6144, rel=1e-5)
    found = [drift.p_value(COUNTS, tolerance=tolerance) for tolerance in (0.0, 0.005, 0.01)]
    assert found == pytest.approx([0.235928, 0.551497, 0.776852], rel=1e-5)


def test_the_features_that_moved_are_those_of_benjamini_and_hochberg():
    p_values = {str(number): p for number, p in enumerate(BENJAMINI_HOCHBERG)}
    assert drift.drifted(p_values, 0.05) == ["0", "1"]
    assert drift.drifted({"a": 0.04, "b": 0.03}, 0.05) == ["b", "a"]  # neither alone would do at half the level
    assert drift.drifted({}, 0.05) == []


def test_the_level_of_a_window_is_its_part_of_the_budget():
    assert drift.level() == 0.0005 and drift.level(false_alarms=0.1, windows=10) == 0.01


@pytest.mark.parametrize(
    ("counts", "bins"),
    [
        (Counts([900, 100, 0], [90, 8, 2]), Counts([100, 900], [10, 90])),  # unseen, with two rows, joins the smaller
        (Counts([500, 500], [500, 500]), Counts([500, 500], [500, 500])),
        (Counts([500, 500], [1, 2]), Counts([1000], [3])),  # three rows tell nothing
        (Counts([500, 500], [0, 0]), Counts([1000], [0])),
        (Counts([0, 0], [0, 0]), Counts([], [])),
    ],
)
def test_thin_bins_are_pooled(counts, bins):
    assert drift.pooled(counts) == bins


@given(SIDE, SIDE)
def test_pooling_loses_no_row_and_leaves_no_thin_bin(reference, window):
    bins = drift.pooled(Counts(reference, window))
    assert (sum(bins.reference), sum(bins.window)) == (sum(reference), sum(window))
    share = sum(window) / max(sum(reference) + sum(window), 1)
    assert len(bins.window) < 2 or min(a + b for a, b in zip(*bins, strict=True)) * share >= drift.FEWEST


@given(SIDE, SIDE, st.sampled_from([0, 4]))
def test_a_p_value_is_one_and_grows_with_the_tolerance(reference, window, ordered):
    strict, lenient = (
        drift.p_value(Counts(reference, window), ordered=ordered, tolerance=tolerance) for tolerance in (0.0, 0.01)
    )
    assert 0 <= strict <= lenient + 1e-12 <= 1 + 1e-12


@pytest.mark.parametrize("window", [[0, 0, 0], [1, 1, 0]])
def test_no_rows_and_too_few_are_no_evidence(window):
    assert drift.p_value(Counts([50, 50, 50], window)) == drift.latest([50, 50, 50], [window], ordered=3) == 1.0


def test_two_windows_together_find_what_neither_is_sure_of():
    reference, window = [500] * 10, [75, 85, 90, 95, 100, 100, 105, 110, 115, 125]
    alone = drift.latest(reference, [window], ordered=10)
    assert drift.latest(reference, [window, window], ordered=10) < alone / 2
    assert drift.latest(reference, [[1, *[0] * 9], window], ordered=10) <= 2 * alone * 1.1


def test_of_ordered_bins_the_shift_of_the_mean_rank_is_found_too():
    leaning = Counts([500] * 10, [80, 84, 88, 93, 98, 102, 107, 112, 116, 120])
    assert drift.p_value(leaning, ordered=10, tolerance=0.0) < drift.p_value(leaning, tolerance=0.0) / 10
    assert drift.rank_shift(Counts([10, 0, 10], [0, 20, 0])) == 0.0  # both are centred
    assert drift.rank_shift(Counts([0, 0], [0, 0])) == 0.0


def test_of_equal_distributions_p_is_small_no_more_often_than_it_says():
    random = np.random.default_rng(7)
    draws = [random.multinomial(rows, [0.1] * 10).tolist() for rows in (5_000, 500) for _ in range(600)]
    found = [
        drift.p_value(Counts(*pair), ordered=10, tolerance=0.0) for pair in zip(draws[:600], draws[600:], strict=True)
    ]
    assert sum(p <= 0.05 for p in found) <= 600 * 0.05 + 3 * math.sqrt(600 * 0.05 * 0.95)


def test_a_finding_names_the_bin_whose_share_changed_most():
    labels = ["UA", "AA", "unseen", "missing"]
    assert drift.move(labels, Counts([60, 40, 0, 0], [30, 38, 2, 30])) == ("UA", 0.6, 0.3)
    assert drift.move(labels, Counts([60, 40, 0, 0], [50, 30, 0, 20])) == ("missing", 0.0, 0.2)


# ---- evidence over windows


def test_p_values_become_e_values_by_vectors_computed_elsewhere():
    found = [drift.e_value(p) for p in (1e-6, 1e-4, 0.001, 0.01, 0.05, 0.3, 0.9)]
    assert found == pytest.approx([5239.136, 117.7620, 20.79113, 4.45099, 1.78332, 0.77911, 0.51803], rel=1e-5)
    assert (drift.e_value(0), drift.e_value(1)) == (math.inf, 0.5)
    assert drift.e_value(1 - 1e-5) == pytest.approx(drift.e_value(1 - 2e-4), rel=1e-3)
    with pytest.raises(ValueError, match=r"p = 1\.5: must be from 0 to 1"):
        drift.e_value(1.5)


def test_the_mean_of_an_e_value_is_one_where_p_is_uniform():
    """By u = -ln p, whose density is e^-u: most of the mean lies in p that no sample would draw."""
    u = np.linspace(0.0, 700, 2_000_001)[1:]
    values = np.array([drift.e_value(p) * p for p in np.exp(-u[:20_000])])
    rest = 1 / u[20_000:] ** 2  # of e(p) p, up to e^-u
    assert np.trapezoid(values, u[:20_000]) + np.trapezoid(rest, u[20_000:]) == pytest.approx(1 - 1 / 700, abs=0.001)


def test_evidence_adds_up_over_windows_by_vectors_computed_elsewhere():
    evidence, found = 0.0, []
    for p in (0.5, 0.01, 0.2, 0.001, 0.0001):
        evidence = drift.accumulated(evidence, [p])
        found.append(evidence)
    assert found == pytest.approx([0.6387, 7.2937, 7.6542, 179.9311, 21306.80], rel=1e-4)
    assert drift.alarm_at() == 2000 and found[3] < drift.alarm_at() < found[4]


def test_a_window_without_data_adds_no_evidence_and_features_are_averaged():
    assert drift.accumulated(7.0, []) == 7.0
    assert drift.accumulated(0.0, [0.01, 0.9]) == pytest.approx((4.45099 + 0.51803) / 2, rel=1e-5)
