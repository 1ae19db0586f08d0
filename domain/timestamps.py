"""Timestamps: ISO 8601 text read, and written in one way only."""

import re
from datetime import UTC, datetime

# No 24:00, which some versions of Python take for midnight and others refuse.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?")


def parse_timestamp(text: str) -> datetime | None:
    """ISO 8601 date, or date and time to the microsecond, UTC unless it says otherwise. None if it is anything else."""
    match = TIMESTAMP.fullmatch(text)
    if not match or not text.isascii():
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def iso(moment: datetime) -> str:
    """The one way a moment is written: UTC, seconds, and microseconds only where there are any."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
