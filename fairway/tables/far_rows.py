"""Rows of a load that are far from the others in time, or in the future: most often a typing error."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime

from domain.train.windows import Part, bulk_of_days

MOST_NAMED = 3


def far_rows(parts: Iterable[Part], now: datetime) -> list[tuple[str, int]]:
    """Return (first event time, rows) of the parts far from the others or after now, oldest first.

    A part is a month of one file, so rows within one month are not distinguished.
    """
    timed = [(str(part["first"]), str(part["last"]), part["rows"]) for part in parts if part["first"] is not None]
    if not timed:
        return []
    days: Counter[date] = Counter()
    for first, last, rows in timed:  # half of them at either end: a month is a span, not its first day
        days[_day(first)] += rows - rows // 2
        days[_day(last)] += rows // 2
    begin, end = bulk_of_days(days)
    today = now.astimezone(UTC).date()
    return sorted((first, rows) for first, _, rows in timed if not begin <= _day(first) <= min(end, today))


def sentence(far: list[tuple[str, int]]) -> list[str]:
    """Describe them in a line; empty without any."""
    if not far:
        return []
    named = ", ".join(first for first, _ in far[:MOST_NAMED])
    more = f" and {len(far) - MOST_NAMED} more" if len(far) > MOST_NAMED else ""
    rows = sum(count for _, count in far)
    where = f"{rows:,} rows are far from the others or in the future, from {named}{more} on"
    return [f"{where}: `fairway unload` the file and load a corrected one if they are wrong"]


def _day(timestamp: str) -> date:
    return date.fromisoformat(timestamp[:10])
