"""Whether a release is wrong more often than at its release, by outcomes that arrive late.

A detector that restarts with every window (Shin, Ramdas, Rinaldo, 2022, arXiv 2203.03532), so a decline after a year of
good days is found as fast as one on the first day. Its state is one number for each of RATIOS.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from domain.watch.tails import binomial_at_most

FALSE_ALARMS = 0.05  # probability of a false alarm in so many windows
WINDOWS = 100
RATIOS = (1.1, 1.2, 1.35, 1.6, 2.2)  # odds of an error, relative to those at release, that it looks for
_CONFIDENCE = 0.975  # of the bound on the error rate at release
_HALVINGS = 60
_NOTHING = (-math.inf,) * len(RATIOS)  # logarithm of no evidence


@dataclass(frozen=True)
class Decline:
    """Evidence that the error rate is above `bound`: logarithms, one for each of RATIOS."""

    bound: float
    sums: tuple[float, ...] = field(default=_NOTHING)

    @property
    def evidence(self) -> float:
        """The logarithm of the evidence over all ratios; minus infinity before the first outcome."""
        return _log_mean_exp(self.sums)


def begin(wrong: int, outcomes: int, *, tolerance: float = 0.0) -> Decline:
    """Start the detector for a release that was wrong on so many rows of its evaluation; the rate may rise by the
    tolerance.
    """
    return Decline(min(error_bound(wrong, outcomes) + tolerance, 1.0))


def after(decline: Decline, wrong: int, outcomes: int) -> Decline:
    """Return the evidence after a window of outcomes, each counted once; without outcomes it does not change."""
    if not 0 <= wrong <= outcomes:
        raise ValueError(f"wrong = {wrong}: must be from 0 to the {outcomes} outcomes")
    if not outcomes or decline.bound >= 1:
        return decline
    terms = (_log_ratio(ratio, decline.bound, wrong, outcomes) for ratio in RATIOS)
    sums = tuple(_log_one_plus_exp(before) + term for before, term in zip(decline.sums, terms, strict=True))
    return Decline(decline.bound, sums)


def is_alarm(decline: Decline, *, false_alarms: float = FALSE_ALARMS, windows: int = WINDOWS) -> bool:
    """Return whether chance reaches so much evidence at most `false_alarms` times in so many windows."""
    return decline.evidence >= math.log(windows / false_alarms)


def restarted(decline: Decline) -> Decline:
    """Return the detector without evidence, as it starts again after an alarm."""
    return Decline(decline.bound)


def began(bound: float, windows: Sequence[tuple[int, int]]) -> int:
    """Return the number of the window, of (wrong, outcomes) each, from which on a decline is likeliest to have been."""
    best, first = -math.inf, len(windows) - 1
    for ratio in RATIOS:
        sum_ = 0.0
        for number in range(len(windows) - 1, -1, -1):
            sum_ += _log_ratio(ratio, bound, *windows[number])
            if sum_ > best:
                best, first = sum_, number
    return first


@lru_cache(maxsize=256)  # each window asks for that of its release again
def error_bound(wrong: int, outcomes: int, *, confidence: float = _CONFIDENCE) -> float:
    """Return the upper bound of an error rate (Clopper and Pearson, 1934); 1 without rows."""
    if not 0 <= wrong <= outcomes:
        raise ValueError(f"wrong = {wrong}: must be from 0 to the {outcomes} outcomes")
    if wrong == outcomes:
        return 1.0
    low, high = wrong / outcomes, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        too_low = binomial_at_most(wrong, outcomes, middle) > 1 - confidence
        low, high = (middle, high) if too_low else (low, middle)
    return high


def _log_ratio(ratio: float, bound: float, wrong: int, outcomes: int) -> float:
    """Return the logarithm of the likelihood ratio of the outcomes at these odds against those at the bound."""
    odds = ratio * bound / (1 - bound)
    chance = odds / (1 + odds)
    return wrong * math.log(chance / bound) + (outcomes - wrong) * math.log((1 - chance) / (1 - bound))


def _log_one_plus_exp(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _log_mean_exp(terms: Sequence[float]) -> float:
    top = max(terms)
    if top == -math.inf:
        return top
    return top + math.log(sum(math.exp(term - top) for term in terms) / len(terms))
