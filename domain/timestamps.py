"""Read timestamps from ISO 8601 text, and write them in one form."""

import re
from datetime import UTC, datetime

# No 24:00, which some versions of Python take for midnight and others refuse.
_ISO_8601 = re.compile(r"\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_BEYOND_MICROSECONDS = re.compile(r"(?<=\.\d{6})\d+")


def parse_timestamp(text: str) -> datetime | None:
    """Read an ISO 8601 date, or date and time, in UTC unless it has an offset; None for any other text.

    Digits beyond microseconds are cut, since some RFC 3339 writers give nanoseconds.
    """
    if not text.isascii() or not _ISO_8601.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(_BEYOND_MICROSECONDS.sub("", text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def iso(moment: datetime) -> str:
    """Write a timestamp in UTC with seconds, and with microseconds only if there are any."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
