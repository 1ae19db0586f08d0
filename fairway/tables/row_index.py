"""Find duplicates in a file, and rows that were loaded before, with an index on disk and not in memory."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from domain.contract.schema import Contract
from fairway.tables.disk_table import DiskTable
from model_code.rows.duplicates import compared_columns, row_names

_TABLE = "CREATE TABLE rows (name TEXT PRIMARY KEY, row INTEGER, is_loaded INTEGER DEFAULT 0) WITHOUT ROWID"


class First(NamedTuple):
    """The first duplicate of a file: its position from 1, and its name (`row_names`)."""

    row: int
    name: str


class RowIndex(DiskTable):
    """Rows of one file by name (`row_names`). `repeated` counts those that repeat an earlier row of the file."""

    def __init__(self, file: Path, contract: Contract) -> None:
        super().__init__(file, _TABLE)
        self.contract = contract
        self.repeated = 0
        self.first_repeated: First | None = None

    def add(self, rows: Any, numbers: Iterable[int]) -> None:
        """Add a RecordBatch of the file; `numbers` are the positions of its rows in the file, from 1."""
        named = list(zip(row_names(self.contract, rows), map(int, numbers), strict=True))
        before = self.database.total_changes
        self.database.executemany("INSERT OR IGNORE INTO rows (name, row) VALUES (?, ?)", named)
        repeated = len(named) - (self.database.total_changes - before)
        if repeated and self.first_repeated is None:
            self.first_repeated = next(First(row, name) for name, row in named if self._place_of(name) != row)
        self.repeated += repeated

    def _place_of(self, name: str) -> int:
        return self.database.execute("SELECT row FROM rows WHERE name = ?", (name,)).fetchone()[0]

    def mark_loaded(self, part: Any) -> None:
        """Mark the rows that the Parquet file `part` (a path, or a file with random access) has too."""
        for names in names_in(part, self.contract):
            marked = ((name,) for name in names)
            self.database.executemany("UPDATE rows SET is_loaded = 1 WHERE name = ? AND is_loaded = 0", marked)

    def loaded(self) -> tuple[int, First | None]:
        """Return how many rows were marked, and the first of them."""
        count, row = self.database.execute("SELECT count(*), min(row) FROM rows WHERE is_loaded").fetchone()
        if not count:
            return 0, None
        (name,) = self.database.execute("SELECT name FROM rows WHERE is_loaded ORDER BY row LIMIT 1").fetchone()
        return count, First(row, name)


def names_in(part: Any, contract: Contract) -> Iterator[list[str]]:
    """Return the names of a part's rows; empty if another contract wrote it without a required column."""
    columns = compared_columns(contract)
    with pq.ParquetFile(part, pre_buffer=False) as parquet:
        there = [name for name in columns if name in parquet.schema_arrow.names]
        absent = [name for name in columns if name not in there]
        if not _is_comparable(parquet.schema_arrow, absent, contract):
            return
        for batch in parquet.iter_batches(columns=there):
            for name in absent:
                batch = batch.append_column(name, pa.nulls(len(batch), pa.string()))  # noqa: PLW2901 as it is compared
            yield row_names(contract, batch)


def _is_comparable(schema: pa.Schema, absent: list[str], contract: Contract) -> bool:
    time = contract.event_time
    has_time = time is None or (time.name not in absent and pa.types.is_timestamp(schema.field(time.name).type))
    return has_time and all(contract.by_name[name].nullable for name in absent)
