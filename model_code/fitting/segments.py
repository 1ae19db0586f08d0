"""Find the column by whose values the fallback answers better than by one prior for all rows."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.schema import Column, Contract
from domain.train.confidence import Segments, segment_key
from domain.train.credibility import Sums, credible_means

MOST_VALUES = 200  # of a column
_LEAST_HALF = 100  # rows
_LEAST_ROWS = 10  # of a value: one of fewer is like none, and may name somebody
_Z = 3.0  # standard errors by which the gain must exceed 0; several columns are tried


class _Coded(NamedTuple):
    """A column: the place (rows,) of each row's value in `names`, -1 for null."""

    places: np.ndarray
    names: list[str]


def segments_of(contract: Contract, table: pa.Table, actual: np.ndarray) -> Segments | None:
    """Return the prior of each value of the column whose priors do best, or None if none beats one prior for all.

    `actual` (rows,) holds 0 and 1, or values; a multiclass task has none. A column is tried by the priors of the older
    half of the rows on the newer half, by squared error; then its priors are made of all rows.
    """
    half = len(actual) // 2
    if contract.task == "multiclass" or half < _LEAST_HALF:
        return None
    values = actual.astype(float)
    tried = {column.name: _coded(column, table) for column in contract.features}
    gains = {name: _gain(coded, values, half) for name, coded in tried.items() if coded}
    best = max(gains, key=lambda name: gains[name], default=None)
    coded = tried[best] if best is not None and gains[best] > 0 else None
    return None if coded is None or best is None else _priors(best, coded, values)


def _coded(column: Column, table: pa.Table) -> _Coded | None:
    """Return the codes of a column of few values; None for numbers and texts of many."""
    if column.type not in ("string", "boolean") and column.categories is None:
        return None
    encoded = pc.dictionary_encode(table.column(column.name).combine_chunks())
    names: list[Any] = encoded.dictionary.to_pylist()
    if not 2 <= len(names) <= MOST_VALUES:
        return None
    return _Coded(pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False), [segment_key(n) for n in names])


def _gain(coded: _Coded, values: np.ndarray, half: int) -> float:
    """Return the mean by which the squared error falls on the newer half; 0 if that may be chance."""
    older, newer = values[:half], values[half:]
    sums = _sums(_Coded(coded.places[:half], coded.names), older)
    means = credible_means(sums) if sums else {}
    everybody = older.mean()
    by_place = np.array([means.get(name, everybody) for name in coded.names] + [everybody])  # the last one for null
    gained = (newer - everybody) ** 2 - (newer - by_place[coded.places[half:]]) ** 2
    mean, error = gained.mean(), gained.std() / np.sqrt(len(gained))
    return float(mean) if mean > _Z * error else 0.0


def _sums(coded: _Coded, values: np.ndarray) -> dict[str, Sums]:
    known = coded.places >= 0
    places, values = coded.places[known], values[known]
    size = len(coded.names)
    columns = (np.bincount(places, weights, size) for weights in (None, values, values**2))
    return {
        name: Sums(int(rows), float(total), float(squares))
        for name, rows, total, squares in zip(coded.names, *columns, strict=True)
        if rows >= _LEAST_ROWS
    }


def _priors(column: str, coded: _Coded, values: np.ndarray) -> Segments:
    sums = _sums(coded, values)
    means = credible_means(sums)
    return {
        "column": column,
        "priors": {
            name: {"cases": each.rows, "total": each.total, "prior": means[name]} for name, each in sums.items()
        },
    }
