"""Whether a model is worth its cost: the monthly value of its decisions beyond the fallback's, against the projection.

Without a model the fallback makes the same decision for every row, at no cost, so a model's value is only the
difference. A case that both miss costs money, but not because of the model. The value of one decision is the mean over
the outcomes, with a range that reflects their number; the cost has the range of the projection. So the result is a
range too, and may be "cannot be told yet".
"""

import math
from enum import StrEnum
from typing import Protocol, TypedDict

from domain.config.sections import Business
from domain.request.outcomes import LEAST_OUTCOMES, Z_95

CELLS = ("true_positive", "false_positive", "true_negative", "false_negative")


class Bill(Protocol):
    """The part of a projection with which a model's value is compared."""

    @property
    def monthly_usd(self) -> float: ...
    @property
    def low_usd(self) -> float: ...
    @property
    def high_usd(self) -> float: ...
    @property
    def fixed_usd(self) -> float: ...
    @property
    def per_use_usd(self) -> float: ...


class Evidence(StrEnum):
    """Origin of the decisions that are counted."""

    HELD_OUT = "held-out rows"
    OUTCOMES = "outcomes"


class Worth(TypedDict):
    """Value of a model in dollars a month.

    Every figure is None below LEAST_OUTCOMES; `positive` is None there too, and if the range includes both signs.
    """

    value_usd: float | None  # beyond the fallback's
    cost_usd: float
    net_usd: float | None
    net_low_usd: float | None
    net_high_usd: float | None
    value_per_prediction_usd: float | None
    decisions_usd: float | None  # the decisions' own value
    break_even_predictions: float | None
    predictions: float
    outcomes: int
    evidence: str  # an Evidence
    without: str
    positive: bool | None
    sentence: str


class WorthError(ValueError):
    """Report that the counts cannot be used; the message says what they must be."""


def judge(
    business: Business,
    counts: dict[str, int],
    *,
    predictions: float,
    cost: Bill,
    fallback_says_yes: bool = False,
    evidence: Evidence = Evidence.OUTCOMES,
) -> Worth:
    """Judge a model by its decisions.

    `counts` are true and false positives and negatives, by CELLS; `cost` is a projection of `predictions` decisions a
    month.
    """
    values = {cell: getattr(business, f"{cell}_usd") for cell in CELLS}
    beyond = _beyond_fallback(values, fallback_says_yes)
    mean = _value_of_one(beyond, counts)
    least, most = range_of_one(beyond, counts)
    value, low, high = mean * predictions, least * predictions - cost.high_usd, most * predictions - cost.low_usd
    worth: Worth = {
        "value_usd": value,
        "cost_usd": cost.monthly_usd,
        "net_usd": value - cost.monthly_usd,
        "net_low_usd": low,
        "net_high_usd": high,
        "value_per_prediction_usd": mean,
        "decisions_usd": _value_of_one(values, counts) * predictions,
        "break_even_predictions": break_even(mean, cost, predictions),
        "predictions": predictions,
        "outcomes": sum(counts.values()),
        "evidence": evidence.value,
        "without": "yes" if fallback_says_yes else "no",
        "positive": True if low > 0 else False if high < 0 else None,
        "sentence": "",
    }
    if worth["outcomes"] < LEAST_OUTCOMES:
        return _not_enough(worth)
    return {**worth, "sentence": _sentence(worth)}


def _not_enough(worth: Worth) -> Worth:
    """Leave out every figure: so few outcomes prove nothing."""
    seen = f"not enough {worth['evidence']} ({worth['outcomes']:,})"
    return {
        **worth,
        "value_usd": None,
        "net_usd": None,
        "net_low_usd": None,
        "net_high_usd": None,
        "value_per_prediction_usd": None,
        "decisions_usd": None,
        "break_even_predictions": None,
        "positive": None,
        "sentence": f"It cannot be told yet whether the model is worth its cost: {seen}, from {LEAST_OUTCOMES} on.",
    }


def _beyond_fallback(values: dict[str, float], says_yes: bool) -> dict[str, float]:
    """Return what each decision is worth beyond that of the fallback for the same case."""
    case, other = ("true_positive", "false_positive") if says_yes else ("false_negative", "true_negative")
    instead = {"true_positive": case, "false_negative": case, "false_positive": other, "true_negative": other}
    return {cell: value - values[instead[cell]] for cell, value in values.items()}


def _value_of_one(values: dict[str, float], counts: dict[str, int]) -> float:
    """Return the mean value of one decision, over those that were counted."""
    wrong = [
        f"{cell} = {counts.get(cell)!r}" for cell in CELLS if type(counts.get(cell)) is not int or counts[cell] < 0
    ]
    if wrong or not sum(counts.values()):
        raise WorthError(
            f"{', '.join(wrong) or 'no outcomes yet'}: must be a whole number of each of {', '.join(CELLS)}, "
            "at least one above 0"
        )
    return sum(values[cell] * counts[cell] for cell in CELLS) / sum(counts.values())


def range_of_one(values: dict[str, float], counts: dict[str, int]) -> tuple[float, float]:
    """Return the range that holds the true mean in 95 of 100 cases.

    It is two standard deviations around the mean of the Dirichlet posterior under a uniform prior. The prior counts
    each kind of decision once more, so that one that did not occur among few outcomes is not considered impossible.
    """
    seen = {cell: counts[cell] + 1 for cell in CELLS}
    total = sum(seen.values())
    mean = sum(values[cell] * seen[cell] for cell in CELLS) / total
    variance = sum(seen[cell] * (values[cell] - mean) ** 2 for cell in CELLS) / total
    margin = Z_95 * math.sqrt(variance / (total + 1))
    estimate = _value_of_one(values, counts)
    return min(mean - margin, estimate), max(mean + margin, estimate)


def break_even(mean: float, cost: Bill, predictions: float) -> float | None:
    """Return the predictions a month from which the model pays for itself; None if more predictions only lose more."""
    each = mean - (cost.per_use_usd / predictions if predictions else 0.0)
    return cost.fixed_usd / each if each > 0 else None


def _sentence(worth: Worth) -> str:
    net, low, high = worth["net_usd"] or 0.0, worth["net_low_usd"] or 0.0, worth["net_high_usd"] or 0.0
    span = f"between {_dollars(low)} and {_dollars(high)}"
    measured = (
        f"at {worth['predictions']:,.0f} predictions a month, measured on {worth['outcomes']:,} {worth['evidence']}, "
        f"against answering {worth['without']} every time"
    )
    if worth["positive"] is None:
        return f"It cannot be told yet whether the model is worth its cost: {span} a month, {measured}."
    verb, more = ("brings", "costs") if net >= 0 else ("costs", "brings")
    return f"The model {verb} {_dollars(abs(net))} a month more than it {more} ({span}, {measured})."


def _dollars(value: float) -> str:
    return f"{'-' if value < 0 else ''}${abs(value):,.0f}"
