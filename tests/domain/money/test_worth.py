import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.sections import Business
from domain.money.worth import CELLS, WorthError, judge

LATE_FLIGHTS = Business(
    true_positive_usd=40.0, false_positive_usd=-12.0, true_negative_usd=0.0, false_negative_usd=-25.0
)
COST = SimpleNamespace(monthly_usd=60.0, low_usd=55.0, high_usd=65.0, fixed_usd=50.0, per_use_usd=10.0)


def counts(tp, fp, tn, fn):
    return dict(zip(CELLS, (tp, fp, tn, fn), strict=True))


def test_a_month_of_decisions_worked_out_by_hand():
    found = judge(LATE_FLIGHTS, counts(100, 50, 800, 50), predictions=10_000, cost=COST)
    # Beyond answering no: 100 x (40 + 25) - 50 x 12 = 5,900 / 1000 a decision; the mean of squares is 100 x 4225 + 50 x
    # 144 = 429.7
    mean, error = 5.9, math.sqrt((429.7 - 5.9**2) / 1000)
    assert found["value_usd"] == pytest.approx(59_000)
    assert found["net_usd"] == pytest.approx(58_940)
    assert found["net_low_usd"] == pytest.approx(10_000 * (mean - 1.96 * error) - 65)
    assert found["net_high_usd"] == pytest.approx(10_000 * (mean + 1.96 * error) - 55)
    # in themselves: (100 x 40 - 50 x 12 - 50 x 25) / 1000 = 2.15 a decision
    assert found["decisions_usd"] == pytest.approx(21_500)
    # 50 fixed / (5.9 - 10 / 10,000) each
    assert found["break_even_predictions"] == pytest.approx(50 / 5.899)
    assert found["sentence"] == (
        "The model brings $58,940 a month more than it costs (between $46,618 and $71,262, measured on 1,000 outcomes, "
        "against answering no every time)."
    )


def test_where_the_fallback_says_yes_the_model_brings_its_noes():
    found = judge(LATE_FLIGHTS, counts(100, 50, 800, 50), predictions=10_000, cost=COST, fallback_says_yes=True)
    # 800 x 12 - 50 x (25 + 40) = 6,350 / 1000
    assert (found["value_usd"], found["without"]) == (pytest.approx(63_500), "yes")


def test_a_model_that_says_what_the_fallback_says_brings_nothing_whatever_cases_cost():
    found = judge(LATE_FLIGHTS, counts(0, 0, 800, 200), predictions=10_000, cost=COST)
    assert (found["value_usd"], found["net_usd"], found["positive"]) == (0.0, -60.0, False)
    assert found["decisions_usd"] == pytest.approx(-50_000)


def test_a_model_that_costs_more_than_it_brings_is_told_so():
    found = judge(LATE_FLIGHTS, counts(10, 900, 8_000, 90), predictions=10_000, cost=COST)
    # (10 x 65 - 900 x 12) / 9000 = -1.12778 a decision, less 60
    assert found["positive"] is False
    assert found["break_even_predictions"] is None  # each prediction loses
    assert found["sentence"].startswith("The model costs $11,338 a month more than it brings (between -$")


def test_few_outcomes_leave_it_open():
    found = judge(LATE_FLIGHTS, counts(1, 2, 10, 1), predictions=1_000, cost=COST)
    assert found["positive"] is None
    assert found["sentence"].startswith("It cannot be told yet whether the model is worth its cost: between -$")


@pytest.mark.parametrize(
    "wrong", [{}, counts(0, 0, 0, 0), counts(-1, 5, 5, 5), counts(1.5, 1, 1, 1), {"true_positive": 4}]
)
def test_counts_that_are_not_are_refused(wrong):
    with pytest.raises(WorthError, match="give a whole number of each of true_positive, false_positive"):
        judge(LATE_FLIGHTS, wrong, predictions=1000, cost=COST)


@given(st.tuples(*[st.integers(0, 10_000)] * 4).filter(any), st.floats(0, 1e6))
def test_the_range_holds_the_estimate_and_narrows_with_outcomes(cells, predictions):
    found = judge(LATE_FLIGHTS, counts(*cells), predictions=predictions, cost=COST)
    surer = judge(LATE_FLIGHTS, counts(*(100 * cell for cell in cells)), predictions=predictions, cost=COST)
    assert found["net_low_usd"] <= found["net_usd"] <= found["net_high_usd"]
    assert surer["net_high_usd"] - surer["net_low_usd"] <= found["net_high_usd"] - found["net_low_usd"] + 1e-6
