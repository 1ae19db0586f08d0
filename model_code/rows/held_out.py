"""The rows that a run was judged on, one block at a time: those of `read_window`, without a table of them in memory."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.csv as csv

from domain.contract.schema import Contract
from domain.train.windows import Window
from model_code.rows.duplicates import in_order_of_loading, naming_columns, row_names
from model_code.rows.identity import in_window, iso_texts
from model_code.rows.tables import read_part

_Numbered: TypeAlias = tuple[int, pa.RecordBatch]  # the place of its first row among all, and the rows


def write_held_out(
    folder: Path, contract: Contract, window: Window, out: Path, *, loads: Sequence[str], duplicates: str
) -> int:
    """Write the rows of the window's evaluation from the Parquet files in `folder` as CSV; return how many there are.

    They are those that `read_window` reads, in the order in which they were loaded.
    """
    names = [column.name for column in contract.columns_to_check(with_target=True)]
    schema = pa.schema([(name, pa.string()) for name in names])
    written = 0
    with csv.CSVWriter(out, schema) as writer:
        for rows in held_out_blocks(folder, contract, window, loads=loads, duplicates=duplicates):
            writer.write_batch(pa.RecordBatch.from_arrays([_texts(rows.column(name)) for name in names], schema=schema))
            written += len(rows)
    return written


def held_out_blocks(
    folder: Path, contract: Contract, window: Window, *, loads: Sequence[str], duplicates: str
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the window's evaluation as `read_window` reads them, one block at a time.

    Of rows that are one, only the last is yielded; it is found by an index on disk, in `folder`.
    """
    files = in_order_of_loading(list(folder.rglob("*.parquet")), loads)
    index = folder / "rows.index"
    if duplicates == "keep" or not naming_columns(contract):
        yield from (rows for _, rows in _within(files, contract, window))
        return
    database = sqlite3.connect(index, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("CREATE TABLE rows (name TEXT PRIMARY KEY, place INTEGER) WITHOUT ROWID")
        database.execute("BEGIN")
        for first, rows in _within(files, contract, window):
            named = zip(row_names(contract, rows), range(first, first + len(rows)), strict=True)
            database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", named)
        for first, rows in _within(files, contract, window):
            last = [_place(database, name) for name in row_names(contract, rows)]
            yield rows.filter(pa.array([place == first + number for number, place in enumerate(last)], pa.bool_()))
    finally:
        database.close()
        index.unlink(missing_ok=True)


def _place(database: sqlite3.Connection, name: str) -> int:
    (place,) = database.execute("SELECT place FROM rows WHERE name = ?", (name,)).fetchone()
    return int(place)


def _within(files: list[Path], contract: Contract, window: Window) -> Iterator[_Numbered]:
    first = 0
    for file in files:
        for checked in read_part(file, contract):
            rows = checked.accepted.filter(in_window(contract, checked.accepted, window, "evaluate"))
            yield first, rows
            first += len(rows)


def _texts(values: pa.Array) -> pa.Array:
    """Write values as `fairway load` reads them; a null stays one, which is an empty cell."""
    if pa.types.is_timestamp(values.type):
        return iso_texts(values)
    if pa.types.is_floating(values.type):  # as Python writes them: the shortest text that is read as the same number
        return pa.array([None if value is None else repr(value) for value in values.to_pylist()], pa.string())
    return values.cast(pa.string())
