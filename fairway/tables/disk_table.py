"""A table of SQLite in a file of its own, which lasts as long as a command: what was not finished is made anew."""

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

CACHE_KIB = 65_536  # that SQLite keeps in memory


class DiskTable:
    """The table that `statement` creates, in one transaction that is never committed. Used in a `with`."""

    def __init__(self, file: Path, statement: str) -> None:
        self.database = sqlite3.connect(file, isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE_KIB}"):
            self.database.execute(f"PRAGMA {pragma}")
        self.database.execute(statement)
        self.database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()
