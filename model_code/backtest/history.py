"""A project's rows by the day of their event time: Arrow files that are mapped, so that no history need fit in memory.

A row is asked about on its day. What became of it, and so the row to learn from, is known some days later.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.schema import Contract
from domain.train.windows import Window, bulk_of_days, instants
from domain.watch.scenarios import Kind, Scenario, outcome_days
from model_code.backtest.changes import Asked, asked, most_frequent, unchanged
from model_code.refusals import FileRefused
from model_code.rows.duplicates import in_order_of_loading
from model_code.rows.tables import read_part, schema_of
from model_code.rows.window import each_once
from model_code.settings import JobRefused

_HELD_ROWS = 500_000  # in memory while rows are sorted into days
_INDEX = "days.json"
_FIRST = date(1970, 1, 1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class History:
    """Rows by day, each once and in the order of time."""

    folder: Path
    contract: Contract
    rows: dict[date, int]  # of each day that has any
    scenario: Scenario | None = None

    @property
    def ends(self) -> tuple[date, date]:
        """Return the first and the last day of nearly all rows: a row of the year 2099 does not count."""
        return bulk_of_days(self.rows)

    def day(self, day: date) -> Asked:
        """Return the rows that are asked about on a day."""
        if day not in self.rows:
            return unchanged(schema_of(self.contract, with_target=True).empty_table())
        table = _read(self.folder / f"{day}.arrow")
        if self.scenario is None or day.isoformat() < self.scenario["since"]:
            return unchanged(table)
        return asked(self.contract, self.scenario, day, table, self._renamed)

    @cached_property
    def _renamed(self) -> dict[str, str]:
        """Return the texts that a scenario renames: the most frequent ones of the last day before it."""
        assert self.scenario is not None, "only a scenario renames"
        if self.scenario["kind"] != Kind.CATEGORY:
            return {}
        since = date.fromisoformat(self.scenario["since"])
        day = max((each for each in self.rows if each < since), default=min(self.rows))
        return most_frequent(_read(self.folder / f"{day}.arrow"), self.scenario["columns"])

    def part(self, window: Window, part: str, usual: int) -> pa.Table:
        """Return the rows of `part` (train or evaluate) of a window of whole days whose outcomes are known at its
        as_of; usually they are `usual` days after the end of their day.
        """
        start, middle, end = (moment.date() for moment in instants(window))
        first, last = (start, middle) if part == "train" else (middle, end)
        days = [day for day in sorted(self.rows) if first <= day < last and self.known_at(day, usual) <= end]
        schema = schema_of(self.contract, with_target=True)
        return pa.concat_tables([schema.empty_table(), *(self.day(day).rows for day in days)])

    def known_at(self, day: date, usual: int) -> date:
        """Return the day at whose beginning the outcomes of a day have come."""
        return day + DAY + outcome_days(self.scenario, day, usual)

    def count_known(self, usual: int, *, at: date, after: date = date.min, first: date = date.min) -> int:
        """Count the rows from the day `first` on whose outcomes came after the day `after`, and at the latest `at`."""
        return sum(rows for day, rows in self.rows.items() if first <= day and after < self.known_at(day, usual) <= at)


def open_history(folder: Path, contract: Contract, scenario: Scenario | None) -> History | None:
    """Open what `sort_into_days` wrote; None if it is not there."""
    index = folder / _INDEX
    if not index.is_file():
        return None
    rows = {date.fromisoformat(day): count for day, count in json.loads(index.read_text()).items()}
    return History(folder, contract, rows, scenario)


def sort_into_days(
    parts: Path, contract: Contract, folder: Path, *, loads: Sequence[str], duplicates: str, tell: Callable[[int], None]
) -> None:
    """Write the rows of the Parquet files in `parts` by day; `tell` is told how many were read. Raises JobRefused."""
    if contract.event_time is None:
        raise JobRefused(
            f"contract {contract.name!r}: must have an event_time to be replayed by; name the column that says when"
        )
    folder.mkdir()
    pieces: dict[date, list[Path]] = {}
    for number, held in enumerate(_held(parts, contract, loads, tell)):
        for day, rows in _by_day(contract, held):
            file = folder / f"{day}-{number}.piece"
            _write(file, rows)
            pieces.setdefault(day, []).append(file)
    counts: dict[date, int] = {}
    for day, files in sorted(pieces.items()):
        table = each_once(contract, pa.concat_tables([_read(file) for file in files]), duplicates)
        _write(folder / f"{day}.arrow", table.combine_chunks())
        counts[day] = len(table)
        for file in files:
            file.unlink()
    if not counts:
        raise JobRefused("no row keeps the contract; load rows, or name files that have some")
    (folder / _INDEX).write_text(json.dumps({day.isoformat(): count for day, count in counts.items()}))


def _held(parts: Path, contract: Contract, loads: Sequence[str], tell: Callable[[int], None]) -> Iterator[pa.Table]:
    """Yield the accepted rows of every file in the order of loading, many at once."""
    held: list[pa.RecordBatch] = []
    waiting = read = 0
    for file in in_order_of_loading(list(parts.rglob("*.parquet")), loads):
        try:
            for checked in read_part(file, contract):
                held.append(checked.accepted)
                waiting += len(checked.accepted)
                read += len(checked.accepted)
                tell(read)
                if waiting >= _HELD_ROWS:
                    yield pa.Table.from_batches(held)
                    held, waiting = [], 0
        except FileRefused as error:
            raise JobRefused(f"a part of the history cannot be read: {error}") from error
    if held:
        yield pa.Table.from_batches(held)


def _by_day(contract: Contract, rows: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """Split rows by the day of their event time; those of a day stay in their order."""
    assert contract.event_time is not None, "sort_into_days refuses such a contract"
    times = pc.cast(rows.column(contract.event_time.name), pa.int64()).to_numpy()
    days = np.floor_divide(times, DAY // timedelta(microseconds=1))
    for number in np.unique(days).tolist():
        yield _FIRST + DAY * number, rows.filter(pa.array(days == number))


def _write(file: Path, rows: pa.Table) -> None:
    with pa.OSFile(str(file), "wb") as stream, pa.ipc.new_file(stream, rows.schema) as writer:
        writer.write_table(rows)


def _read(file: Path) -> pa.Table:
    with pa.memory_map(str(file)) as source:
        return pa.ipc.open_file(source).read_all()


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
