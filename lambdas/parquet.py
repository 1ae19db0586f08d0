"""Write Parquet files of text and numbers with the standard library; functions add only small files to the lake.

One row group, one page a column, plain values, gzip: every reader of Parquet reads it, and a thousand rows take 40 ms,
where pyarrow would add 150 MB to the functions' zip. The same rows give the same bytes. Format:
https://github.com/apache/parquet-format, with structures in Thrift's compact protocol.
"""

import gzip
import struct
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

MAGIC = b"PAR1"
FORMAT_VERSION, DATA_PAGE, OPTIONAL, UTF8, GZIP, PLAIN, RLE = 1, 0, 1, 0, 2, 0, 3
WRITER = b"fairway"


class Kind(IntEnum):
    """Type of a column: UTF-8 text or a double. The value is Parquet's number of the physical type."""

    NUMBER = 5
    TEXT = 6


Value = str | float | None


class _Chunk(NamedTuple):
    """Position and sizes of a column's only page in the file."""

    name: str
    kind: Kind
    offset: int
    raw_bytes: int  # with the page's header, before and after compression
    stored_bytes: int


def parquet(kinds: Mapping[str, Kind], rows: Sequence[Mapping[str, Value]]) -> bytes:
    """Write the rows as a Parquet file with these columns; missing values are null.

    Raises TypeError or struct.error for a value of the wrong type.
    """
    parts, chunks, offset = [MAGIC], [], len(MAGIC)
    for name, kind in kinds.items():
        header, raw_bytes, body = _page(kind, [row.get(name) for row in rows])
        chunks.append(_Chunk(name, kind, offset, len(header) + raw_bytes, len(header) + len(body)))
        parts += [header, body]
        offset += len(header) + len(body)
    footer = _file_metadata(chunks, len(rows))
    return b"".join([*parts, footer, struct.pack("<i", len(footer)), MAGIC])


def _page(kind: Kind, values: list[Value]) -> tuple[bytes, int, bytes]:
    """Return a page's header, the size of its body, and the body compressed."""
    body = _levels([value is not None for value in values]) + _plain(kind, values)
    packed = gzip.compress(body, compresslevel=6, mtime=0)
    data_page = _structure([(1, _I32, len(values)), (2, _I32, PLAIN), (3, _I32, RLE), (4, _I32, RLE)])
    header: list[_Field] = [
        (1, _I32, DATA_PAGE),
        (2, _I32, len(body)),
        (3, _I32, len(packed)),
        (5, _STRUCTURE, data_page),
    ]
    return _structure(header), len(body), packed


def _levels(present: list[bool]) -> bytes:
    """Encode which values exist: a bit each, in groups of eight, as one bit-packed run of the RLE hybrid."""
    groups = -(-len(present) // 8)
    bits = sum(1 << place for place, is_there in enumerate(present) if is_there)
    run = _varint(groups << 1 | 1) + bits.to_bytes(groups, "little")
    return struct.pack("<i", len(run)) + run


def _plain(kind: Kind, values: list[Value]) -> bytes:
    if kind is Kind.NUMBER:
        return b"".join(struct.pack("<d", value) for value in values if value is not None)
    texts = [value.encode() for value in values if isinstance(value, str)]
    if len(texts) != sum(value is not None for value in values):
        raise TypeError(f"{next(each for each in values if not isinstance(each, str | None))!r}: must be text")
    return b"".join(struct.pack("<i", len(text)) + text for text in texts)


# ---- the footer


def _file_metadata(chunks: list[_Chunk], rows: int) -> bytes:
    root = _structure([(4, _BINARY, b"schema"), (5, _I32, len(chunks))])
    schema = [root, *(_schema_element(chunk) for chunk in chunks)]
    columns = [_column_chunk(chunk, rows) for chunk in chunks]
    size = sum(chunk.raw_bytes for chunk in chunks)
    group = _structure([(1, _LIST, _list(_STRUCTURE, columns)), (2, _I64, size), (3, _I64, rows)])
    return _structure(
        [
            (1, _I32, FORMAT_VERSION),
            (2, _LIST, _list(_STRUCTURE, schema)),
            (3, _I64, rows),
            (4, _LIST, _list(_STRUCTURE, [group] if rows else [])),
            (6, _BINARY, WRITER),
        ]
    )


def _schema_element(chunk: _Chunk) -> bytes:
    fields: list[_Field] = [(1, _I32, chunk.kind), (3, _I32, OPTIONAL), (4, _BINARY, chunk.name.encode())]
    return _structure([*fields, (6, _I32, UTF8)] if chunk.kind is Kind.TEXT else fields)


def _column_chunk(chunk: _Chunk, rows: int) -> bytes:
    metadata = _structure(
        [
            (1, _I32, chunk.kind),
            (2, _LIST, _list(_I32, [_zigzag(PLAIN), _zigzag(RLE)])),
            (3, _LIST, _list(_BINARY, [_varint(len(chunk.name.encode())) + chunk.name.encode()])),
            (4, _I32, GZIP),
            (5, _I64, rows),
            (6, _I64, chunk.raw_bytes),
            (7, _I64, chunk.stored_bytes),
            (9, _I64, chunk.offset),
        ]
    )
    return _structure([(2, _I64, chunk.offset), (3, _STRUCTURE, metadata)])


# ---- Thrift's compact protocol

_I32, _I64, _BINARY, _LIST, _STRUCTURE = 5, 6, 8, 9, 12
_Field = tuple[int, int, int | bytes]  # id, type, and a number, text, list or structure in written form


def _structure(fields: Iterable[_Field]) -> bytes:
    parts, last = [], 0
    for number, type, value in fields:
        parts.append(bytes([(number - last) << 4 | type]) + _value(type, value))
        last = number
    return b"".join([*parts, b"\0"])


def _value(type: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _zigzag(value)
    return _varint(len(value)) + value if type == _BINARY else value


def _list(type: int, members: Sequence[bytes]) -> bytes:
    size = len(members)
    head = bytes([size << 4 | type]) if size < 15 else bytes([0xF0 | type]) + _varint(size)
    return head + b"".join(members)


def _zigzag(number: int) -> bytes:
    return _varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
