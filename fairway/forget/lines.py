"""Text files, compressed or not: CSV and JSON Lines of users, and a batch's results.

Remaining records keep their bytes.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from domain.batch.csv_head import CsvHead, csv_head
from domain.contract.text import SPACES
from fairway.forget.entity import Entity
from fairway.forget.form import Form, Found, Unreadable

HEAD_BYTES = 1 << 20
GZIP_LEVEL = 6
RESULTS = {"all_rows", "each_row", "shard_id"}  # keys of a results file's first line


class Record(NamedTuple):
    """Bytes of a record, or of what stands above all of them; `is_own` is None if it is not a record."""

    content: bytes
    is_own: bool | None


Records = Callable[[IO[bytes], Entity], Iterator[Record]]


def _form(records: Records, *, is_packed: bool) -> Form:
    def opened(file: BinaryIO) -> IO[bytes]:
        return gzip.GzipFile(fileobj=file) if is_packed else file  # type: ignore[return-value]

    def look(file: BinaryIO, entity: Entity) -> Found:
        own = others = 0
        for record in _readable(records(opened(file), entity)):
            own, others = own + (record.is_own is True), others + (record.is_own is False)
        return Found(own, others)

    def write(file: BinaryIO, entity: Entity, out: Path) -> None:
        with out.open("wb") as plain:
            target = gzip.GzipFile("", "wb", GZIP_LEVEL, plain, mtime=0) if is_packed else plain
            target.writelines(one.content for one in records(opened(file), entity) if not one.is_own)
            if is_packed:
                target.close()

    return Form(look, write)


def _readable(records: Iterator[Record]) -> Iterator[Record]:
    try:
        yield from records
    except (EOFError, gzip.BadGzipFile, csv.Error, ValueError, RecursionError) as error:
        raise Unreadable(f"cannot be read to its end: {type(error).__name__}: {error}") from None


# ---- CSV


def _csv_records(file: IO[bytes], entity: Entity) -> Iterator[Record]:
    begin = file.read(HEAD_BYTES)
    head = csv_head(begin, is_whole=len(begin) < HEAD_BYTES)
    places = _key_places(head, entity)
    yield Record(begin[: head.start], None)
    lines = _Lines(_Joined(begin[head.start :], file))
    rows = csv.reader(lines, delimiter=head.separator)
    next(rows, None)
    yield Record(lines.taken(), None)
    for row in rows:
        values = tuple(_decoded(row[place]) if place < len(row) else None for place in places)
        yield Record(lines.taken(), bool(row) and entity.is_named(values))


def _key_places(head: CsvHead, entity: Entity) -> list[int]:
    if head.problem:
        raise Unreadable(head.problem)
    missing = [column.name for column in entity.keys if column.name not in head.names]
    if missing:
        raise Unreadable(f"has no column {', '.join(map(repr, missing))}, which names an entity")
    return [head.names.index(column.name) for column in entity.keys]


def _decoded(cell: str) -> str:
    return cell.encode("latin-1").decode("utf-8", "replace").strip(SPACES)


class _Joined(io.RawIOBase):
    """Bytes that were read ahead, followed by the file they came from."""

    def __init__(self, ahead: bytes, file: IO[bytes]) -> None:
        self.ahead, self.file = ahead, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self.ahead[: len(buffer)] if self.ahead else self.file.read(len(buffer))
        self.ahead = self.ahead[len(found) :]
        buffer[: len(found)] = found
        return len(found)


class _Lines(Iterator[str]):
    """Lines for csv.reader, a letter for each byte and line ends unchanged; `taken` are those of the last record."""

    def __init__(self, file: io.RawIOBase) -> None:
        self.lines = io.TextIOWrapper(io.BufferedReader(file), "latin-1", newline="")
        self.held: list[str] = []

    def __next__(self) -> str:
        line = next(self.lines)
        self.held.append(line)
        return line

    def taken(self) -> bytes:
        content, self.held = "".join(self.held).encode("latin-1"), []
        return content


# ---- JSON Lines


def _json_records(file: IO[bytes], entity: Entity) -> Iterator[Record]:
    lines = iter(file)
    first = next(lines, b"")
    document = _parsed(first)
    if isinstance(document, dict) and set(document) == RESULTS:
        yield Record(first, None)
        yield from _results(lines, document, entity)
    elif isinstance(document, list) or first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        raise Unreadable("is one JSON array; write one object per line (JSON Lines)")
    else:
        yield from (_json_record(line, entity) for line in _chained(first, lines))


def _chained(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _json_record(line: bytes, entity: Entity) -> Record:
    if not line.strip():
        return Record(line, None)
    document = json.loads(line.decode("utf-8-sig"))
    return Record(line, isinstance(document, dict) and entity.is_named_by(document))


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _results(lines: Iterable[bytes], about: dict[str, Any], entity: Entity) -> Iterator[Record]:
    """Yield records of a batch's results: lists of the values that the first line names."""
    place = about["each_row"].index("entity_id") if "entity_id" in about["each_row"] else None
    shared = about["all_rows"].get("entity_id")
    for line in lines:
        yield Record(line, (shared if place is None else json.loads(line)[place]) == entity.id)


FORMS = {
    ".csv": _form(_csv_records, is_packed=False),
    ".tsv": _form(_csv_records, is_packed=False),
    ".csv.gz": _form(_csv_records, is_packed=True),
    ".tsv.gz": _form(_csv_records, is_packed=True),
    ".json": _form(_json_records, is_packed=False),
    ".jsonl": _form(_json_records, is_packed=False),
    ".json.gz": _form(_json_records, is_packed=True),
    ".jsonl.gz": _form(_json_records, is_packed=True),
}
