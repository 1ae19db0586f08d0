"""Bins of a column and rows by bin, by whole columns of Arrow: what domain/watch/bins.py makes value by value."""

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.watch.bins import FEW_NUMBERS, Bins, CategoryBins, NumberBins, category_bins, number_bins

_DIGITS = 6  # of a probability: two engines may differ in the last bits, and equal answers are in one bin
_Column: TypeAlias = pa.Array | pa.ChunkedArray


def bins_of_column(values: _Column) -> Bins:
    """Make the bins of a column from its reference rows."""
    known = values.drop_null()
    if _is_number(values.type):
        numbers = np.sort(_numbers(known))
        numbers = numbers[~np.isnan(numbers)]
        if len(np.unique(numbers)) > FEW_NUMBERS:
            return number_bins(numbers)
    return category_bins(_times(known))


def count_column(bins: Bins, values: _Column) -> np.ndarray:
    """Count the values in each bin: (labels,) of int64, in the order of the bins' labels."""
    if isinstance(bins, NumberBins):
        return _count_numbers(bins, values)
    return _count_categories(bins, values)


def rounded(probabilities: pa.Array) -> pa.Array:
    """Return probabilities as they are counted."""
    return pc.round(probabilities, ndigits=_DIGITS)


def _count_numbers(bins: NumberBins, values: _Column) -> np.ndarray:
    """Count spans; what is no number is not within, as a text in a column that had numbers."""
    if not _is_number(values.type):
        missing = values.null_count
        return np.array([0] * bins.ordered + [len(values) - missing, missing])
    numbers, edges = _numbers(values), np.array(bins.edges)
    places = np.minimum(np.searchsorted(edges, numbers, side="right") - 1, bins.ordered - 1)
    places[(numbers < edges[0]) | (numbers > edges[-1])] = bins.ordered
    places[np.isnan(numbers)] = bins.ordered + 1
    return np.bincount(places, minlength=bins.ordered + 2)


def _count_categories(bins: CategoryBins, values: _Column) -> np.ndarray:
    counts = np.zeros(len(bins.labels), dtype=np.int64)
    for value, times in _times(values).items():
        counts[bins.place(value)] += times
    return counts


def _times(values: _Column) -> dict:
    """Count how often each value is there, null among them."""
    counted = pc.value_counts(values)
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _numbers(values: _Column) -> np.ndarray:
    """Return float64 of its own, NaN where there is null."""
    return pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False).copy()
