"""The published values of each rule, and what makes an e-value one: its mean is 1 where nothing is wrong."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.release.evidence import (
    STAKES,
    Failures,
    harm_by_decisions,
    harm_by_failures,
    harm_by_value,
    imbalance,
    loss_terms,
    safety_by_failures,
    together,
)


def sums_of(*differences: float, largest: float = 65) -> list[float]:
    """The sums of `harm_by_value` over rows of these differences."""
    return [sum(terms) for terms in zip(*(loss_terms(one, largest) for one in differences), strict=True)]


def binomial(n: int, k: int, chance: float) -> float:
    return math.comb(n, k) * chance**k * (1 - chance) ** (n - k)


# ---- known values


@pytest.mark.parametrize(
    ("canary", "champion", "share", "at_one", "tolerant"),
    [
        (0, 0, 0.05, 1, 1),
        (1, 0, 0.05, 4.56918, 3.84573),
        (2, 0, 0.05, 30.5542, 21.6447),
        (3, 10, 0.05, 5.92265, 3.90077),
        (5, 10, 0.05, 134.023, 62.5309),
        (5, 100, 0.05, 0.128294, 0.14657),
        (10, 10, 0.5, 0.171985, 0.186866),
        (20, 5, 0.5, 50.7707, 14.3485),
    ],
)
def test_failures_weigh_what_they_should(canary, champion, share, at_one, tolerant):
    steps = [Failures(share, canary, champion)]
    assert math.exp(harm_by_failures(steps, tolerated=1)) == pytest.approx(at_one, rel=1e-5)
    assert math.exp(harm_by_failures(steps)) == pytest.approx(tolerant, rel=1e-5)


@pytest.mark.parametrize(
    ("right", "disagreements", "value"),
    [
        (0, 0, 1),
        (0, 5, 10.5),
        (0, 7, 31.875),
        (0, 8, 56.7778),
        (5, 20, 6.35552),
        (10, 20, 0.27026),
        (30, 100, 854.59),
        (35, 100, 22.8924),
    ],
)
def test_decisions_weigh_what_they_should(right, disagreements, value):
    assert math.exp(harm_by_decisions(disagreements, right)) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("differences", "value"),
    [
        ([-65], 1.261667),
        ([-65] * 5, 5.125519),
        ([-12] * 20, 4.277448),
        ([65, -65, -65, -65], 1.255471),
        ([12, -12] * 10, 0.955155),
    ],
)
def test_lost_value_weighs_what_it_should(differences, value):
    assert math.exp(harm_by_value(sums_of(*differences))) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("canary", "entities", "share", "value"),
    [
        (50, 100, 0.5, 0.706223),
        (60, 100, 0.5, 1.93265),
        (5_200, 10_000, 0.5, 274.133),
        (5_300, 10_000, 0.5, 5.52068e6),
        (600, 10_000, 0.05, 1667.51),
    ],
)
def test_a_split_that_is_off_weighs_what_it_should(canary, entities, share, value):
    assert math.exp(imbalance(entities, canary, share)) == pytest.approx(value, rel=1e-5)


# ---- where nothing is wrong the mean is 1

shares = st.sampled_from([0.05, 0.25, 0.5, 0.9])
few = st.integers(0, 60)


@given(few, shares, st.sampled_from([1.0, 1.2, 2.0]))
def test_equal_failure_rates_give_evidence_whose_mean_is_1(failures, share, tolerated):
    chance = share * tolerated / (share * tolerated + 1 - share)
    mean = math.fsum(
        binomial(failures, canary, chance)
        * math.exp(harm_by_failures([Failures(share, canary, failures - canary)], tolerated=tolerated))
        for canary in range(failures + 1)
    )
    assert mean == pytest.approx(1, rel=1e-9)


@given(few, shares)
def test_a_canary_at_the_limit_of_safety_gives_evidence_whose_mean_is_1(failures, share):
    chance = share * 2 / (share * 2 + 1 - share)
    mean = math.fsum(
        binomial(failures, canary, chance)
        * math.exp(safety_by_failures([Failures(share, canary, failures - canary)], ratio=2))
        for canary in range(failures + 1)
    )
    assert mean == pytest.approx(1, rel=1e-9)


@given(few)
def test_releases_that_are_right_alike_give_evidence_whose_mean_is_1(disagreements):
    mean = math.fsum(
        binomial(disagreements, right, 0.5) * math.exp(harm_by_decisions(disagreements, right))
        for right in range(disagreements + 1)
    )
    assert mean == pytest.approx(1, rel=1e-9)


@given(few, shares)
def test_a_split_as_declared_gives_evidence_whose_mean_is_1(entities, share):
    mean = math.fsum(
        binomial(entities, canary, share) * math.exp(imbalance(entities, canary, share))
        for canary in range(entities + 1)
    )
    assert mean == pytest.approx(1, rel=1e-9)


@given(few, st.floats(0, 1))
def test_differences_that_balance_give_evidence_whose_mean_is_1(rows, size):
    up, down = (loss_terms(sign * size, 1) for sign in (1, -1))
    mean = math.fsum(
        binomial(rows, gains, 0.5)
        * math.exp(harm_by_value([gains * more + (rows - gains) * less for more, less in zip(up, down, strict=True)]))
        for gains in range(rows + 1)
    )
    assert mean == pytest.approx(1, rel=1e-9)


# ---- what a rollout relies on


counts = st.integers(0, 500)
steps = st.lists(st.builds(Failures, shares, counts, counts), max_size=5)


@given(steps)
def test_counts_of_one_share_may_be_added_in_any_order_and_in_any_pieces(steps):
    pieces = [Failures(one.share, one.canary, 0) for one in steps] + [
        Failures(one.share, 0, one.champion) for one in steps
    ]
    assert harm_by_failures(pieces) == pytest.approx(harm_by_failures(steps), rel=1e-9, abs=1e-9)


def test_no_data_is_evidence_of_nothing():
    nothing = [
        harm_by_failures([]),
        safety_by_failures([]),
        harm_by_decisions(0, 0),
        harm_by_value([0.0] * len(STAKES)),
        imbalance(0, 0, 0.05),
        together([]),
    ]
    assert nothing == pytest.approx([0.0] * len(nothing), abs=1e-12)


@given(st.integers(0, 300), st.integers(0, 300))
def test_an_outage_of_both_sides_is_not_the_canarys_fault(canary, champion):
    """At half of all entities as many failures on either side, however many, are no evidence of harm."""
    even = harm_by_failures([Failures(0.5, canary + champion, canary + champion)])
    assert even <= 0


@given(st.integers(0, 100_000), st.data())
def test_each_decision_lost_adds_to_the_evidence_whatever_the_numbers(disagreements, data):
    right = data.draw(st.integers(0, disagreements))
    evidence = harm_by_decisions(disagreements, right)
    assert math.isfinite(evidence)
    assert harm_by_decisions(disagreements + 1, right) > evidence


def test_several_kinds_of_failures_count_as_one():
    assert math.exp(together([math.log(300), 0.0, 0.0])) == pytest.approx(302 / 3)


def test_counts_that_cannot_be_are_refused_by_their_values():
    with pytest.raises(ValueError, match="canary_right = 3: must be from 0 to the 2 disagreements"):
        harm_by_decisions(2, 3)
    with pytest.raises(ValueError, match="canary = 5: must be from 0 to the 4 entities"):
        imbalance(4, 5, 0.5)
    with pytest.raises(ValueError, match=r"difference = nan: must be from -65 to 65, the largest difference"):
        loss_terms(math.nan, 65)
    with pytest.raises(ValueError, match="2 sums: must be 6, one for each stake"):
        harm_by_value([0.0, 0.0])
    with pytest.raises(ValueError, match="tolerated = 20: must be below 20.0"):
        harm_by_failures([], tolerated=20)
