"""Means of segments, each drawn towards the mean of all rows by as much as its own rows are few."""

from collections.abc import Mapping
from typing import NamedTuple


class Sums(NamedTuple):
    """Rows of a segment: how many, the sum of their values, and of the squares of these."""

    rows: int
    total: float
    squares: float


def credible_means(segments: Mapping[str, Sums]) -> dict[str, float]:
    """Estimate the mean of each segment: (rows * own mean + k * mean of all) / (rows + k).

    `k` is the variance within segments divided by that between them, by moments (Bühlmann and Straub, 1970). Where
    segments differ by no more than chance, all get the mean of all.
    """
    rows, total = sum(each.rows for each in segments.values()), sum(each.total for each in segments.values())
    mean, k = total / rows, _k(segments)
    if k is None:
        return dict.fromkeys(segments, mean)
    return {name: (each.total + k * mean) / (each.rows + k) for name, each in segments.items()}


def _k(segments: Mapping[str, Sums]) -> float | None:
    """Return the rows with which a segment's own mean counts half; None if segments do not differ beyond chance."""
    each = list(segments.values())
    rows = sum(one.rows for one in each)
    freedom = rows - len(each)
    if freedom <= 0 or len(each) == 1:
        return None
    mean = sum(one.total for one in each) / rows
    within = sum(one.squares - one.total**2 / one.rows for one in each) / freedom
    apart = sum(one.rows * (one.total / one.rows - mean) ** 2 for one in each) - (len(each) - 1) * within
    between = apart / (rows - sum(one.rows**2 for one in each) / rows)
    return max(within, 0.0) / between if between > 0 else None
