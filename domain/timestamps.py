"""Timestamps: ISO 8601 text read, and written in one way only."""

import re
from datetime import UTC, datetime

# No 24:00, which some versions of Python take for midnight and others refuse.
_ISO_8601 = re.compile(r"\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_BEYOND_MICROSECONDS = re.compile(r"(?<=\.\d{6})\d+")


def parse_timestamp(text: str) -> datetime | None:
    """Read an ISO 8601 date, or date and time, UTC unless it says otherwise. None if the text is anything else.

    Digits beyond microseconds are cut, as RFC 3339 writers of nanoseconds give them.
    """
    if not text.isascii() or not _ISO_8601.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(_BEYOND_MICROSECONDS.sub("", text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def iso(moment: datetime) -> str:
    """Write a timestamp in the one way: UTC, seconds, and microseconds only where there are any."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
