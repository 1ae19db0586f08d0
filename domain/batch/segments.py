"""Segments of a shard: consecutive rows whose results are saved as a whole.

A shard is one file of a batch. A job that is stopped loses only its unfinished segments, and the next job continues
after the last one. Rows count from 1.
"""

from collections.abc import Iterable
from typing import NotRequired, TypedDict


class Summary(TypedDict):
    """Summary of a segment, which the Score job writes next to the segment's files."""

    shard: str
    release: str | None
    first_row: int
    next_row: int  # first row after the segment
    last: bool  # whether the segment is the shard's last
    files: dict[str, int]  # size in bytes by file name
    read: int
    scored: int
    quarantined: int
    chunks: int  # files of results for the table
    reasons: NotRequired[dict[str, int]]  # quarantined rows by rule


def flat(shard: str) -> str:
    """Write a shard's name, the path of its file under the input, as a single file name."""
    return shard.replace("/", "~")


def segment_name(shard: str, first_row: int) -> str:
    """Name the files of a segment, or of some of its rows, without their endings."""
    return f"{flat(shard)}-{first_row:012d}"


def next_row(segments: Iterable[Summary], *, start: int = 1) -> int | None:
    """Find the first row of a shard that is in no segment, from `start` on; None if the last segment exists.

    Segments after a gap do not count: their rows are scored again.
    """
    by_first_row = {segment["first_row"]: segment for segment in segments}
    row = start
    while row in by_first_row:
        if by_first_row[row]["last"]:
            return None
        row = by_first_row[row]["next_row"]
    return row
