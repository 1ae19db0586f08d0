"""What the looks at a rollout saw, a bounded number of them spread evenly over its time: enough for a picture."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from domain.timestamps import parse_timestamp

MOST = 40  # looks kept: a few kilobytes of the rollout's item


class Look(TypedDict):
    """What was known at a look."""

    at: str  # timestamp
    entities: int  # of both sides
    evidence: dict[str, float]  # natural logarithm of an e-value, by rule
    difference: NotRequired[list[float]]  # of an experiment: low end, value, high end


def remembered(looks: Sequence[Look], newest: Look) -> list[Look]:
    """Add a look, unless one is kept that is hardly older; of too many, every second one stays."""
    if looks and _seconds(looks[-1]["at"], newest["at"]) * MOST < _seconds(looks[0]["at"], newest["at"]):
        return list(looks)
    kept = [*looks, newest]
    return kept if len(kept) <= MOST else kept[::2]


def _seconds(start: str, end: str) -> float:
    first, last = parse_timestamp(start), parse_timestamp(end)
    return (last - first).total_seconds() if first and last else 0.0
