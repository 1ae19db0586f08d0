"""Parquet files block by block, in the few types that contracts are checked on."""

from collections.abc import Container
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from model_code.refusals import Malformed
from model_code.rows.blocks import Opened
from model_code.rows.column_values import FIRST, LAST, TIMESTAMP

_BLOCK_ROWS = 65_536
_SMALLEST_GROUP = _BLOCK_ROWS // 4


def open_parquet(file: Path, coded: Container[str]) -> Opened:
    about = pq.read_metadata(file)
    schema = about.schema.to_arrow_schema()
    for field in schema:
        if not _is_readable(field.type):
            given = "give text, numbers, true/false or timestamps, or leave the column out"
            raise Malformed(f"column {field.name!r} is {field.type}; {given}")
    codes = [field.name for field in schema if field.name in coded and _is_any_text(_values_of(field.type))]
    # pre_buffer would keep what it reads ahead to the end
    dictionaries = [] if _has_small_groups(about) else codes
    parquet = pq.ParquetFile(file, pre_buffer=False, read_dictionary=dictionaries, metadata=about)
    blocks = parquet.iter_batches(batch_size=_BLOCK_ROWS)
    return Opened(schema.names, False, (_readable_batch(batch, coded) for batch in blocks))


def _has_small_groups(about: pq.FileMetaData) -> bool:
    """Whether blocks would be small: each row group has dictionaries of its own, so a block of them ends with it."""
    return about.num_row_groups > 1 and about.num_rows < _SMALLEST_GROUP * about.num_row_groups


def _is_readable(kind: pa.DataType) -> bool:
    return any(test(_values_of(kind)) for test in _READABLE)


def _values_of(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_any_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


_READABLE = (
    _is_any_text,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_decimal,
    pa.types.is_null,
)


def _readable_batch(batch: pa.RecordBatch, coded: Container[str]) -> pa.RecordBatch:
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        columns.append(column if name in coded and _is_few_texts(column) else _readable(column))
        _refuse_impossible(name, columns[-1])
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _is_few_texts(column: pa.Array) -> bool:
    """Whether the column is a dictionary with at least two rows for each text: else it costs more than it saves."""
    kind = column.type
    if not pa.types.is_dictionary(kind) or not pa.types.is_string(kind.value_type):
        return False
    return 2 * len(column.dictionary) <= len(column)


_SETTLED = {pa.string(), pa.int64(), pa.uint64(), pa.float64(), pa.bool_(), TIMESTAMP, pa.null()}


def _readable(column: pa.Array) -> pa.Array:
    """Convert the values to one of: string, int64, uint64, float64, bool, timestamp in UTC microseconds, null."""
    kind = column.type
    if kind in _SETTLED:
        return column
    if pa.types.is_dictionary(kind):
        return _readable(column.dictionary_decode())
    if _is_any_text(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_decimal(kind):
        return _of_decimals(column)
    if pa.types.is_floating(kind):
        return pc.cast(column, pa.float64(), safe=False)
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return pc.cast(column, pa.int64())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        # nanoseconds may lose their last digits; nothing else may lose anything
        if getattr(kind, "unit", None) == "ns":
            column = pc.floor_temporal(column, unit="microsecond")  # cut as digits are, before 1970 too
        return pc.cast(column, pa.timestamp("us", getattr(kind, "tz", None))).cast(TIMESTAMP)
    return column


def _of_decimals(column: pa.Array) -> pa.Array:
    """Convert whole numbers to int64 where they fit, others to the float64 that their digits are read as: a division by
    a power of ten is off by a bit.
    """
    if column.type.scale == 0:
        try:
            return pc.cast(column, pa.int64())
        except pa.ArrowInvalid:  # beyond int64
            pass
    return pc.cast(pc.cast(column, pa.string()), pa.float64())


def _refuse_impossible(name: str, column: pa.Array) -> None:
    """Refuse values that could be neither judged nor shown: Arrow reads a Parquet file without checking them."""
    texts = column.dictionary if pa.types.is_dictionary(column.type) else column
    if pa.types.is_string(texts.type) and not _is_ascii(texts):
        texts.validate(full=True)
    if column.type == TIMESTAMP and column.null_count < len(column):
        extremes = pc.min_max(column)
        if extremes["min"].value < FIRST.value or extremes["max"].value > LAST.value:
            raise Malformed(f"column {name!r} has a timestamp outside the years 1 to 9999; give null, or a text")


def _is_ascii(texts: pa.StringArray) -> bool:
    """Whether the whole buffer that the texts are a part of is ASCII, which costs a fraction of a look at each."""
    text = texts.buffers()[2]
    return text is None or not text.size or bool(np.frombuffer(text, np.uint8).max() < 0x80)
