"""CSV files block by block, every cell as text: the contract and not a guess decides what it means."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from model_code.refusals import Malformed

BLOCK_BYTES = 4 << 20


def open_csv(file: Path, _):
    stream = QuoteCounter(gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb"))
    reader = csv_reader(stream)
    return reader.schema.names, True, csv_blocks(reader, stream)


def csv_reader(stream):
    with_header = stream.peek_line()
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
