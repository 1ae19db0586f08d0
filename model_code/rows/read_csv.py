"""CSV files block by block, every cell as text: the contract and not a guess decides what it means."""

import gzip
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv as arrow_csv

from domain.batch.csv_head import CsvHead, csv_head
from model_code.refusals import Malformed
from model_code.rows.blocks import Opened

BLOCK_BYTES = 4 << 20
_HEAD_BYTES = 1 << 20


def open_csv(file: Path, _: Container[str]) -> Opened:
    stream = _open(file)
    head = stream.head
    if head.problem:
        stream.close()
        raise Malformed(head.problem)
    reader = _csv_reader(stream, head)
    return Opened(head.names, True, _csv_blocks(reader, stream))


def csv_titles(file: Path) -> tuple[str, ...]:
    """Read the lines above the header, which are passed over."""
    stream = _open(file)
    stream.close()
    return stream.head.titles


def _open(file: Path) -> "_QuoteCounter":
    return _QuoteCounter(gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb"))


def _csv_reader(stream: "_QuoteCounter", head: CsvHead) -> arrow_csv.CSVStreamingReader:
    parse = arrow_csv.ParseOptions(newlines_in_values=True, delimiter=head.separator)
    convert = arrow_csv.ConvertOptions(
        column_types={name: pa.string() for name in head.written},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    read = arrow_csv.ReadOptions(block_size=BLOCK_BYTES)
    reader = arrow_csv.open_csv(stream, read_options=read, parse_options=parse, convert_options=convert)
    if any(kind != pa.string() for kind in reader.schema.types) or reader.schema.names != head.written:
        raise Malformed(f"its header cannot be read for sure: {', '.join(map(repr, reader.schema.names[:20]))}")
    return reader


def _csv_blocks(reader: arrow_csv.CSVStreamingReader, stream: "_QuoteCounter") -> Iterator[pa.RecordBatch]:
    names = stream.head.names
    yield from reader if names == stream.head.written else (block.rename_columns(names) for block in reader)
    if stream.quotes % 2:
        raise Malformed(
            'is cut off or badly quoted: a double quote is never closed; a quote inside a text is written ""'
        )


class _Bytes(Protocol):
    """An open file, of gzip or not."""

    def read(self, size: int = -1, /) -> bytes: ...

    def close(self) -> None: ...


class _QuoteCounter:
    """A binary file from its header on that counts the double quotes it hands out: an odd number means that a text is
    never closed.
    """

    closed = False

    def __init__(self, file: _Bytes) -> None:
        self.file, self.quotes = file, 0
        begin = file.read(_HEAD_BYTES)
        self.head = csv_head(begin, is_whole=len(begin) < _HEAD_BYTES)
        self.ahead = begin[self.head.start :]

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most `size`."""
        if size < 0:
            block, self.ahead = self.ahead + self.file.read(), b""
        elif self.ahead:
            block, self.ahead = self.ahead[:size], self.ahead[size:]
        else:
            block = self.file.read(size)
        self.quotes += block.count(b'"')
        return block

    def close(self) -> None:
        """Close the file."""
        self.closed = True
        self.file.close()
