"""Which rows of a file are there twice, in the file or in what was loaded before: an index on disk, not in memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from domain.contract.schema import Contract
from model_code.rows.duplicates import naming_columns, row_names

CACHE_KIB = 65_536  # of the index that SQLite holds in memory
_TABLE = "CREATE TABLE rows (name TEXT PRIMARY KEY, row INTEGER, is_loaded INTEGER DEFAULT 0) WITHOUT ROWID"


class First(NamedTuple):
    """The first row of a file that is there twice: its place from 1, and its key with its event time."""

    row: int
    name: str


class RowIndex:
    """The rows of one file by key and event time. `repeated` counts those that an earlier row of the file is too."""

    def __init__(self, file: Path, contract: Contract) -> None:
        self.contract = contract
        self.repeated = 0
        self.first_repeated: First | None = None
        self.database = sqlite3.connect(file, isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE_KIB}"):
            self.database.execute(f"PRAGMA {pragma}")
        self.database.execute(_TABLE)
        self.database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()

    def add(self, rows: Any, numbers: Iterable[int]) -> None:
        """Add a RecordBatch of the file; `numbers` are the places of its rows in the file, from 1."""
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
        """Mark the rows that the Parquet file `part` (a path, or a file to read at any place) has too."""
        for names in _names_in(part, self.contract):
            marked = ((name,) for name in names)
            self.database.executemany("UPDATE rows SET is_loaded = 1 WHERE name = ? AND is_loaded = 0", marked)

    def loaded(self) -> tuple[int, First | None]:
        """How many rows were marked, and the first of them."""
        count, row = self.database.execute("SELECT count(*), min(row) FROM rows WHERE is_loaded").fetchone()
        if not count:
            return 0, None
        (name,) = self.database.execute("SELECT name FROM rows WHERE is_loaded ORDER BY row LIMIT 1").fetchone()
        return count, First(row, name)


def _names_in(part: Any, contract: Contract) -> Iterator[list[str]]:
    """The names of a part's rows; none where another contract wrote it without the columns."""
    columns = naming_columns(contract)
    with pq.ParquetFile(part, pre_buffer=False) as parquet:
        if _has(parquet.schema_arrow, contract):
            for batch in parquet.iter_batches(columns=columns):
                yield row_names(contract, batch)


def _has(schema: pa.Schema, contract: Contract) -> bool:
    time = contract.event_time
    is_named = set(naming_columns(contract)) <= set(schema.names)
    return is_named and (time is None or pa.types.is_timestamp(schema.field(time.name).type))
