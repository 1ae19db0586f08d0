"""The event times that rows of an evaluation really cover."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import TypedDict

from domain.timestamps import iso, parse_timestamp
from domain.train.windows import Window

NAMED_SPANS = 3  # spans of missing days that are named; the others are counted
DAY = timedelta(days=1)


class Coverage(TypedDict):
    """Rows of [evaluate_start, as_of): the first and the last, the age of the last at as_of, and days without rows."""

    first: str  # timestamp
    last: str  # timestamp
    age_days: float
    days: int  # days of the span in UTC
    missing: list[list[str]]  # [first, last] ISO date of each span of days without a row


def cover(window: Window, *, first: datetime, last: datetime, days: Collection[date]) -> Coverage:
    """Describe the coverage of rows between `first` and `last` that lie on `days`."""
    start, end = parse_timestamp(window["evaluate_start"]), parse_timestamp(window["as_of"])
    assert start is not None and end is not None, "the window must come from training_window"
    wanted = _days_of(start, end)
    return {
        "first": iso(first),
        "last": iso(last),
        "age_days": round((end - last) / DAY, 6),
        "days": len(wanted),
        "missing": _spans([day for day in wanted if day not in days]),
    }


def _days_of(start: datetime, end: datetime) -> list[date]:
    last = (end - timedelta(microseconds=1)).date()
    return [start.date() + DAY * number for number in range((last - start.date()).days + 1)]


def _spans(days: list[date]) -> list[list[str]]:
    """Join consecutive days."""
    spans: list[list[date]] = []
    for day in days:
        if spans and day - spans[-1][1] == DAY:
            spans[-1][1] = day
        else:
            spans.append([day, day])
    return [[first.isoformat(), last.isoformat()] for first, last in spans]


def missing_days(coverage: Coverage) -> int:
    return sum((date.fromisoformat(last) - date.fromisoformat(first)).days + 1 for first, last in coverage["missing"])


def describe(coverage: Coverage) -> str:
    """Name the span that the rows cover, and the days without rows."""
    span = f"{coverage['first'][:10]} to {coverage['last'][:10]}"
    if not coverage["missing"]:
        return f"{span}, a row on every day"
    named = [first if first == last else f"{first} to {last}" for first, last in coverage["missing"][:NAMED_SPANS]]
    more = len(coverage["missing"]) - len(named)
    spans = ", ".join(named) + (f" and {more:,} more spans" if more else "")
    return f"{span}; no row on {missing_days(coverage):,} of {coverage['days']:,} days: {spans}"


def staleness(coverage: Coverage, window: Window, most_days: float) -> str:
    """Describe rows that are older than agreed; empty if they are not, or if no age was agreed (0)."""
    if not most_days or coverage["age_days"] <= most_days:
        return ""
    age = f"{coverage['age_days']:,.1f} days before {window['as_of']}"
    agreed = f"at most {most_days:g} days were agreed (data.max_age_days)"
    return f"the newest row is from {coverage['last']}, {age}; {agreed}"
