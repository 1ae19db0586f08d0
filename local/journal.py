"""State of the local AWS on disk before an answer is sent: rows in one SQLite file with a write-ahead log.

A write is put in memory first, where every read finds it, and goes to disk with all concurrent writes, in one
transaction and one sync. The sync runs in its own thread; few rows are written on the event loop, since most of the
cost is one thread waiting for the other. SQLite checks its log, so an incomplete last record is not read;
local/generations.py keeps a copy of the whole file.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypedDict

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS spaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    # A rowid table: rows go to its end, and only the small index is written all over (31 instead of 61 us a row).
    "CREATE TABLE IF NOT EXISTS rows (space INTEGER, part TEXT, key TEXT, value BLOB, PRIMARY KEY (space, part, key))",
)
DELETE = "DELETE FROM rows WHERE space = ? AND part = ? AND key = ?"
LOG_BYTES = 32 << 20  # then its pages go to the file
FEW_ROWS = 8  # written on the event loop
ROWS_A_STATEMENT = 100
CACHE_KB = 65536
BUSY_S = 30

_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class Written(TypedDict):
    """Whether the disk accepts writes: the failure, and other messages."""

    failure: str | None
    warnings: list[str]


class JournalError(Exception):
    """Report that a request took effect in memory and is not on disk."""


@dataclass
class _Batch:
    """What goes to disk together: new spaces, dropped ones, and rows, where None is a row to remove."""

    spaces: dict[int, str] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    rows: dict[tuple[int, str], dict[str, bytes | None]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.spaces or self.dropped or self.rows)


class Journal:
    """Rows by space, part and key. A space is one table, one index of it, or one service's state."""

    def __init__(self, path: Path):
        self.path = path
        self.failure: str | None = None
        self._lock, self._disk = threading.RLock(), threading.Lock()
        self._writer, self._reader = connect(path), connect(path)
        self._thread = ThreadPoolExecutor(1, "journal")
        self._pending = _Batch()
        self._writing: list[_Batch] = []
        self._round: asyncio.Future | None = None
        self._task: asyncio.Task | None = None
        self._log = os.open(f"{path}-wal", os.O_RDWR)
        self._unsynced = False
        self._spaces = dict(self._reader.execute("SELECT id, name FROM spaces"))

    def spaces(self, name: str | None = None) -> list[int]:
        """Return the spaces of this name, or all."""
        with self._lock:
            return [number for number, found in self._spaces.items() if name in (None, found)]

    def name(self, space: int) -> str:
        return self._spaces[space]

    def add_space(self, name: str) -> int:
        with self._lock:
            number = max(self._spaces, default=0) + 1
            self._spaces[number] = self._pending.spaces[number] = name
            return number

    def drop_space(self, number: int) -> None:
        """Remove a space with all its rows. Its number may be reused once that is on disk."""
        with self._lock:
            self._pending.dropped.add(number)
            for place in [place for place in self._pending.rows if place[0] == number]:
                del self._pending.rows[place]

    def put(self, space: int, part: str, key: str, value: bytes | None) -> None:
        """Write a row, or remove it."""
        with self._lock:
            self._pending.rows.setdefault((space, part), {})[key] = value

    def part(self, space: int, part: str) -> dict[str, bytes]:
        """Return all current rows of one part, written or not yet: {key: value}."""
        return self.parts(space, [part])[part]

    def parts(self, space: int, parts: list[str]) -> dict[str, dict[str, bytes]]:
        """Return all current rows of these parts, {part: {key: value}}, with one read of the disk."""
        found: dict[str, dict[str, bytes | None]] = {part: {} for part in parts}
        places = ", ".join("?" * len(found))
        with self._lock:
            query = f"SELECT part, key, value FROM rows WHERE space = ? AND part IN ({places})"
            for part, key, value in self._reader.execute(query, (space, *found)):
                found[part][key] = value
            for batch in (*self._writing, self._pending):
                for part, rows in found.items():
                    rows.update(batch.rows.get((space, part), {}))
        return {part: {key: value for key, value in rows.items() if value is not None} for part, rows in found.items()}

    def after(self, space: int, part: str = "", *, chunk: int = 500) -> Iterator[tuple[str, str, bytes]]:
        """Yield rows from this part on, in order, one chunk in memory at a time. Pending rows are written first."""
        self.flush()
        return self._written_after(space, (part, ""), chunk)

    def _written_after(self, space: int, at: tuple[str, str], chunk: int) -> Iterator[tuple[str, str, bytes]]:
        comparison = ">="
        while True:
            with self._lock:
                rows = self._reader.execute(
                    f"SELECT part, key, value FROM rows WHERE space = ? AND (part, key) {comparison} (?, ?) "
                    "ORDER BY part, key LIMIT ?",
                    (space, *at, chunk),
                ).fetchall()
            yield from rows
            if len(rows) < chunk:
                return
            at, comparison = rows[-1][:2], ">"

    def count(self, space: int) -> int:
        self.flush()
        with self._lock:
            return self._reader.execute("SELECT count(*) FROM rows WHERE space = ?", (space,)).fetchone()[0]

    @property
    def is_behind(self) -> bool:
        """Return whether something is not on disk yet."""
        return bool(self._pending or self._writing or self._unsynced)

    def behind(self, parts: int) -> bool:
        """Return whether more than this many parts wait for the disk."""
        return len(self._pending.rows) > parts

    def flush(self) -> None:
        """Write everything and wait. Raises JournalError if the disk does not accept it."""
        self._take()
        self._drain()

    def begin(self) -> None:
        """Start writing what is pending without waiting. Called on the event loop, between two requests."""
        if self._task is None or self._task.done():
            self._round = self._round or asyncio.get_running_loop().create_future()
            self._task = asyncio.get_running_loop().create_task(self._write_rounds())

    async def settled(self) -> None:
        """Wait until everything before is on disk. Raises JournalError if the disk does not accept it."""
        if not self.is_behind:
            return
        current = self._round = self._round or asyncio.get_running_loop().create_future()
        self.begin()
        await asyncio.shield(current)

    def close(self) -> None:
        """Write everything, and merge the log into the file."""
        try:
            self.flush()
        finally:
            self._thread.shutdown()
            for opened in (self._reader, self._writer):
                opened.close()
            os.close(self._log)

    async def _write_rounds(self) -> None:
        """Write one transaction after the other, each with everything that came during the one before."""
        loop = asyncio.get_running_loop()
        while self._round is not None:
            current, self._round = self._round, None
            self._take()  # here, where no request is half done
            try:
                self._write_few()
                await loop.run_in_executor(self._thread, self._drain)
            except JournalError as error:
                for future in filter(None, (current, self._round)):
                    future.set_exception(error)
                    future.exception()  # there may be nobody who waits
                self._round = None
            else:
                current.set_result(None)

    def _take(self) -> None:
        with self._lock:
            if self._pending:
                self._writing = [*self._writing, self._pending]
                self._pending = _Batch()

    def _write_few(self) -> None:
        """Write pending rows immediately if they are few and no other thread writes."""
        if sum(len(batch.rows) for batch in self._writing) <= FEW_ROWS and self._disk.acquire(blocking=False):
            try:
                self._write_taken()
            finally:
                self._disk.release()

    def _drain(self) -> None:
        """Write pending rows and sync the log."""
        with self._disk:
            self._write_taken()
            try:
                _sync(self._log)
                if os.fstat(self._log).st_size > LOG_BYTES:
                    self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except (OSError, sqlite3.Error) as error:
                self._fail(error)
            self._unsynced, self.failure = False, None

    def _write_taken(self) -> None:
        """Write the pending batches in order. They are kept for another attempt if it fails."""
        with self._lock:
            batches = self._writing
        if not batches:
            return
        try:
            _write(self._writer, batches)
        except sqlite3.Error as error:
            self._fail(error)
        with self._lock:
            self._writing, self._unsynced = self._writing[len(batches) :], True
            for number in {number for batch in batches for number in batch.dropped}:
                self._spaces.pop(number, None)

    def _fail(self, error: Exception) -> NoReturn:
        self.failure = failure = f"{self.path} cannot be written ({error})"
        raise JournalError(failure) from error


def connect(path: Path) -> sqlite3.Connection:
    """Open the file so that a commit is in the log when it returns; syncing the log makes it durable."""
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 0"):
        database.execute(f"PRAGMA {pragma}")
    database.execute(f"PRAGMA cache_size = -{CACHE_KB}")
    for statement in SCHEMA:
        database.execute(statement)
    return database


def _write(database: sqlite3.Connection, batches: list[_Batch]) -> None:
    """Write all or nothing. A few rows are one statement, which needs no transaction of its own."""
    rows = [row for batch in batches for row in _rows(batch)]
    is_plain = all(row[3] is not None for row in rows) and not any(batch.spaces or batch.dropped for batch in batches)
    if is_plain and 0 < len(rows) <= FEW_ROWS:
        return _put(database, rows)
    database.execute("BEGIN IMMEDIATE")
    try:
        for batch in batches:
            _write_batch(database, batch)
        database.execute("COMMIT")
    except sqlite3.Error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _write_batch(database: sqlite3.Connection, batch: _Batch) -> None:
    rows = list(_rows(batch))
    database.executemany("INSERT INTO spaces VALUES (?, ?)", batch.spaces.items())
    _put(database, [row for row in rows if row[3] is not None])
    database.executemany(DELETE, (row[:3] for row in rows if row[3] is None))
    for table, column in (("rows", "space"), ("spaces", "id")):
        database.executemany(f"DELETE FROM {table} WHERE {column} = ?", ((number,) for number in batch.dropped))


def _put(database: sqlite3.Connection, rows: list[tuple[int, str, str, bytes | None]]) -> None:
    """Write many rows in a statement; between two statements another thread may run."""
    for at in range(0, len(rows), ROWS_A_STATEMENT):
        some = rows[at : at + ROWS_A_STATEMENT]
        places = ", ".join(["(?, ?, ?, ?)"] * len(some))
        database.execute(f"INSERT OR REPLACE INTO rows VALUES {places}", [value for row in some for value in row])


def _rows(batch: _Batch) -> Iterator[tuple[int, str, str, bytes | None]]:
    for (space, part), values in batch.rows.items():
        for key, value in values.items():
            yield space, part, key, value
