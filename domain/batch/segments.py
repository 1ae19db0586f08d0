"""A shard, one file of a batch, is scored in segments: runs of its rows that are kept as a whole. So a job that is
stopped loses little, and the next one goes on behind what is there.

A segment's summary says {shard, first_row, next_row, last, files: {name: bytes}}, and what was counted; rows count from
1.
"""

from collections.abc import Iterable


def flat(shard: str) -> str:
    """A shard's name, its place under the input, as one file name."""
    return shard.replace("/", "~")


def segment_name(shard: str, first_row: int) -> str:
    """What the files of a segment, or of some rows of it, are called, but for their endings."""
    return f"{flat(shard)}-{first_row:012d}"


def next_row(segments: Iterable[dict], *, start: int = 1) -> int | None:
    """The first row of a shard that is in no segment, from `start` on; None where the last segment is there. What lies
    behind a gap does not count: it is scored again.
    """
    by_first_row = {segment["first_row"]: segment for segment in segments}
    row = start
    while row in by_first_row:
        if by_first_row[row]["last"]:
            return None
        row = by_first_row[row]["next_row"]
    return row
