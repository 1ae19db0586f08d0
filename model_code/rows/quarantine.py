"""Rows that broke the contract, as they were read, with their problems."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from domain.contract.values import Problem
from model_code.rows.blocks import Rows

# `row` and `problems`, [{column, value, rule, allowed}], are JSON text; row numbers count from 1.
QUARANTINE = pa.schema([("row_number", pa.int64()), ("row", pa.string()), ("problems", pa.string())])


def quarantined(rows: Rows, bad: list[int], faults: Mapping[int, list[Problem]], first_row: int) -> pa.RecordBatch:
    """Return the bad rows, which have these places in the block, with their problems."""
    as_read = (
        [rows[index] for index in bad] if isinstance(rows, list) else rows.take(pa.array(bad, pa.int64())).to_pylist()
    )
    return pa.RecordBatch.from_pydict(
        {
            "row_number": [first_row + index for index in bad],
            "row": [_as_json(row) for row in as_read],
            "problems": [_as_json([problem._asdict() for problem in faults[index]]) for index in bad],
        },
        schema=QUARANTINE,
    )


def _as_json(value: Any) -> str:
    try:
        return _plain_json(value)
    except RecursionError:  # Python writes less deeply nested values than it reads
        return json.dumps("(nested too deeply to be shown)")


def _plain_json(value: Any) -> str:
    try:
        return json.dumps(value, default=str, allow_nan=False)
    except ValueError:  # NaN and infinities, which JSON does not have
        return json.dumps(_without_nan(value), default=str)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value
