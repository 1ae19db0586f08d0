import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.sections import Business
from domain.money.worth import CELLS, WorthError, judge, range_of_one

LATE_FLIGHTS = Business(
    true_positive_usd=40.0, false_positive_usd=-12.0, true_negative_usd=0.0, false_negative_usd=-25.0
)
COST = SimpleNamespace(monthly_usd=60.0, low_usd=55.0, high_usd=65.0, fixed_usd=50.0, per_use_usd=10.0)


def counts(tp, fp, tn, fn):
    return dict(zip(CELLS, (tp, fp, tn, fn), strict=True))


def test_a_month_of_decisions_worked_out_by_hand():
    found = judge(LATE_FLIGHTS, counts(100, 50, 800, 50), predictions=10_000, cost=COST)
    # Beyond answering no: 100 x (40 + 25) - 50 x 12 = 5,900 / 1000 a decision.
    # With each kind of decision once more, 101 x 65 - 51 x 12 and 101 x 4225 + 51 x 144 of 1004:
    middle = 5_953 / 1004
    error = math.sqrt((434_069 / 1004 - middle**2) / 1005)
    assert found["value_usd"] == pytest.approx(59_000)
    assert found["net_usd"] == pytest.approx(58_940)
    assert found["net_low_usd"] == pytest.approx(10_000 * (middle - 1.96 * error) - 65)
    assert found["net_high_usd"] == pytest.approx(10_000 * (middle + 1.96 * error) - 55)
    # in themselves: (100 x 40 - 50 x 12 - 50 x 25) / 1000 = 2.15 a decision
    assert found["decisions_usd"] == pytest.approx(21_500)
    # 50 fixed / (5.9 - 10 / 10,000) each
    assert found["break_even_predictions"] == pytest.approx(50 / 5.899)
    assert found["sentence"] == (
        "The model brings $58,940 a month more than it costs (between $46,906 and $71,559, "
        "at 10,000 predictions a month, measured on 1,000 outcomes, against answering no every time)."
    )


def test_where_the_fallback_says_yes_the_model_brings_its_noes():
    found = judge(LATE_FLIGHTS, counts(100, 50, 800, 50), predictions=10_000, cost=COST, fallback_says_yes=True)
    # 800 x 12 - 50 x (25 + 40) = 6,350 / 1000
    assert (found["value_usd"], found["without"]) == (pytest.approx(63_500), "yes")


def test_a_model_that_says_what_the_fallback_says_brings_nothing_whatever_cases_cost():
    found = judge(LATE_FLIGHTS, counts(0, 0, 80_000, 20_000), predictions=10_000, cost=COST)
    assert (found["value_usd"], found["net_usd"], found["positive"]) == (0.0, -60.0, False)
    assert found["decisions_usd"] == pytest.approx(-50_000)


def test_a_model_that_costs_more_than_it_brings_is_told_so():
    found = judge(LATE_FLIGHTS, counts(10, 900, 8_000, 90), predictions=10_000, cost=COST)
    # (10 x 65 - 900 x 12) / 9000 = -1.12778 a decision, less 60
    assert found["positive"] is False
    assert found["break_even_predictions"] is None  # each prediction loses
    assert found["sentence"].startswith("The model costs $11,338 a month more than it brings (between -$")


def test_few_outcomes_leave_it_open():
    found = judge(LATE_FLIGHTS, counts(5, 10, 80, 5), predictions=1_000, cost=COST)
    assert found["positive"] is None
    assert found["sentence"].startswith("It cannot be told yet whether the model is worth its cost: between -$")


def test_below_the_least_there_is_no_figure():
    found = judge(LATE_FLIGHTS, counts(20, 0, 0, 0), predictions=1_000, cost=COST)
    assert found["sentence"] == (
        "It cannot be told yet whether the model is worth its cost: not enough outcomes (20), from 100 on."
    )
    figures = ("value_usd", "net_usd", "net_low_usd", "net_high_usd", "break_even_predictions", "positive")
    assert [found[figure] for figure in figures] == [None] * 6


@pytest.mark.parametrize(
    ("values", "shares"),
    [
        ((65, -12, 0, 0), (0.02, 0.02, 0.9, 0.06)),
        ((65, -12, 0, 0), (0.005, 0.02, 0.9, 0.075)),
        ((500, -1, 0, 0), (0.01, 0.09, 0.8, 0.1)),  # of 100 outcomes often none is worth 500
        ((0, 0, 10, -200), (0.5, 0.3, 0.18, 0.02)),
        ((1, -1, 0, 0), (0.3, 0.2, 0.4, 0.1)),
    ],
)
def test_the_range_of_few_outcomes_holds_the_true_value_as_often_as_it_says(values, shares):
    worth_of = dict(zip(CELLS, values, strict=True))
    true = sum(value * share for value, share in zip(values, shares, strict=True))
    held = 0
    for drawn in np.random.default_rng(7).multinomial(100, shares, size=2000).tolist():
        low, high = range_of_one(worth_of, counts(*drawn))
        held += low <= true <= high
    assert held / 2000 >= 0.94


@pytest.mark.parametrize(
    "wrong", [{}, counts(0, 0, 0, 0), counts(-1, 5, 5, 5), counts(1.5, 1, 1, 1), {"true_positive": 4}]
)
def test_counts_that_are_not_are_refused(wrong):
    with pytest.raises(WorthError, match="must be a whole number of each of true_positive, false_positive"):
        judge(LATE_FLIGHTS, wrong, predictions=1000, cost=COST)


@given(st.tuples(*[st.integers(0, 10_000)] * 4).filter(lambda cells: sum(cells) >= 100), st.floats(0, 1e6))
def test_the_range_holds_the_estimate_and_narrows_with_outcomes(cells, predictions):
    found = judge(LATE_FLIGHTS, counts(*cells), predictions=predictions, cost=COST)
    surer = judge(LATE_FLIGHTS, counts(*(100 * cell for cell in cells)), predictions=predictions, cost=COST)
    assert found["net_low_usd"] <= found["net_usd"] <= found["net_high_usd"]
    assert surer["net_high_usd"] - surer["net_low_usd"] <= found["net_high_usd"] - found["net_low_usd"] + 1e-6
