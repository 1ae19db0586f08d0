"""Windows that are watched: spans of whole days, by when answers were made; each begins where the one before ends."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)


class Span(NamedTuple):
    """Half open: [start, end)."""

    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """The day that the window begins with, by which it is known everywhere: 2013-04-01."""
        return f"{self.start:%Y-%m-%d}"


def span_of(moment: datetime, days: int) -> Span:
    """Return the window of so many days that the timestamp lies in."""
    length = timedelta(days=days)
    start = _FIRST + (moment - _FIRST) // length * length
    return Span(start, start + length)


def last_whole(as_of: datetime, days: int) -> Span:
    """Return the newest window that has ended at `as_of`."""
    return span_of(span_of(as_of, days).start - timedelta(microseconds=1), days)


def before(span: Span) -> Span:
    return Span(span.start - (span.end - span.start), span.start)


def hours(span: Span) -> list[str]:
    """Name the hours of the window as the lake's folders are: 2013-04-01T08."""
    return [f"{span.start + number * _HOUR:%Y-%m-%dT%H}" for number in range((span.end - span.start) // _HOUR)]


def windows_a_year(days: int) -> int:
    return max(1, round(365 / days))
