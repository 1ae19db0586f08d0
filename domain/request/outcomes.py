"""Value of a prediction, once its outcome is known."""

from datetime import datetime, timedelta
from typing import Any, TypedDict

from domain.config.sections import Business
from domain.contract.schema import Contract

AHEAD = timedelta(days=1)  # allowance for clocks and time zones that differ
LEAST_OUTCOMES = 100  # with fewer outcomes nothing is concluded
Z_95 = 1.96  # of the normal distribution: 95 of 100 true values lie within so many standard errors


class Assessment(TypedDict, total=False):
    """Comparison of a prediction with its outcome.

    For a class: whether it is right, and its value in a binary task. For a number: the prediction less the outcome.
    """

    correct: bool
    value_usd: float
    error: float


def still_to_come(event_time: datetime, now: datetime) -> str:
    """Return why an event cannot have an outcome yet; empty if it can."""
    return "" if event_time <= now + AHEAD else "must not be in the future; send an outcome once it has happened"


def assess(contract: Contract, business: Business, *, prediction: Any, outcome: Any) -> Assessment:
    """Compare a prediction with its outcome."""
    if contract.task == "regression":
        return {"error": prediction - outcome}
    if contract.task == "multiclass":
        return {"correct": prediction == outcome}
    actual = outcome == contract.positive
    return {
        "correct": prediction == actual,
        "value_usd": decision_value_usd(business, predicted=prediction, actual=actual),
    }


def decision_value_usd(business: Business, *, predicted: bool, actual: bool) -> float:
    """Return the value of a binary decision, given the correct one."""
    if predicted:
        return business.true_positive_usd if actual else business.false_positive_usd
    return business.false_negative_usd if actual else business.true_negative_usd


def largest_difference_usd(business: Business) -> float:
    """Return the largest difference in value between two decisions, whichever turns out to be right."""
    differences = (
        business.true_positive_usd - business.false_negative_usd,
        business.false_positive_usd - business.true_negative_usd,
    )
    return max(map(abs, differences))
