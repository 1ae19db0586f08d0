"""The published values of the confidence sequence, and what makes it one: looking often makes it wrong no oftener."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.release.sequence import LEAST, WHILE, Arm, arm_of, compare, critical, log_e_value, scale, standard_error

A_TENTH, MORE = arm_of({1.0: 500, 0.0: 4_500}), arm_of({1.0: 600, 0.0: 4_400})


def test_the_sequence_reaches_as_far_as_published():
    assert scale(0.05, 10_000) == pytest.approx(7.936155e-4, rel=1e-6)
    reached = [critical(entities, 0.05, 10_000) for entities in (1_000, 5_000, 10_000, 50_000)]
    assert reached == pytest.approx([3.8551, 3.0836, 3.0352, 3.1530], rel=1e-4)


def test_ten_against_twelve_in_a_hundred_weigh_as_published():
    error = standard_error(A_TENTH, MORE)
    z = (MORE.mean - A_TENTH.mean) / error
    reach = critical(10_000, 0.05, 10_000) * error
    assert (error, z) == (pytest.approx(0.006255, rel=1e-4), pytest.approx(3.1976, rel=1e-4))
    assert (0.02 - reach, 0.02 + reach) == (pytest.approx(0.00102, abs=1e-5), pytest.approx(0.03898, abs=1e-5))
    assert math.exp(log_e_value(10_000, z, 0.05, 10_000)) == pytest.approx(31.3530, rel=1e-3)


def test_before_the_planned_number_the_interval_is_the_sequences_and_then_the_z_tests():
    running, final = (compare(A_TENTH, MORE, planned=planned) for planned in (20_000, 10_000))
    assert (running.is_final, final.is_final) == (False, True)
    error = standard_error(A_TENTH, MORE)
    assert running.high - running.value == pytest.approx(critical(10_000, WHILE, 20_000) * error)
    assert final.high - final.value == pytest.approx(2.108358 * error, rel=1e-6)
    assert (running.excludes_zero, final.excludes_zero) == (False, True)


@pytest.mark.parametrize("few", [0, LEAST - 1])
def test_with_too_few_values_beside_the_commonest_of_either_arm_nothing_is_compared(few):
    skewed = arm_of({500.0: few, 0.0: 5_000})
    assert compare(skewed, MORE, planned=100) is None
    assert compare(MORE, skewed, planned=100) is None
    assert compare(Arm(), Arm(), planned=100) is None


def test_a_small_arm_that_looks_steady_has_the_variance_of_both():
    steady, wild = arm_of({0.0: 950, 1.0: 50}), arm_of({0.0: 18_000, 100.0: 1_000})
    together = (steady.spread + wild.spread) / 19_998 * (1 / 1_000 + 1 / 19_000)
    assert standard_error(steady, wild) == pytest.approx(math.sqrt(together))
    assert standard_error(steady, wild) == standard_error(wild, steady)


def test_swapped_arms_find_the_opposite():
    one, other = compare(A_TENTH, MORE, planned=20_000), compare(MORE, A_TENTH, planned=20_000)
    assert (other.low, other.value, other.high, other.log_e) == (-one.high, -one.value, -one.low, one.log_e)


VALUES = st.dictionaries(st.integers(-500, 500).map(float), st.integers(0, 2_000), min_size=1, max_size=4)


@given(VALUES)
def test_an_arm_is_the_sums_of_its_values(counts):
    values = [value for value, count in counts.items() for _ in range(count)]
    arm = arm_of(counts)
    assert (arm.entities, arm.total, arm.squares) == (len(values), sum(values), sum(value**2 for value in values))
    assert arm.uncommon == len(values) - max(counts.values())


@given(VALUES, VALUES, st.integers(100, 10**6))
def test_whatever_was_counted_the_value_lies_in_its_interval(one, other, planned):
    found = compare(arm_of(one), arm_of(other), planned=planned)
    if found:
        assert found.low <= found.value <= found.high and math.isfinite(found.log_e)


def test_looking_a_hundred_times_finds_a_difference_that_is_not_there_in_few_of_many_runs():
    """A small sample of what bench/release.py measures; at 5 % false, 14 of 120 have a chance of one in 500."""
    wrong = 0
    for seed in range(120):
        draw = random.Random(seed)
        counts = [[0, 0], [0, 0]]
        for _ in range(100):
            for arm in counts:
                hits = sum(draw.random() < 0.2 for _ in range(50))
                arm[0], arm[1] = arm[0] + hits, arm[1] + 50 - hits
            found = compare(*(arm_of({1.0: hits, 0.0: rest}) for hits, rest in counts), planned=10_000)
            if found and found.excludes_zero:
                wrong += 1
                break
    assert wrong <= 13
