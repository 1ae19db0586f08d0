"""Outcomes day by day: the detector of domain/watch/decline.py and a limit of three standard deviations beside it."""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from domain.watch import decline

EVALUATED, AT_RELEASE = 5_000, 0.2  # rows of the release's evaluation, and the share of them that were wrong
A_DAY = 200


class Days(NamedTuple):
    """Days until either rule alarmed; None where it did not."""

    ours: int | None
    theirs: int | None


def days(random: Generator, *, many: int, error_rate: float) -> Days:
    """Watch outcomes of so many days, from the first of which answers are wrong at this rate."""
    wrong = int(random.binomial(EVALUATED, AT_RELEASE))
    found: list[int] = random.binomial(A_DAY, error_rate, many).tolist()
    return Days(_by_detector(wrong, found), _by_deviations(wrong, found))


def _by_detector(wrong: int, found: list[int]) -> int | None:
    state = decline.begin(wrong, EVALUATED)
    for day, errors in enumerate(found, 1):
        state = decline.after(state, errors, A_DAY)
        if decline.is_alarm(state, windows=len(found)):
            return day
    return None


def _by_deviations(wrong: int, found: list[int]) -> int | None:
    """Alarm on a day that is three standard deviations above the rate at release."""
    rate = wrong / EVALUATED
    limit = rate + 3 * float(np.sqrt(rate * (1 - rate) / A_DAY))
    return next((day for day, errors in enumerate(found, 1) if errors / A_DAY > limit), None)
