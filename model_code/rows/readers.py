"""Files of rows, read block by block: CSV and JSON Lines (both gz too) and Parquet. What is wrong with a whole file is
a FileRefused.
"""

import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from model_code.refusals import FileRefused, Malformed
from model_code.rows.read_csv import csv_titles, open_csv
from model_code.rows.read_lines import open_lines
from model_code.rows.read_parquet import open_parquet

KINDS = ".csv, .csv.gz, .jsonl, .json (one object per line), .jsonl.gz, .json.gz and .parquet"
OPENERS = {
    ".csv": open_csv,
    ".csv.gz": open_csv,
    ".jsonl": open_lines,
    ".json": open_lines,
    ".jsonl.gz": open_lines,
    ".json.gz": open_lines,
    ".parquet": open_parquet,
}


@dataclass(frozen=True)
class Source:
    """An opened file. `columns` in file order, None where each row brings its own names (JSON Lines); `is_text` says
    that cells are text still to be read (CSV). `blocks` yields RecordBatches, or lists of decoded lines for JSON
    Lines.
    """

    file: Path
    columns: list[str] | None
    is_text: bool
    blocks: Iterator


def open_source(file: Path | str, *, coded: Container[str] = ()) -> Source:
    """Opens a file and reads its header. A fault further down raises FileRefused when it is reached, so keep nothing
    of a file before its last block was read. The text columns named in `coded` stay dictionaries where the file has
    them as such (Parquet): what their few texts mean is then found once, and not row by row.
    """
    file = Path(file)
    opener = OPENERS.get(kind_of(file))
    if opener is None:
        raise FileRefused(file, f"files of this kind are not read; give {KINDS}")
    try:
        columns, is_text, blocks = opener(file, coded)
    except FAULTS as error:
        raise FileRefused(file, fault(error)) from error
    twice = sorted({name for name in columns or [] if columns.count(name) > 1})
    if twice:
        raise FileRefused(file, f"the header names {', '.join(map(repr, twice))} more than once; name each column once")
    return Source(file, columns, is_text, guarded(file, blocks))


def titles_above(file: Path) -> tuple[str, ...]:
    """Lines above the header of a file that can be opened, which are passed over; only CSV has any."""
    return csv_titles(file) if OPENERS.get(kind_of(file)) is open_csv else ()


def kind_of(file: Path) -> str:
    return "".join(file.suffixes[-2:]).lower() if file.suffix.lower() == ".gz" else file.suffix.lower()


def guarded(file: Path, blocks: Iterator) -> Iterator:
    """The blocks; a fault while reading, or no row at all, refuses the file."""
    rows = 0
    try:
        for block in blocks:
            rows += len(block)
            yield block
    except FAULTS as error:
        raise FileRefused(file, fault(error)) from error
    if rows == 0:
        raise FileRefused(file, "has no rows; give a file with at least one")


# ---- what can go wrong


FAULTS = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, zlib.error, Malformed)


def fault(error: Exception) -> str:
    """What a reader's error means for the person who gave the file."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, Malformed):
        return text
    if isinstance(error, FileNotFoundError):
        return "not found; check the path"
    if isinstance(error, (IsADirectoryError, PermissionError)):
        return f"cannot be opened ({error.strerror}); give a readable file"
    if "Empty CSV file" in text:
        return "is empty; give a file with a header and at least one row"
    if "utf-8" in text.lower() or "utf8" in text.lower():
        return "is not UTF-8 text; convert it, e.g. iconv -f LATIN1 -t UTF-8"
    if "Truncated" in text or isinstance(error, EOFError):
        return "is cut off: its compressed data ends early; copy it again"
    if "Expected" in text and "columns, got" in text:
        return (
            f"holds two schemas: {text.removeprefix('CSV parse error: ')}; every row needs as many fields as the header"
        )
    if "magic bytes" in text or "Parquet file size" in text or "footer" in text:
        return f"is not a whole Parquet file, cut off or something else ({text}); copy it again"
    return f"cannot be read: {text}"
