"""Find quarantined rows that were corrected since: a later load has a row of their key and event time.

Uses an index on disk.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from domain.contract.keys import entity_id
from domain.contract.schema import Column, Contract
from domain.contract.text import from_text
from domain.contract.values import check_value
from domain.train.windows import Part
from fairway.tables.disk_table import DiskTable
from fairway.tables.quarantined import Quarantined
from fairway.tables.row_index import names_in
from model_code.rows.duplicates import naming_columns

_SECOND = len("2013-01-01T10:15:00")
_TABLE = """CREATE TABLE rows (
    place INTEGER, row INTEGER, name TEXT, is_mended INTEGER DEFAULT 0, PRIMARY KEY (name, place, row)
) WITHOUT ROWID"""


class Mended(DiskTable):
    """Quarantined rows by name, each with the place of its load in the order of loading. The contract has a key."""

    def __init__(self, file: Path, contract: Contract) -> None:
        super().__init__(file, _TABLE)
        self.contract = contract
        self.times: list[str] = []  # the first and the last event time, in whole seconds

    def add(self, place: int, rows: Iterable[Quarantined]) -> None:
        """Add the rows of a load; one whose key or event time cannot be read has no name, and counts as not
        corrected.
        """
        for one in rows:
            name = name_of(self.contract, one.values)
            if name is not None:
                found = (place, one.row, name)
                self.database.execute("INSERT INTO rows (place, row, name) VALUES (?, ?, ?)", found)
                self._widen(name)

    def _widen(self, name: str) -> None:
        if self.contract.event_time:
            second = name.rpartition(" at ")[2][:_SECOND]
            self.times = [min([second, *self.times]), max([second, *self.times])]

    def may_be_in(self, part: Part) -> bool:
        """Return whether a part may have one of the rows, by its first and last event time."""
        first, last = part["first"], part["last"]
        if not self.times or first is None or last is None:
            return True
        return first[:_SECOND] <= self.times[1] and self.times[0] <= last[:_SECOND]

    def mark(self, place: int, part: Any) -> None:
        """Mark the rows of earlier loads that the Parquet file `part` of this load has."""
        for names in names_in(part, self.contract):
            found = ((name, place) for name in names)
            self.database.executemany("UPDATE rows SET is_mended = 1 WHERE name = ? AND place < ?", found)

    @property
    def count(self) -> int:
        (count,) = self.database.execute("SELECT count(*) FROM rows WHERE is_mended").fetchone()
        return int(count)

    def is_mended(self, place: int, one: Quarantined) -> bool:
        place_of = (name_of(self.contract, one.values), place, one.row)
        found = self.database.execute("SELECT is_mended FROM rows WHERE name = ? AND place = ? AND row = ?", place_of)
        return bool((found.fetchone() or (0,))[0])


def name_of(contract: Contract, values: Any) -> str | None:
    """Name a row as it was sent, like `row_names`; None if its key or event time cannot be read."""
    if not isinstance(values, dict):
        return None
    read = {name: _read(contract.by_name[name], values.get(name)) for name in naming_columns(contract)}
    if None in read.values():
        return None
    time = contract.event_time
    return entity_id(contract, read) + (f" at {read[time.name]}" if time else "")


def _read(column: Column, value: Any) -> object:
    kept, problems = check_value(column, from_text(column, value) if isinstance(value, str) else value)
    return None if problems else kept
