import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config import Business
from domain.cost.worth import CELLS, WorthError, judge

LATE_FLIGHTS = Business(true_positive_usd=40.0, false_positive_usd=-12.0, true_negative_usd=0.0, false_negative_usd=-25.0)
COST = {"monthly_usd": 60.0, "low_usd": 55.0, "high_usd": 65.0, "fixed_usd": 50.0, "per_use_usd": 10.0}


def counts(tp, fp, tn, fn):
    return dict(zip(CELLS, (tp, fp, tn, fn), strict=True))


def test_a_month_of_decisions_worked_out_by_hand():
    found = judge(LATE_FLIGHTS, counts(100, 50, 800, 50), predictions=10_000, cost=COST)
    # (100 x 40 - 50 x 12 - 50 x 25) / 1000 = 2.15 a decision; the mean of squares is 100 x 1600 + 50 x 144 + 50 x 625 = 198.45
    mean, error = 2.15, math.sqrt((198.45 - 2.15**2) / 1000)
    assert found["value_usd"] == pytest.approx(21_500)
    assert found["net_usd"] == pytest.approx(21_440)
    assert found["net_low_usd"] == pytest.approx(10_000 * (mean - 1.96 * error) - 65)
    assert found["net_high_usd"] == pytest.approx(10_000 * (mean + 1.96 * error) - 55)
    # always no: 150 late flights x -25 / 1000 = -3.75 a decision
    assert found["over_always_no_usd"] == pytest.approx(10_000 * (2.15 + 3.75))
    # 50 fixed / (2.15 - 10 / 10,000) each
    assert found["break_even_predictions"] == pytest.approx(50 / 2.149)
    assert found["sentence"] == (
        "The model brings $21,440 a month more than it costs (between $12,806 and $30,074, measured on 1,000 outcomes)."
    )


def test_a_model_that_costs_more_than_it_brings_is_told_so():
    found = judge(LATE_FLIGHTS, counts(10, 900, 8_000, 90), predictions=10_000, cost=COST)
    # (10 x 40 - 900 x 12 - 90 x 25) / 9000 = -1.40556 a decision, less 60; always no: -25 x 100 / 9000 = -0.27778
    assert found["positive"] is False
    assert found["break_even_predictions"] is None  # each prediction loses
    assert found["sentence"].startswith("The model costs $14,116 a month more than it brings (between -$15,055 and -$13,176, ")
    assert found["sentence"].endswith(" Answering no every time would bring $11,278 more.")


def test_few_outcomes_leave_it_open():
    found = judge(LATE_FLIGHTS, counts(1, 2, 10, 1), predictions=1_000, cost=COST)
    assert found["positive"] is None
    assert found["sentence"].startswith("It cannot be told yet whether the model is worth its cost: between -$")


@pytest.mark.parametrize("wrong", [{}, counts(0, 0, 0, 0), counts(-1, 5, 5, 5), counts(1.5, 1, 1, 1), {"true_positive": 4}])
def test_counts_that_are_not_are_refused(wrong):
    with pytest.raises(WorthError, match="give a whole number of each of true_positive, false_positive"):
        judge(LATE_FLIGHTS, wrong, predictions=1000, cost=COST)


@given(st.tuples(*[st.integers(0, 10_000)] * 4).filter(any), st.floats(0, 1e6))
def test_the_range_holds_the_estimate_and_narrows_with_outcomes(cells, predictions):
    found = judge(LATE_FLIGHTS, counts(*cells), predictions=predictions, cost=COST)
    surer = judge(LATE_FLIGHTS, counts(*(100 * cell for cell in cells)), predictions=predictions, cost=COST)
    assert found["net_low_usd"] <= found["net_usd"] <= found["net_high_usd"]
    assert surer["net_high_usd"] - surer["net_low_usd"] <= found["net_high_usd"] - found["net_low_usd"] + 1e-6
