"""A table as a model takes it: the features as Arrow columns, and the matrices that scikit-learn is fitted on."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.schema import Column, Contract
from model_code.rows.column_values import ARROW_TYPES
from model_code.rows.features import kind_of, model_columns

_MICROSECONDS = 1_000_000.0


def model_batch(contract: Contract, batch: pa.RecordBatch | pa.Table) -> pa.RecordBatch | pa.Table:
    """Return checked rows as the model of this contract takes them: texts or dictionaries, numbers and booleans.

    A feature that the rows do not have, being of another contract, is null in all.
    """
    columns = {column.name: _model_array(column, _values_of(column, batch)) for column in contract.features}
    return type(batch).from_pydict(columns)


def _values_of(column: Column, batch: pa.RecordBatch | pa.Table) -> pa.Array | pa.ChunkedArray:
    """Return the column of the batch, or as many nulls of its type."""
    if column.name in batch.schema.names:
        return batch.column(column.name)
    return pa.nulls(len(batch), ARROW_TYPES[column.type])


def _model_array(column: Column, values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    kind = kind_of(column)
    if kind == "category":
        return values if pa.types.is_dictionary(values.type) else pc.cast(values, pa.string())
    if kind == "boolean":
        return values
    if column.type == "timestamp":
        return pc.divide(pc.cast(pc.cast(values, pa.int64()), pa.float64(), safe=False), _MICROSECONDS)
    return values


def matrix(contract: Contract, table: pa.Table) -> np.ndarray:
    """Return the (rows, features) matrix that scikit-learn is fitted on: text or None beside float64 with NaN; all
    float64 where no feature is a category.
    """
    kinds = [column["kind"] for column in model_columns(contract)]
    out = np.empty((len(table), len(kinds)), dtype=object if "category" in kinds else np.float64)
    for place, (kind, values) in enumerate(zip(kinds, model_batch(contract, table).columns, strict=True)):
        out[:, place] = (
            _texts(values) if kind == "category" else pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        )
    return out


def _texts(values: pa.ChunkedArray) -> np.ndarray:
    """Return Python texts, one object for each distinct value however many rows have it."""
    coded = values.combine_chunks().dictionary_encode(null_encoding="encode")
    return np.array(coded.dictionary.to_pylist() or [None], dtype=object)[coded.indices.to_numpy()]


def target(contract: Contract, table: pa.Table) -> np.ndarray:
    """Return the labels: 1 for the positive class, else 0 (binary); the class (multiclass); float64 (regression)."""
    values = table.column(contract.target.name)
    if contract.task == "binary":
        return np.array([int(value == contract.positive) for value in values.to_pylist()])
    if contract.task == "regression":
        return pc.cast(values, pa.float64()).to_numpy()
    return np.array(values.to_pylist())
