"""Read the head of a CSV file from its first bytes: separator, lines above the header and columns, or why it is not
CSV.
"""

import csv
import io
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from domain.contract.text import SPACES

REASONS = "why quarantined"  # a column that `fairway quarantine --out` adds; a corrected file may still have it
SEPARATORS = (",", ";", "\t", "|")
MOST_TITLES = 8  # lines above a header
_LOOKED_AT = 12  # records
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|$)")
_UNREAD_SEPARATORS = ("\x01", "^", "~", "¦", ":", " ")
_OTHER_KINDS = (
    (b"\x1f\x8b", "is gzip, though its name does not end in .gz; rename it, or unpack it"),
    (b"PK\x03\x04", "is a ZIP archive or an Excel workbook; unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "is an Excel workbook of before 2007; save the sheet as CSV"),
    (b"PAR1", "is Parquet, though its name says otherwise; rename it to .parquet"),
    (b"\x28\xb5\x2f\xfd", "is compressed with Zstandard; unpack it, or compress it with gzip"),
    (b"BZh", "is compressed with bzip2; unpack it, or compress it with gzip"),
    (b"\xfd7zXZ", "is compressed with xz; unpack it, or compress it with gzip"),
    (b"\xff\xfe\0\0", "is UTF-32 text; convert it, e.g. iconv -f UTF-32 -t UTF-8"),
    (b"\0\0\xfe\xff", "is UTF-32 text; convert it, e.g. iconv -f UTF-32 -t UTF-8"),
    (b"\xff\xfe", "is UTF-16 text; convert it, e.g. iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "is UTF-16 text; convert it, e.g. iconv -f UTF-16 -t UTF-8"),
    (b"version https://git-lfs", "is a pointer of Git LFS and not the file; `git lfs pull` fetches it"),
)
_WEB_PAGE = re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE)


@dataclass(frozen=True)
class CsvHead:
    """The head of a CSV file.

    `names` are the columns without surrounding spaces, `written` as they are in the file. `start` counts the bytes
    above the header, which are `titles` or blank. `problem` says why the file is not CSV; empty if it is.
    """

    written: list[str]
    separator: str = ","
    start: int = 0
    titles: tuple[str, ...] = ()
    problem: str = ""

    @property
    def names(self) -> list[str]:
        return [name.strip(SPACES) for name in self.written]


def not_text(head: bytes) -> str:
    """Return why a file is not text in UTF-8, as far as its first bytes tell; empty if they do not."""
    problem = next((why for magic, why in _OTHER_KINDS if head.startswith(magic)), "")
    if not problem and _WEB_PAGE.match(head):
        problem = "is a web page, of a sign-in perhaps, and not the file; download the file itself"
    if not problem and b"\0" in head[:200]:
        problem = "holds zero bytes, as UTF-16 text does; convert it, e.g. iconv -f UTF-16LE -t UTF-8"
    return problem


def unread_separator(names: Sequence[str]) -> str:
    """Return a hint on what seems to separate the columns of a file that has one for us; empty if nothing does."""
    found = next((one for one in _UNREAD_SEPARATORS if len(names) == 1 and one in names[0].strip(SPACES)), None)
    known = "commas, semicolons, tabs or bars"
    return f". They seem to be separated by {found!r}; separate them by {known}" if found else ""


def csv_head(head: bytes, *, is_whole: bool) -> CsvHead:
    """Look at the first bytes of a file; `is_whole`: there are no more."""
    problem = not_text(head)
    if problem:
        return CsvHead([], problem=problem)
    whole_lines = head if is_whole else head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1]
    try:
        whole_lines.decode("utf-8-sig")
    except UnicodeDecodeError:
        return CsvHead([], problem="is not UTF-8 text; convert it, e.g. iconv -f LATIN1 -t UTF-8")
    if head and not whole_lines:
        return CsvHead([], problem=f"has no line end within {len(head):,} bytes; a CSV file starts with its header")
    return _below_titles(whole_lines)


def _below_titles(text: bytes) -> CsvHead:
    """Find the first line from which on all records have as many fields as the header, else the first line that is not
    blank.
    """
    titles: list[str] = []
    start, first = 0, None
    for line in itertools.islice(_LINE.findall(text), MOST_TITLES + 1):
        shown = line.decode("utf-8-sig").strip()
        if shown.strip(" \t,;|"):
            head = _from(text[start:], start, tuple(titles))
            if head is not None:
                return head
            first = start if first is None else first
            titles.append(shown)
        start += len(line)
    records = _records(text[first or 0 :], ",")
    return CsvHead(records[0] if records else [], start=first or 0)


def _from(text: bytes, start: int, titles: tuple[str, ...]) -> CsvHead | None:
    """Return the head if a header and rows of the same width begin here; below titles, a row and every column name are
    required.
    """
    for separator in SEPARATORS:
        records = _records(text, separator)
        widths = {len(record) for record in records}
        if len(widths) != 1 or widths == {1} or records[0].count("") > 1:
            continue
        is_below = len(records) > 1 and all(records[0]) and all(_is_title(one, separator) for one in titles)
        if not titles or is_below:
            return CsvHead(records[0], separator, start, titles)
    return None


def _is_title(line: str, separator: str) -> bool:
    """Return whether at most one cell of the line has text; spreadsheets pad a title with empty cells."""
    (cells,) = csv.reader([line], delimiter=separator)
    return sum(bool(cell.strip()) for cell in cells) <= 1


def _records(text: bytes, separator: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""), delimiter=separator)
    try:
        return [record for record in itertools.islice(reader, _LOOKED_AT) if record]
    except csv.Error:
        return []
