"""What a model sees of a row: the contract's features as numbers, booleans and categories, from one row or from an
Arrow batch.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract import Column, Contract, check_value, parse_timestamp

MICROSECONDS = 1_000_000.0


def model_columns(contract: Contract) -> list[dict]:
    """[{name, kind: number|boolean|category}] in the contract's order. A moment is a number, seconds since 1970; an
    integer that lists its categories is a category.
    """
    return [{"name": column.name, "kind": kind_of(column)} for column in contract.features]


def kind_of(column: Column) -> str:
    if column.type == "string" or column.categories is not None:
        return "category"
    return "boolean" if column.type == "boolean" else "number"


def unfed(model: Contract, contract: Contract) -> list[str]:
    """What a model trained under one contract misses in rows of another: its task, or features of the same name and
    type.
    """
    task = ["the task"] if model.task != contract.task else []
    given = {column.name: (column.type, kind_of(column)) for column in contract.features}
    return task + [column.name for column in model.features if given.get(column.name) != (column.type, kind_of(column))]


def model_value(column: Column, value):
    if value is None:
        return None
    if column.type == "timestamp":
        return parse_timestamp(value).timestamp()
    return str(value) if kind_of(column) == "category" else value


def check_features(contract: Contract, row) -> tuple[dict, list[str]]:
    """(the row as the model takes it, what is wrong with it). Only features matter to a score; other columns of the
    contract may come along.
    """
    if not isinstance(row, dict):
        return {}, [f"found {row!r}, a row must be an object of column names to values"]
    problems = [f"{name!r} is not in the contract {contract.name!r}" for name in row if name not in contract.by_name]
    values = {}
    for column in contract.features:
        kept, found = check_value(column, row.get(column.name))
        problems += [problem.message for problem in found]
        if not found:
            values[column.name] = model_value(column, kept)
    return values, problems


def model_batch(contract: Contract, batch: pa.RecordBatch | pa.Table) -> pa.RecordBatch | pa.Table:
    """Checked rows as the model takes them: string, float64 and bool columns, null where there is nothing."""
    columns = {column.name: model_array(column, batch.column(column.name)) for column in contract.features}
    return type(batch).from_pydict(columns)


def model_array(column: Column, values):
    kind = kind_of(column)
    if kind == "category":
        return pc.cast(values, pa.string())
    if kind == "boolean":
        return values
    if column.type == "timestamp":
        return pc.divide(pc.cast(pc.cast(values, pa.int64()), pa.float64(), safe=False), MICROSECONDS)
    return pc.cast(values, pa.float64())


def matrix(contract: Contract, table: pa.Table) -> np.ndarray:
    """The (rows, features) matrix that scikit-learn is fitted on: text or None beside float64 with NaN; all float64
    where no feature is a category.
    """
    kinds = [column["kind"] for column in model_columns(contract)]
    out = np.empty((len(table), len(kinds)), dtype=object if "category" in kinds else np.float64)
    for place, (kind, values) in enumerate(zip(kinds, model_batch(contract, table).columns, strict=True)):
        out[:, place] = (
            texts(values) if kind == "category" else pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        )
    return out


def texts(values: pa.ChunkedArray) -> np.ndarray:
    """Python texts, one object for each distinct value however many rows have it."""
    coded = values.combine_chunks().dictionary_encode(null_encoding="encode")
    return np.array(coded.dictionary.to_pylist() or [None], dtype=object)[coded.indices.to_numpy()]


def target(contract: Contract, table: pa.Table) -> np.ndarray:
    """What is learnt: 1 for the positive class and 0 (binary), the class (multiclass), the value as float64
    (regression).
    """
    values = table.column(contract.target.name)
    if contract.task == "binary":
        return np.array([int(value == contract.positive) for value in values.to_pylist()])
    if contract.task == "regression":
        return pc.cast(values, pa.float64()).to_numpy()
    return np.array(values.to_pylist())
