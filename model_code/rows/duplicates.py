"""Rows that are there twice: the same key, and the same event time if there is one.

A table without a key has none: nothing tells two equal rows from one row that was loaded twice.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.schema import Contract
from model_code.rows.identity import Rows, entity_ids, event_times


def naming_columns(contract: Contract) -> list[str]:
    """Return the columns that tell a row from every other; none for a table without a key."""
    keys = [column.name for column in contract.of_role("key")]
    return [*keys, contract.event_time.name] if keys and contract.event_time else keys


def row_names(contract: Contract, rows: Rows) -> list[str]:
    """Return a text for each row, the same for rows of the same key and event time. Needs only the naming columns."""
    keys = entity_ids(contract, rows)
    if contract.event_time is not None:
        keys = pc.binary_join_element_wise(keys, event_times(contract, rows), " at ")
    names: list[str] = keys.to_pylist()
    return names


def in_order_of_loading(files: Sequence[Path], loads: Sequence[str]) -> list[Path]:
    """Sort parts by their loads, which `loads` names oldest first; parts of unknown loads come before all."""
    place = {load: number for number, load in enumerate(loads)}
    return sorted(files, key=lambda file: (place.get(_load_of(file), -1), file))


def _load_of(part: Path) -> str:
    return part.stem.rpartition("-")[0]


def newest_only(contract: Contract, table: pa.Table) -> pa.Table:
    """Keep the last of the rows that are one, in a table where such rows stand side by side, oldest first."""
    names = naming_columns(contract)
    if not names or len(table) < 2:
        return table
    is_replaced = pa.array([True] * (len(table) - 1))
    for name in names:
        values = table.column(name).combine_chunks()
        is_replaced = pc.and_(is_replaced, pc.equal(values[:-1], values[1:]))
    return table.filter(pa.concat_arrays([pc.invert(is_replaced), pa.array([True])]))
