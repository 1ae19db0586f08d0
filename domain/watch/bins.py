"""Bins of a column, made from the reference alone, in which a window's values are counted."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FEW_NUMBERS = 20  # so many distinct numbers are categories: a tenth of the rows would hide that 5 became 7
_SHARES = 10
_MOST_CATEGORIES = 50  # the others of the reference are one bin
_MOST_KNOWN = 1000  # of more distinct values, such as names or free text, a new one is nothing new

Value = str | int | float | bool | None


@dataclass(frozen=True)
class NumberBins:
    """Spans of equally many reference rows between the least and the greatest value; then `unseen` for values beyond
    them, then `missing`.
    """

    edges: tuple[float, ...]  # ascending: least, inner edges, greatest

    @property
    def ordered(self) -> int:
        """Return how many bins, from the first on, are spans in order."""
        return len(self.edges) - 1

    @property
    def labels(self) -> list[str]:
        spans = [f"{low:g} to {high:g}" for low, high in zip(self.edges, self.edges[1:], strict=False)]
        return [*spans, "unseen", "missing"]

    def place(self, value: Value) -> int:
        if _is_missing(value):
            return self.ordered + 1
        if not isinstance(value, (int, float)) or not self.edges[0] <= value <= self.edges[-1]:
            return self.ordered
        return min(bisect_right(self.edges, value) - 1, self.ordered - 1)


@dataclass(frozen=True)
class CategoryBins:
    """A bin for each value, the most frequent first; then `others`, `unseen` and `missing`.

    Where the reference has too many values to know each, `others` is None: then every other value is of them.
    """

    values: tuple[Value, ...]
    others: frozenset[Value] | None = frozenset()  # rare values of the reference
    ordered: int = 0

    @property
    def labels(self) -> list[str]:
        return [*map(str, self.values), "others", "unseen", "missing"]

    def place(self, value: Value) -> int:
        if _is_missing(value):
            return len(self.values) + 2
        if value in self.values:
            return self.values.index(value)
        return len(self.values) + (self.others is not None and value not in self.others)


Bins = NumberBins | CategoryBins


def bins_of(reference: Iterable[Value]) -> Bins:
    """Make the bins of a column from its reference rows; a column without any value has `unseen` and `missing`."""
    known = [value for value in reference if not _is_missing(value)]
    counts = Counter(known)
    numbers = [value for value in known if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(numbers) == len(known) and len(counts) > FEW_NUMBERS:
        return number_bins(sorted(numbers))
    return category_bins(counts)


def number_bins(ordered: Sequence[float]) -> NumberBins:
    """Cut numbers that are in order into shares of equally many; equal cuts are one."""
    inner = [ordered[len(ordered) * number // _SHARES] for number in range(1, _SHARES)]
    return NumberBins(tuple(sorted({float(edge) for edge in (ordered[0], *inner, ordered[-1])})))


def category_bins(counts: Mapping[Any, int]) -> CategoryBins:
    """Make the bins of values of which each is there so often."""
    ranked = sorted(counts, key=lambda value: (-counts[value], str(value)))
    others = frozenset(ranked[_MOST_CATEGORIES:]) if len(ranked) <= _MOST_KNOWN else None
    return CategoryBins(tuple(ranked[:_MOST_CATEGORIES]), others)


def count(bins: Bins, values: Iterable[Value]) -> list[int]:
    """Count the values in each bin, in the order of its labels."""
    found = Counter(map(bins.place, values))
    return [found[place] for place in range(len(bins.labels))]


def _is_missing(value: Value) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


# ---- as plain data


def as_dict(bins: Bins) -> dict[str, Any]:
    """Write the bins as JSON can hold them, the same bins in the same way; `from_dict` reads them back."""
    if isinstance(bins, NumberBins):
        return {"edges": list(bins.edges)}
    others = None if bins.others is None else sorted(bins.others, key=str)
    return {"values": list(bins.values), "others": others}


def from_dict(document: Mapping[str, Any]) -> Bins:
    if "edges" in document:
        return NumberBins(tuple(document["edges"]))
    others = document["others"]
    return CategoryBins(tuple(document["values"]), None if others is None else frozenset(others))
