"""Policies of retraining that a backtest compares, and the days on which each trains by the calendar."""

from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

WEEK = timedelta(days=7)


class Policy(StrEnum):
    """When a project retrains; each has a first run on the first day."""

    NEVER = "never"
    MONTHLY = "monthly"
    WEEKLY = "weekly"
    LOOP = "loop"  # when a window has lost more than a training costs (retrain.py), whatever the calendar says


def is_due(policy: Policy, first: date, day: date, *, has_release: bool) -> bool:
    """Return whether the policy trains on this day by the calendar.

    Weekly is every seventh day from the first one on; monthly is the first of those in a month, so that the two share
    runs. Until a run is approved, every policy tries again each week.
    """
    if (day - first) % WEEK:
        return False
    if not has_release or day == first or policy is Policy.WEEKLY:
        return True
    return policy is Policy.MONTHLY and day.month != (day - WEEK).month


def days_of(first: date, until: date) -> Iterator[date]:
    """Yield the days of [first, until)."""
    for number in range((until - first).days):
        yield first + timedelta(days=number)


class SpanRefused(ValueError):
    """Report days that a history cannot be replayed on; the message says which it can."""


class Days(NamedTuple):
    """Half open: [first, until)."""

    first: date
    until: date


def replayed(history: Days, *, first: date | None, until: date | None, window_days: int, held_out: int) -> Days:
    """Return the days to replay: by default those that have a whole training window before them.

    `held_out`: newest days of a window that nothing is learnt from. Raises SpanRefused.
    """
    usual, least = history.first + timedelta(days=window_days), history.first + timedelta(days=held_out + 1)
    chosen = Days(first or usual, until or history.until)
    have = f"the rows are from {history.first} to {history.until - timedelta(days=1)}"
    if first is None and usual >= chosen.until:
        raise SpanRefused(
            f"data.window_days = {window_days}: must end before {chosen.until}; {have}, so load more, or give --from "
            "or --set data.window_days=DAYS"
        )
    if not least <= chosen.first < history.until:
        raise SpanRefused(
            f"--from {chosen.first}: must be from {least} to {history.until - timedelta(days=1)}; {have}, and the "
            "first run needs some to train on and some to evaluate on"
        )
    if not chosen.first < chosen.until <= history.until:
        raise SpanRefused(f"--to {chosen.until}: must be after {chosen.first} and at most {history.until}; {have}")
    return chosen
