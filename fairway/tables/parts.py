"""Write a checked file as Parquet parts: accepted rows by month of event time, quarantined rows with their reasons.

Parts are written to a local folder first, row group by row group, so neither a large file nor many months need much
memory, and a file that turns out to be bad halfway leaves nothing behind.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.parquet import ParquetWriter

from domain import lake
from domain.contract.schema import Contract
from domain.timestamps import iso
from domain.train.windows import Part
from fairway.tables.row_index import RowIndex
from fairway.terminal.progress import Progress
from model_code.rows.tables import read_table

GROUP_ROWS = 65_536  # one row group: larger ones compress better, smaller ones need less memory for many months
PART_ROWS = 1_000_000
HELD_ROWS = 250_000  # in memory for all months together
OPEN_FILES = 48
NO_TIME = "none"


@dataclass
class Month:
    """The part being written for one month."""

    number: int = 0
    writer: Any = None  # a ParquetWriter while it is open
    written: int = 0
    held: list = field(default_factory=list)
    held_rows: int = 0


@dataclass(frozen=True)
class Written:
    """Result of a file. `parts` are those of the accepted rows; `files`: key -> local file; `index` is open."""

    accepted: int
    quarantined: int
    reasons: Counter[str]
    parts: list[Part]
    files: dict[str, Path]
    index: RowIndex


def write_parts(file: Path, contract: Contract, load: str, folder: Path, *, progress: Progress) -> Written:
    """Check the file and write its parts below the folder. Raises FileRefused."""
    accepted = AcceptedParts(load, contract, folder)
    quarantined = QuarantineParts(load, folder)
    index = RowIndex(folder / "rows.sqlite", contract)
    reasons: Counter[str] = Counter()
    rows = 0
    try:
        for checked in read_table(file, contract, with_target=True):
            accepted.add(checked.accepted)
            index.add(checked.accepted, checked.row_numbers)
            quarantined.add(checked.quarantined)
            reasons += checked.reasons
            rows += len(checked.accepted) + len(checked.quarantined)
            progress.detail(f"{rows:,} rows")
    finally:
        accepted.close()
        quarantined.close()
    files = {**accepted.files, **quarantined.files}
    return Written(accepted.rows, quarantined.rows, reasons, list(accepted.parts.values()), files, index)


def may_share_rows(part: Part, own: list[Part]) -> bool:
    """Return whether a part of another load may have rows of these parts, by first and last event time."""
    return any(_overlap(part, one) for one in own)


def _overlap(part: Part, other: Part) -> bool:
    ends = (part["first"], part["last"], other["first"], other["last"])
    if None in ends:
        return True
    first, last, other_first, other_last = map(str, ends)
    return first <= other_last and other_first <= last  # whole seconds, so that texts sort like times


class AcceptedParts:
    def __init__(self, load: str, contract: Contract, folder: Path):
        self.load, self.folder = load, folder
        self.time = contract.event_time.name if contract.event_time else None
        self.months: OrderedDict[str, Month] = OrderedDict()  # the least recently written one comes first
        self.parts: dict[str, Part] = {}
        self.files: dict[str, Path] = {}
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += len(batch)
        for month, rows in _by_month(batch, self.time):
            self.hold(month, rows)
        while sum(month.held_rows for month in self.months.values()) > HELD_ROWS:
            fullest = max(self.months, key=lambda name: self.months[name].held_rows)
            self.flush(fullest)

    def hold(self, name: str, rows: pa.RecordBatch) -> None:
        month = self.months.setdefault(name, Month())
        self.months.move_to_end(name)
        month.held.append(rows)
        month.held_rows += len(rows)
        if month.held_rows >= GROUP_ROWS:
            self.flush(name)

    def flush(self, name: str) -> None:
        """Write the month's pending rows as row groups of its open part."""
        month = self.months[name]
        if not month.held:
            return
        rows = pa.Table.from_batches(month.held)
        if month.writer is None:
            self.open_part(name, month, rows.schema)
        month.writer.write_table(rows, row_group_size=GROUP_ROWS)
        month.written += len(rows)
        self.note(lake.rows_key(self.load, name, month.number), rows)
        month.held, month.held_rows = [], 0
        if month.written >= PART_ROWS:
            self.close_part(month)

    def open_part(self, name: str, month: Month, schema: pa.Schema) -> None:
        opened = [one for one in self.months.values() if one.writer]
        if len(opened) >= OPEN_FILES:
            self.close_part(opened[0])
        key = lake.rows_key(self.load, name, month.number)
        self.files[key] = self.folder / key.replace("/", "_")
        month.writer = ParquetWriter(self.files[key], schema, compression="zstd")

    def close_part(self, month: Month) -> None:
        month.writer.close()
        month.writer, month.written, month.number = None, 0, month.number + 1

    def note(self, key: str, rows: pa.Table) -> None:
        part = self.parts.setdefault(key, {"key": key, "rows": 0, "first": None, "last": None})
        part["rows"] += len(rows)
        if self.time:
            ends = pc.min_max(rows[self.time]).as_py()
            part["first"] = min(filter(None, (part["first"], _floor_s(ends["min"]))))
            part["last"] = max(filter(None, (part["last"], _ceiling_s(ends["max"]))))

    def close(self) -> None:
        for name, month in self.months.items():
            self.flush(name)
            if month.writer:
                self.close_part(month)


class QuarantineParts:
    def __init__(self, load: str, folder: Path):
        self.load, self.folder = load, folder
        self.files: dict[str, Path] = {}
        self.rows = 0
        self.month = Month()

    def add(self, batch: pa.RecordBatch) -> None:
        if not len(batch):
            return
        if self.month.writer is None:
            key = lake.quarantine_key(self.load, self.month.number)
            self.files[key] = self.folder / key.replace("/", "_")
            self.month.writer = ParquetWriter(self.files[key], batch.schema, compression="zstd")
        self.month.writer.write_batch(batch)
        self.rows += len(batch)
        self.month.written += len(batch)
        if self.month.written >= PART_ROWS:
            self.close()

    def close(self) -> None:
        if self.month.writer:
            self.month.writer.close()
            self.month = Month(number=self.month.number + 1)


def _by_month(batch: pa.RecordBatch, time: str | None) -> list[tuple[str, pa.RecordBatch]]:
    """Split the batch by month of event time; return it whole if it lies in one month."""
    if time is None:
        return [(NO_TIME, batch)] if len(batch) else []
    months = pc.strftime(batch[time], "%Y-%m")
    distinct = pc.unique(months).to_pylist()
    if len(distinct) == 1:
        return [(distinct[0], batch)]
    return [(month, batch.filter(pc.equal(months, month))) for month in sorted(distinct)]


def _floor_s(moment: datetime) -> str:
    """Round down to whole seconds, so that texts sort like times."""
    return iso(moment.astimezone(UTC).replace(microsecond=0))


def _ceiling_s(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return iso(moment.replace(microsecond=0) + timedelta(seconds=1 if moment.microsecond else 0))
