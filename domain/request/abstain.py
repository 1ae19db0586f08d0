"""Whether an answer that is not sure is left to the fallback, or flagged for a person."""

from enum import StrEnum

from domain.config.sections import Business
from domain.request.confidence import Confidence
from domain.request.outcomes import decision_value_usd, largest_difference_usd


class Abstain(StrEnum):
    """`confidence.abstain`: what happens to an answer whose set has several classes."""

    OFF = "off"
    FLAG = "flag"
    FALLBACK = "fallback"


def is_unsure(sure: Confidence) -> bool:
    """Return whether several outcomes are possible at the coverage; false if nothing has been counted."""
    if "set" not in sure:
        return False
    return sure["set"] is None or len(sure["set"]) > 1


def prefers_fallback(business: Business, sure: Confidence, *, answer: object, fallback: object) -> bool:
    """Return whether the fallback's decision is worth more than the model's at both ends of the probability.

    Where decisions have no value in [business], as those of other than binary tasks, the set alone decides.
    """
    if not largest_difference_usd(business):
        return True
    return all(
        _expected_usd(business, fallback, share) > _expected_usd(business, answer, share)
        for share in (sure["low"], sure["high"])
    )


def _expected_usd(business: Business, decision: object, share: float) -> float:
    """Return the expected value of a decision where the positive outcome has this probability."""
    true, false = (decision_value_usd(business, predicted=decision is True, actual=each) for each in (True, False))
    return share * true + (1 - share) * false
