import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.train.confidence import (
    Cases,
    Doubt,
    between,
    merged,
    middle_interval,
    prior_set,
    probability_bin,
    quantile,
    rank,
    venn_abers,
)

TWENTY = [number / 20 for number in range(1, 21)]


def test_the_quantile_is_the_reference_vector_and_unlimited_for_too_few_rows():
    assert (rank(20, 0.9), quantile(TWENTY, 0.9)) == (19, 0.95)
    assert (rank(9, 0.9), quantile(TWENTY[:9], 0.9)) == (9, 0.45)
    assert quantile(TWENTY[:8], 0.9) is None
    assert quantile([], 0.5) is None


@pytest.mark.parametrize("coverage", [0.55, 0.7, 0.8, 0.9, 0.95, 0.99])
def test_a_coverage_counts_as_it_is_written_and_not_as_its_binary_fraction(coverage):
    hundredths = round(100 * coverage)
    assert [rank(rows, coverage) for rows in range(1000)] == [
        -(-(rows + 1) * hundredths // 100) for rows in range(1000)
    ]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.5, 0.999), st.floats(0.5, 0.999))
def test_more_coverage_never_has_a_smaller_distance(distances, one, other):
    low, high = (_or_infinite(quantile(sorted(distances), each)) for each in sorted((one, other)))
    assert low <= high


def _or_infinite(distance: float | None) -> float:
    return math.inf if distance is None else distance


@pytest.mark.parametrize(("rows", "low", "high"), [(100, 0.848, 0.945), (500, 0.877, 0.921), (1000, 0.884, 0.915)])
def test_the_true_coverage_spreads_as_its_beta_distribution_does(rows, low, high):
    """Of uniform distances the quantile is the true coverage; 90 of 100 tables have one in the range."""
    draw = random.Random(rows)
    found = [quantile(sorted(draw.random() for _ in range(rows)), 0.9) for _ in range(600)]
    assert sum(found) / 600 == pytest.approx(0.9, abs=0.004)
    assert 0.86 < sum(low <= each <= high for each in found) / 600 < 0.94


def test_the_middle_interval_leaves_equal_shares_outside():
    values = [float(number) for number in range(1, 100)]
    assert middle_interval(values, 0.9) == [5.0, 95.0]
    assert middle_interval(values[:18], 0.9) is None
    assert middle_interval(values[:19], 0.9) == [1.0, 19.0]


@pytest.mark.parametrize("rows", [39, 200])
def test_one_more_value_lies_in_the_middle_interval_as_often_as_was_agreed(rows):
    draw, inside = random.Random(rows), 0
    for _ in range(3000):
        low, high = middle_interval(sorted(draw.gauss(0, 1) for _ in range(rows)), 0.9)
        inside += low <= draw.gauss(0, 1) <= high
    assert inside / 3000 == pytest.approx(0.9, abs=0.02)


# ---- Venn-Abers

SCORES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
OUTCOMES = [0, 0, 1, 0, 1, 0, 1, 1, 1, 1]


def doubt_of(pairs: list[tuple[float, int]]) -> Doubt:
    scores = sorted({score for score, _ in pairs})
    cases = [_cases([outcome for score, outcome in pairs if score == each]) for each in scores]
    low, high = venn_abers(cases)
    return {"bottom": scores, "top": scores, "low": low, "high": high}


def _cases(outcomes: list[int]) -> Cases:
    return {"cases": len(outcomes), "happened": sum(outcomes)}


@pytest.mark.parametrize(
    ("score", "low", "high", "probability"),
    [(0.05, 0, 0.33333, 0.25), (0.35, 0.33333, 0.6, 0.47368), (0.55, 0.4, 0.66667, 0.52632), (0.99, 0.8, 1, 0.83333)],
)
def test_venn_abers_probabilities_are_the_reference_vectors(score, low, high, probability):
    found = between(doubt_of(list(zip(SCORES, OUTCOMES, strict=True))), score)
    assert (*found, merged(*found)) == pytest.approx((low, high, probability), rel=2e-5)


PAIRS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1)), min_size=1, max_size=30)


@given(PAIRS, st.integers(-1, 26))
def test_the_table_says_of_any_score_what_the_isotonic_fit_with_one_more_row_says(pairs, doubled):
    """Also of scores between two of the table, for which nothing was fitted."""
    score = doubled / 2
    assert between(doubt_of(pairs), score) == pytest.approx(
        tuple(_isotonic([*pairs, (score, outcome)], score) for outcome in (0, 1))
    )


def _isotonic(pairs: list[tuple[float, int]], score: float) -> float:
    """The isotonic fit at a score by its definition: of all beginnings the largest of the least means to any end."""
    scores = sorted({each for each, _ in pairs})
    return max(min(_mean(pairs, begin, end) for end in scores if end >= score) for begin in scores if begin <= score)


def _mean(pairs: list[tuple[float, int]], begin: float, end: float) -> float:
    inside = [outcome for score, outcome in pairs if begin <= score <= end]
    return sum(inside) / len(inside)


@given(PAIRS, st.floats(-1, 14), st.floats(-1, 14))
def test_probabilities_contain_each_other_and_rise_with_the_score(pairs, one, other):
    doubt = doubt_of(pairs)
    below, above = (between(doubt, score) for score in sorted((one, other)))
    for low, high in (below, above):
        assert 0 <= low <= merged(low, high) <= high <= 1
    assert below[0] <= above[0] and below[1] <= above[1]
    assert probability_bin(*below) <= probability_bin(*above) <= 9


def test_more_rows_leave_less_doubt():
    draw = random.Random(5)
    widths = []
    for rows in (50, 500, 5000):
        scores = [draw.randrange(20) / 20 for _ in range(rows)]
        low, high = between(doubt_of([(score, int(draw.random() < score)) for score in scores]), 0.5)
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True) and widths[-1] < 0.01


# ---- without a model


def test_the_set_of_the_prior_has_the_most_frequent_classes_that_reach_the_coverage():
    assert prior_set([("a", 30), ("b", 600), ("c", 370)], 0.9) == ["b", "c"]
    assert prior_set([(False, 95), (True, 4)], 0.9) == [False]
    assert prior_set([("a", 4), ("b", 4)], 0.9) is None, "of 8 rows no set is large enough"
    assert prior_set([(number, 1) for number in range(1000)], 0.9) is None
