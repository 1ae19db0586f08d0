"""Files of rows, read block by block: CSV and JSON Lines (both gz too) and Parquet. A fault of a whole file is a
FileRefused.
"""

import zlib
from collections.abc import Callable, Container, Iterator
from pathlib import Path

import pyarrow as pa

from model_code.refusals import FileRefused, Malformed
from model_code.rows.blocks import Opened, Rows, Source
from model_code.rows.read_csv import csv_titles, open_csv
from model_code.rows.read_lines import open_lines
from model_code.rows.read_parquet import open_parquet

_KINDS = ".csv, .csv.gz, .tsv, .tsv.gz, .jsonl, .jsonl.gz, .json, .json.gz (an object a line) or .parquet"
_OPENERS: dict[str, Callable[[Path, Container[str]], Opened]] = {
    ".csv": open_csv,
    ".csv.gz": open_csv,
    ".tsv": open_csv,
    ".tsv.gz": open_csv,
    ".jsonl": open_lines,
    ".json": open_lines,
    ".jsonl.gz": open_lines,
    ".json.gz": open_lines,
    ".parquet": open_parquet,
}


def open_source(file: Path | str, *, coded: Container[str] = ()) -> Source:
    """Open a file and read its header. Raises FileRefused.

    A fault further down raises it when it is reached, so keep nothing of a file before its last block was read. The
    text columns named in `coded` stay dictionaries where the file has them as such (Parquet): their few texts are then
    checked once, and not row by row.
    """
    file = Path(file)
    opener = _OPENERS.get(_kind_of(file))
    if file.is_dir():
        raise FileRefused(file, "is a folder; name a file in it")
    if opener is None:
        raise FileRefused(file, f"is of another kind: its name must end in {_KINDS}")
    try:
        opened = opener(file, coded)
    except _FAULTS as error:
        raise FileRefused(file, _fault(error)) from error
    columns = opened.columns or []
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise FileRefused(file, f"the header names {', '.join(map(repr, twice))} more than once; name each column once")
    return Source(file, opened.columns, opened.is_text, _guarded(file, opened.blocks))


def titles_above(file: Path) -> tuple[str, ...]:
    """Return the lines above the header of a file that can be opened, which are passed over; only CSV has any."""
    return csv_titles(file) if _OPENERS.get(_kind_of(file)) is open_csv else ()


def _kind_of(file: Path) -> str:
    return "".join(file.suffixes[-2:]).lower() if file.suffix.lower() == ".gz" else file.suffix.lower()


def _guarded(file: Path, blocks: Iterator[Rows]) -> Iterator[Rows]:
    """Yield the blocks; refuse the file at a fault while reading, or if it has no row."""
    rows = 0
    try:
        for block in blocks:
            rows += len(block)
            yield block
    except _FAULTS as error:
        raise FileRefused(file, _fault(error)) from error
    if rows == 0:
        raise FileRefused(file, "has no rows; give a file with at least one")


# ---- faults of files

_FAULTS = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, zlib.error, Malformed)


def _fault(error: Exception) -> str:
    """Word a reader's error for the person who gave the file."""
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
