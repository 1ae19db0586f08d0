"""Files of rows, read block by block: CSV and JSON Lines (both gz too) and Parquet. What is wrong with a whole file is
a FileRefused.
"""

import gzip
import json
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from model_code.columns import FIRST, LAST, TIMESTAMP
from model_code.refusals import FileRefused

BLOCK_BYTES = 4 << 20
BLOCK_ROWS = 65_536
SMALLEST_GROUP = BLOCK_ROWS // 4
KINDS = ".csv, .csv.gz, .jsonl, .json (one object per line), .jsonl.gz, .json.gz and .parquet"


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


class Malformed(ValueError):
    """Found by a reader of ours, worded for people already."""


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


# ---- CSV


def open_csv(file: Path, _):
    stream = QuoteCounter(gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb"))
    reader = csv_reader(stream)
    return reader.schema.names, True, csv_blocks(reader, stream)


def csv_reader(stream):
    with_header = stream.peek_line()
    # Every column is read as text, so that the contract and not a guess decides what a cell means.
    names = arrow_csv.read_csv(pa.BufferReader(with_header), parse_options=CSV).schema.names if with_header else []
    convert = arrow_csv.ConvertOptions(
        column_types={name: pa.string() for name in names},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    read = arrow_csv.ReadOptions(block_size=BLOCK_BYTES)
    return arrow_csv.open_csv(stream, read_options=read, parse_options=CSV, convert_options=convert)


CSV = arrow_csv.ParseOptions(newlines_in_values=True)


def csv_blocks(reader, stream):
    yield from reader
    if stream.quotes % 2:
        raise Malformed(
            'is cut off or badly quoted: a double quote is never closed; a quote inside a text is written ""'
        )


class QuoteCounter:
    """A binary file that counts the double quotes it hands out: an odd number means that a text is never closed."""

    closed = False

    def __init__(self, file):
        self.file, self.quotes, self.ahead = file, 0, b""

    def peek_line(self) -> bytes:
        self.ahead = self.file.readline()
        while self.ahead.count(b'"') % 2 and (more := self.file.readline()):  # a name with a line break in it
            self.ahead += more
        return self.ahead

    def read(self, size=-1) -> bytes:
        block = self.ahead + self.file.read(max(size - len(self.ahead), 0) if size >= 0 else -1)
        self.ahead = b""
        self.quotes += block.count(b'"')
        return block

    def close(self):
        self.closed = True
        self.file.close()


# ---- JSON Lines


def open_lines(file: Path, _):
    stream = gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb")
    return None, False, line_blocks(stream)


def line_blocks(stream):
    first = 1
    with stream:
        while lines := stream.readlines(BLOCK_BYTES):
            if first == 1:
                lines[0] = first_line(lines[0])
            try:
                yield [json.loads(line.decode()) for line in lines if not line.isspace()]
            except (ValueError, RecursionError):
                refuse_first_bad_line(lines, first)
            first += len(lines)


def first_line(line: bytes) -> bytes:
    line = line.removeprefix(b"\xef\xbb\xbf")
    if line.lstrip().startswith(b"["):
        raise Malformed("is one JSON array; write one object per line (JSON Lines)")
    return line


def refuse_first_bad_line(lines: list[bytes], first: int) -> None:
    for number, line in enumerate(lines, first):
        try:
            line.isspace() or json.loads(line.decode())
        except UnicodeDecodeError:
            raise Malformed(f"is not UTF-8 text (line {number}); convert it, e.g. iconv -f LATIN1 -t UTF-8") from None
        except (ValueError, RecursionError) as error:
            raise Malformed(f"line {number} is not JSON, broken or cut off: {error}") from None


# ---- Parquet


def open_parquet(file: Path, coded: Container[str]):
    about = pq.read_metadata(file)
    schema = about.schema.to_arrow_schema()
    for field in schema:
        if not is_readable(field.type):
            raise Malformed(f"column {field.name!r} is {field.type}; give text, numbers, true/false or timestamps")
    codes = [field.name for field in schema if field.name in coded and is_any_text(values_of(field.type))]
    # what is read ahead would be kept to the end
    parquet = pq.ParquetFile(file, pre_buffer=False, read_dictionary=[] if has_small_groups(about) else codes, metadata=about)
    blocks = parquet.iter_batches(batch_size=BLOCK_ROWS)
    return schema.names, False, (readable_batch(batch, coded) for batch in blocks)


def has_small_groups(about: pq.FileMetaData) -> bool:
    """Each row group has dictionaries of its own, so a block of them ends with it: small groups would be small blocks."""
    return about.num_row_groups > 1 and about.num_rows < SMALLEST_GROUP * about.num_row_groups


def is_readable(kind: pa.DataType) -> bool:
    return any(test(values_of(kind)) for test in READABLE)


def values_of(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_any_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


READABLE = (
    is_any_text,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_decimal,
    pa.types.is_null,
)


def readable_batch(batch: pa.RecordBatch, coded: Container[str]) -> pa.RecordBatch:
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        columns.append(column if name in coded and is_few_texts(column) else readable(column))
        refuse_impossible(name, columns[-1])
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def is_few_texts(column: pa.Array) -> bool:
    """A dictionary in which each text is there for several rows: else it would cost more than it saves."""
    kind = column.type
    if not pa.types.is_dictionary(kind) or not pa.types.is_string(kind.value_type):
        return False
    return 2 * len(column.dictionary) <= len(column)


SETTLED = {pa.string(), pa.int64(), pa.uint64(), pa.float64(), pa.bool_(), TIMESTAMP, pa.null()}


def readable(column: pa.Array) -> pa.Array:
    """The same values in one of: string, int64, uint64, float64, bool, timestamp in UTC microseconds, null."""
    kind = column.type
    if kind in SETTLED:
        return column
    if pa.types.is_dictionary(kind):
        return readable(column.dictionary_decode())
    if is_any_text(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pc.cast(column, pa.float64(), safe=False)
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return pc.cast(column, pa.int64())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        # nanoseconds may lose their last digits; nothing else may lose anything
        is_finer = getattr(kind, "unit", None) == "ns"
        return pc.cast(column, pa.timestamp("us", getattr(kind, "tz", None)), safe=not is_finer).cast(TIMESTAMP)
    return column


def refuse_impossible(name: str, column: pa.Array) -> None:
    """Arrow takes a Parquet file at its word. Such a value could be neither judged nor shown, so it is not a row's fault."""
    texts = column.dictionary if pa.types.is_dictionary(column.type) else column
    if pa.types.is_string(texts.type) and not is_ascii(texts):
        texts.validate(full=True)
    if column.type == TIMESTAMP and column.null_count < len(column):
        found = pc.min_max(column)
        if found["min"].value < FIRST.value or found["max"].value > LAST.value:
            raise Malformed(f"column {name!r} holds a moment outside the years 1 to 9999; leave it empty, or give it as text")


def is_ascii(texts: pa.StringArray) -> bool:
    """Sure of the whole buffer that the texts are a part of: a fraction of what it costs to look at each."""
    text = texts.buffers()[2]
    return text is None or not text.size or np.frombuffer(text, np.uint8).max() < 0x80


OPENERS = {
    ".csv": open_csv,
    ".csv.gz": open_csv,
    ".jsonl": open_lines,
    ".json": open_lines,
    ".jsonl.gz": open_lines,
    ".json.gz": open_lines,
    ".parquet": open_parquet,
}
