"""Rows that are there twice: the same key, and the same event time if there is one.

In a table without a key nothing tells two equal rows from one row that was loaded twice: they are counted by all that
is learnt from, and all of them count.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.schema import Contract
from model_code.rows.identity import Rows, entity_ids, event_times

_NULL, _BETWEEN = "\0", "\x1f"  # no text of a table that people wrote has them


def naming_columns(contract: Contract) -> list[str]:
    """Return the columns that tell a row from every other; none for a table without a key."""
    keys = [column.name for column in contract.of_role("key")]
    return [*keys, contract.event_time.name] if keys and contract.event_time else keys


def compared_columns(contract: Contract) -> list[str]:
    """Return the columns that `row_names` reads: those that name a row, else all that a model may be told."""
    ignored = {column.name for column in contract.of_role("ignored")}
    return naming_columns(contract) or [column.name for column in contract.columns if column.name not in ignored]


def row_names(contract: Contract, rows: Rows) -> list[str]:
    """Return a text for each row, the same for rows that are one. Needs only the compared columns."""
    return _named(contract, rows) if naming_columns(contract) else _digests(compared_columns(contract), rows)


def _named(contract: Contract, rows: Rows) -> list[str]:
    keys = entity_ids(contract, rows)
    if contract.event_time is not None:
        keys = pc.binary_join_element_wise(keys, event_times(contract, rows), " at ")
    names: list[str] = keys.to_pylist()
    return names


def _digests(columns: list[str], rows: Rows) -> list[str]:
    texts = [pc.fill_null(_texts(rows.column(name)), _NULL) for name in columns]
    joined = pc.binary_join_element_wise(*texts, pa.scalar(_BETWEEN, texts[0].type))
    return [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in joined.to_pylist()]


def _texts(values: pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
    """Write each value as text; a timestamp as its number, which needs no table of time zones."""
    if pa.types.is_timestamp(values.type):
        values = pc.cast(values, pa.int64())
    return pc.cast(values, pa.large_string())


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
