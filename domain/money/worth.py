"""Is the model worth its cost? What its decisions bring in a month beyond those without it, against the projection.

Without a model the fallback decides, the same for everybody, and for nothing: so a model brings only what differs from
that. A missed case that the fallback misses too costs money, but it is not the model's cost. The value of one decision
is the mean over the outcomes that were seen, with the error of that mean; the other side is the range of the
projection. So the answer is a range too, and "cannot be told yet" is one of the answers.
"""

import math
from typing import Protocol, TypedDict

from domain.config.sections import Business
from domain.request.outcomes import Z_95

CELLS = ("true_positive", "false_positive", "true_negative", "false_negative")


class Bill(Protocol):
    """The part of a projection that a model's value is compared with."""

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


class Worth(TypedDict):
    """The value of a model in dollars a month; `positive` is None where the range holds both signs."""

    value_usd: float  # beyond the fallback's
    cost_usd: float
    net_usd: float
    net_low_usd: float
    net_high_usd: float
    value_per_prediction_usd: float
    decisions_usd: float  # the decisions' own value
    break_even_predictions: float | None
    outcomes: int
    without: str
    positive: bool | None
    sentence: str


class WorthError(ValueError):
    """The counts cannot be used; the message says what they must be."""


def judge(
    business: Business, counts: dict[str, int], *, predictions: float, cost: Bill, fallback_says_yes: bool = False
) -> Worth:
    """`counts` of right and wrong decisions, by CELLS; `cost` is a projection of `predictions` decisions a month."""
    values = {cell: getattr(business, f"{cell}_usd") for cell in CELLS}
    mean, error = value_of_one(beyond_fallback(values, fallback_says_yes), counts)
    value, margin = mean * predictions, Z_95 * error * predictions
    low, high = value - margin - cost.high_usd, value + margin - cost.low_usd
    worth: Worth = {
        "value_usd": value,
        "cost_usd": cost.monthly_usd,
        "net_usd": value - cost.monthly_usd,
        "net_low_usd": low,
        "net_high_usd": high,
        "value_per_prediction_usd": mean,
        "decisions_usd": value_of_one(values, counts)[0] * predictions,
        "break_even_predictions": break_even(mean, cost, predictions),
        "outcomes": sum(counts.values()),
        "without": "yes" if fallback_says_yes else "no",
        "positive": True if low > 0 else False if high < 0 else None,
        "sentence": "",
    }
    return {**worth, "sentence": sentence(worth)}


def beyond_fallback(values: dict[str, float], says_yes: bool) -> dict[str, float]:
    """What each decision is worth more than the one that the fallback would have made of the same case."""
    case, other = ("true_positive", "false_positive") if says_yes else ("false_negative", "true_negative")
    instead = {"true_positive": case, "false_negative": case, "false_positive": other, "true_negative": other}
    return {cell: value - values[instead[cell]] for cell, value in values.items()}


def value_of_one(values: dict[str, float], counts: dict[str, int]) -> tuple[float, float]:
    """(mean, standard error of the mean) of the value of one decision."""
    wrong = [
        f"{cell} = {counts.get(cell)!r}" for cell in CELLS if type(counts.get(cell)) is not int or counts[cell] < 0
    ]
    if wrong or not sum(counts.values()):
        raise WorthError(
            f"{', '.join(wrong) or 'no outcomes yet'}: give a whole number of each of {', '.join(CELLS)}, one above 0"
        )
    total = sum(counts.values())
    mean = sum(values[cell] * counts[cell] for cell in CELLS) / total
    variance = sum(counts[cell] * (values[cell] - mean) ** 2 for cell in CELLS) / total
    return mean, math.sqrt(variance / total)


def break_even(mean: float, cost: Bill, predictions: float) -> float | None:
    """Predictions a month from which the model pays for itself; None where more of them only lose more."""
    each = mean - (cost.per_use_usd / predictions if predictions else 0.0)
    return cost.fixed_usd / each if each > 0 else None


def sentence(worth: Worth) -> str:
    net, low, high = (f"${abs(usd):,.0f}" for usd in (worth["net_usd"], worth["net_low_usd"], worth["net_high_usd"]))
    span = f"between {sign(worth['net_low_usd'])}{low} and {sign(worth['net_high_usd'])}{high}"
    measured = f"measured on {worth['outcomes']:,} outcomes, against answering {worth['without']} every time"
    if worth["positive"] is None:
        return f"It cannot be told yet whether the model is worth its cost: {span} a month, {measured}."
    verb, more = ("brings", "costs") if worth["net_usd"] >= 0 else ("costs", "brings")
    return f"The model {verb} {net} a month more than it {more} ({span}, {measured})."


def sign(value: float) -> str:
    return "-" if value < 0 else ""
