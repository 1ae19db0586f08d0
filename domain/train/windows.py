"""Spans of event time: which days a run learns from, and which later days it is judged on; and how a run is called."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from domain.timestamps import iso, parse_timestamp


class WindowError(ValueError):
    """A moment or a span that cannot be; the message says what is allowed."""


class RunRefused(ValueError):
    """A run cannot have this name."""


def training_window(*, as_of: str, window_days: int, evaluate_days: int) -> dict:
    """{train_start, evaluate_start, as_of}, half open: train in [train_start, evaluate_start), judge in
    [evaluate_start, as_of).
    """
    end = parse_timestamp(as_of)
    if end is None:
        raise WindowError(f"as_of {as_of!r} is not a moment; write ISO 8601 such as 2013-04-01 or 2013-04-01T00:00:00Z")
    if not 0 < evaluate_days < window_days:
        raise WindowError(f"evaluate_days {evaluate_days} must be from 1 to window_days {window_days} less one")
    try:
        starts = end - timedelta(days=window_days), end - timedelta(days=evaluate_days)
    except OverflowError:
        raise WindowError(f"window_days {window_days} before {as_of} is before the year 1; take fewer days") from None
    return {"train_start": iso(starts[0]), "evaluate_start": iso(starts[1]), "as_of": iso(end)}


def overlapping(parts: Iterable[dict], start: str, end: str) -> list[dict]:
    """The parts with rows in [start, end); a part of a table without event time belongs to every window."""
    after, before = parse_timestamp(start), parse_timestamp(end)
    return [part for part in parts if part["first"] is None or is_within(part, after, before)]


def is_within(part: dict, after: datetime, before: datetime) -> bool:
    """Moments, not their texts: 00:00:00Z sorts after 00:00:00.5Z."""
    return parse_timestamp(part["first"]) < before and parse_timestamp(part["last"]) >= after


def run_name(kind: str, as_of: str, started: str) -> str:
    """Sorts by when it was started: train-20130401-20261122T074500Z."""
    return f"{kind}-{compact(as_of)[:8]}-{compact(started)[:15]}Z"


def checked_run(run: str) -> str:
    """The name, which is a part of keys in the lake, of items and of jobs. Raises RunRefused."""
    if not isinstance(run, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}", run):
        raise RunRefused(f"run {run!r}: a run's name has 1 to 80 letters, digits, dots, dashes and underscores")
    return run


def compact(moment: str) -> str:
    return moment.replace("-", "").replace(":", "").rstrip("Z")
