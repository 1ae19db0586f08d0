"""Windows of event time: the days a run learns from and the later days it is judged on; and the names of runs."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import TypedDict, TypeVar

from domain.timestamps import iso, parse_timestamp

FEWEST_WITH_OUTLIERS = 10  # with fewer rows, none counts as far from the others


class WindowError(ValueError):
    """Report an impossible timestamp or span; the message names what is allowed."""


class Window(TypedDict):
    """Timestamps of half-open spans: train in [train_start, evaluate_start), evaluate in [evaluate_start, as_of)."""

    train_start: str
    evaluate_start: str
    as_of: str


class Part(TypedDict):
    """One Parquet file of a load; `first` and `last` event time are None for a table without one."""

    key: str
    rows: int
    first: str | None
    last: str | None


AnyPart = TypeVar("AnyPart", bound=Part)


class RunRefused(ValueError):
    """Report a name that a run cannot have."""


def training_window(*, as_of: str, window_days: int, evaluate_days: int) -> Window:
    """Compute the window of a run. Raises WindowError."""
    end = parse_timestamp(as_of)
    if end is None:
        raise WindowError(
            f"as_of = {as_of!r}: must be an ISO 8601 date or time such as 2013-04-01 or 2013-04-01T00:00:00Z"
        )
    if not 0 < evaluate_days < window_days:
        raise WindowError(
            f"evaluate_days = {evaluate_days}: must be from 1 to {window_days - 1}, one less than window_days"
        )
    try:
        starts = end - timedelta(days=window_days), end - timedelta(days=evaluate_days)
    except OverflowError:
        raise WindowError(
            f"window_days = {window_days}: must not reach before the year 1 from {as_of}; take fewer days"
        ) from None
    return {"train_start": iso(starts[0]), "evaluate_start": iso(starts[1]), "as_of": iso(end)}


def instants(window: Window) -> tuple[datetime, datetime, datetime]:
    """Return train_start, evaluate_start and as_of. Raises WindowError."""
    return _instant(window["train_start"]), _instant(window["evaluate_start"]), _instant(window["as_of"])


def overlapping(parts: Iterable[AnyPart], start: str, end: str) -> list[AnyPart]:
    """Select the parts with rows in [start, end); a part of a table without event time belongs to every window.

    A part whose entities were all forgotten has no rows and belongs to none.
    """
    after, before = _instant(start), _instant(end)
    return [part for part in parts if part["rows"] and _is_within(part, after, before)]


def _is_within(part: Part, after: datetime, before: datetime) -> bool:
    """Compare instants, not texts: as text, 00:00:00Z sorts after 00:00:00.5Z."""
    if part["first"] is None or part["last"] is None:
        return True
    return _instant(part["first"]) < before and _instant(part["last"]) >= after


def rows_between(parts: Iterable[Part], start: datetime, end: datetime) -> int:
    """Estimate the rows in [start, end): of a part that lies partly within, as much as of its time; a part of a table
    without event time counts whole.
    """
    return round(sum(part["rows"] * _share_within(part, start, end) for part in parts))


def _share_within(part: Part, start: datetime, end: datetime) -> float:
    if part["first"] is None or part["last"] is None:
        return 1.0
    first, last = _instant(part["first"]), _instant(part["last"])
    if first >= end or last < start:
        return 0.0
    if first == last:
        return 1.0
    return (min(last, end) - max(first, start)) / (last - first)


def _instant(text: str) -> datetime:
    instant = parse_timestamp(text)
    if instant is None:
        raise WindowError(f"timestamp = {text!r}: must be an ISO 8601 date or time")
    return instant


def newest_row(parts: Iterable[Part], now: datetime) -> datetime | None:
    """Return the newest event time, at most now, so that one row of 2099 does not hide the others. None without any."""
    spans = ((_instant(part["first"]), _instant(part["last"])) for part in parts if part["first"] and part["last"])
    return max((min(last, now) for first, last in spans if first <= now), default=None)


def bulk_of_days(rows: Mapping[date, int]) -> tuple[date, date]:
    """Find the first and the last day of nearly all rows, from the number of rows of each day.

    Excluded are the few rows, at most one in a hundred at either end, that are further away from the others than the
    others span: a year such as 2099 or 1900.
    """
    days, left = sorted(rows), max(1, sum(rows.values()) // 100)
    if sum(rows.values()) < FEWEST_WITH_OUTLIERS:
        return days[0], days[-1]
    low, high = _day_beyond(days, rows, left), _day_beyond(days[::-1], rows, left)
    span = max((high - low).days, 1)
    inside = [day for day in days if (low - day).days <= span and (day - high).days <= span]
    return inside[0], inside[-1]


def _day_beyond(days: list[date], rows: Mapping[date, int], few: int) -> date:
    """Return the first of the days that more than a few rows reach."""
    passed = 0
    for day in days:
        passed += rows[day]
        if passed > few:
            return day
    return days[-1]


def run_name(kind: str, as_of: str, started: str) -> str:
    """Name a run by its kind, as_of and start: train-20130401-20261122T074500Z."""
    return f"{kind}-{_compact(as_of)[:8]}-{_compact(started)[:15]}Z"


def checked_run(run: object) -> str:
    """Check the name, which becomes a part of S3 keys, items and job names. Raises RunRefused."""
    if not isinstance(run, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}", run):
        raise RunRefused(f"run = {run!r}: must have 1 to 80 letters, digits, dots, dashes and underscores")
    return run


def _compact(timestamp: str) -> str:
    return timestamp.replace("-", "").replace(":", "").rstrip("Z")
