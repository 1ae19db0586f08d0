"""Value of a prediction, once its outcome is known."""

from datetime import datetime, timedelta
from typing import Any, TypedDict

from domain.config.sections import Business
from domain.contract.schema import Contract

AHEAD = timedelta(days=1)  # clocks and time zones differ by less
LEAST_OUTCOMES = 100  # below this nothing is concluded from what really happened
Z_95 = 1.96  # of the normal distribution: so many standard errors each way hold the true value in 95 of 100 cases


class Assessment(TypedDict, total=False):
    """Of a class whether it is right, and its value in a binary task; of a number the prediction less the outcome."""

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
    """Return the value of a yes or no, once it is known which was right."""
    if predicted:
        return business.true_positive_usd if actual else business.false_positive_usd
    return business.false_negative_usd if actual else business.true_negative_usd


def largest_difference_usd(business: Business) -> float:
    """Return by how much two decisions can differ in value, at most, whatever turns out to be right."""
    differences = (
        business.true_positive_usd - business.false_negative_usd,
        business.false_positive_usd - business.true_negative_usd,
    )
    return max(map(abs, differences))
