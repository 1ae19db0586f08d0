"""A shard, one file of a batch, is scored in segments: runs of its rows that are kept as a whole. So a job that is
stopped loses little, and the next one goes on behind what is there.

Rows count from 1.
"""

from collections.abc import Iterable
from typing import NotRequired, TypedDict


class Summary(TypedDict):
    """Summary of a segment, which the Score job writes beside its files."""

    shard: str
    release: str | None
    first_row: int
    next_row: int  # behind the segment
    last: bool  # whether it ends the shard
    files: dict[str, int]  # bytes by name
    read: int
    scored: int
    quarantined: int
    chunks: int  # files of results for the table
    reasons: NotRequired[dict[str, int]]  # quarantined rows by rule


def flat(shard: str) -> str:
    """Write a shard's name, the path of its file under the input, as one file name."""
    return shard.replace("/", "~")


def segment_name(shard: str, first_row: int) -> str:
    """Name the files of a segment, or of some rows of it, without their endings."""
    return f"{flat(shard)}-{first_row:012d}"


def next_row(segments: Iterable[Summary], *, start: int = 1) -> int | None:
    """Find the first row of a shard that is in no segment, from `start` on; None where the last segment is there.

    Segments behind a gap do not count: their rows are scored again.
    """
    by_first_row = {segment["first_row"]: segment for segment in segments}
    row = start
    while row in by_first_row:
        if by_first_row[row]["last"]:
            return None
        row = by_first_row[row]["next_row"]
    return row
