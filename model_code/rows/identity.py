"""The entity and the event time of each row of a batch: the texts that `domain.contract.keys` gives row by row."""

import hashlib
import json
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.keys import LONGEST_KEY_BYTES, as_key
from domain.contract.schema import Column, Contract
from domain.records import ROW_DIGITS
from domain.train.windows import Window, instants

Rows: TypeAlias = pa.RecordBatch | pa.Table

_DAY = 24 * 60 * 60
_FOUR_DIGITS = np.frombuffer(b"".join(b"%04d" % number for number in range(10_000)), np.uint32)
_as_json = json.JSONEncoder(ensure_ascii=False).encode


def entity_ids(contract: Contract, rows: Rows) -> pa.StringArray:
    """Return the entity of each row, an Arrow column of texts."""
    keys = contract.of_role("key")
    if len(keys) == 1:
        return _as_keys(_key_texts(keys[0], rows))
    if keys:
        return _as_keys(pc.binary_join_element_wise(*(_key_texts(column, rows) for column in keys), "|"))
    features = [row_values(column, rows) for column in contract.features]
    return pa.array([_row_hash(values) for values in zip(*features, strict=True)], pa.string())


def _key_texts(column: Column, rows: Rows) -> pa.StringArray:
    """Write each value as Python's `str` does; Arrow writes floats otherwise."""
    values = rows.column(column.name)
    if column.type == "timestamp":
        texts = iso_texts(values)
    elif column.type == "boolean":
        texts = pc.if_else(values, "True", "False")
    elif column.type == "float":
        texts = pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())
    else:
        texts = pc.cast(values, pa.string())
    return pc.fill_null(texts, "None") if texts.null_count else texts


def _as_keys(texts: pa.StringArray) -> pa.StringArray:
    """Apply `as_key` to each text; only empty and too long ones are handled one by one."""
    lengths = pc.binary_length(texts)
    unfit = pc.or_(pc.equal(lengths, 0), pc.greater(lengths, LONGEST_KEY_BYTES))
    if not pc.any(unfit).as_py():
        return texts
    return pc.replace_with_mask(texts, unfit, pa.array([as_key(text) for text in texts.filter(unfit).to_pylist()]))


def _row_hash(values: tuple[Any, ...]) -> str:
    return hashlib.sha256(_as_json(values).encode()).hexdigest()[:32]


def event_times(contract: Contract, rows: Rows) -> pa.StringArray | pa.Scalar:
    """Return an Arrow column of ISO texts, or one null for all rows of a table without event time."""
    if contract.event_time is None:
        return pa.scalar(None, pa.string())
    return iso_texts(rows.column(contract.event_time.name))


def batch_ids(shard: str, row_numbers: np.ndarray) -> pa.StringArray:
    """Return `domain.records.batch_prediction_id` of each row of the shard with that `shard_id`."""
    digits = np.empty((len(row_numbers), ROW_DIGITS // 4), np.uint32)
    left = row_numbers
    for place in reversed(range(digits.shape[1])):
        left, four = np.divmod(left, 10_000)
        digits[:, place] = _FOUR_DIGITS[four]
    prefix = np.frombuffer(shard.encode(), np.uint8)
    texts = np.empty((len(row_numbers), len(prefix) + ROW_DIGITS), np.uint8)
    texts[:, : len(prefix)], texts[:, len(prefix) :] = prefix, digits.view(np.uint8)
    return _equally_long(texts)


def _equally_long(texts: np.ndarray) -> pa.StringArray:
    """Return a text for each row of the (rows, bytes of each) matrix."""
    rows, length = texts.shape
    ends = np.arange(rows + 1, dtype=np.int32) * length
    return pa.StringArray.from_buffers(rows, pa.py_buffer(ends), pa.py_buffer(texts))


def row_values(column: Column, rows: Rows) -> list[Any]:
    """Return a column's values as a row holds them: a timestamp is text."""
    values = rows.column(column.name)
    return iso_texts(values).to_pylist() if column.type == "timestamp" else values.to_pylist()


def iso_texts(timestamps: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """Write timestamps as `domain.timestamps.iso` does: UTC, microseconds only where there are any."""
    if isinstance(timestamps, pa.Array) and not timestamps.null_count:
        try:
            return _of_whole_seconds(pc.cast(timestamps, pa.timestamp("s", "UTC")))
        except pa.ArrowInvalid:  # some are between seconds
            pass
    text = pc.replace_substring(pc.cast(pc.cast(timestamps, pa.timestamp("us")), pa.string()), " ", "T")
    return pc.binary_join_element_wise(pc.replace_substring_regex(text, r"\.0{6}$", ""), "Z", "")


def _of_whole_seconds(timestamps: pa.Array) -> pa.StringArray:
    """Join a date of ten letters and a time of ten, each looked up in a table."""
    days, seconds = np.divmod(timestamps.cast(pa.int64()).to_numpy(), _DAY)
    table, places = _dates(days)
    texts = np.empty(len(days), [("date", "V10"), ("time", "V10")])
    texts["date"], texts["time"] = table[places], _times()[seconds]
    return _equally_long(texts.view(np.uint8).reshape(len(days), 20))


def _dates(days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return texts as "2013-01-01", and the place of each of the days since 1970 among them."""
    first, end = (int(days.min()), int(days.max()) + 1) if len(days) else (0, 0)
    if end - first > len(days):  # far apart: sorting them costs less than writing all days between
        distinct, places = np.unique(days, return_inverse=True)
    else:
        distinct, places = np.arange(first, end), days - first
    texts = pc.cast(pa.array(distinct.astype(np.int32), pa.date32()), pa.string())
    return np.frombuffer("".join(texts.to_pylist()).encode(), "V10"), places


@lru_cache(maxsize=1)
def _times() -> np.ndarray:
    """Return texts as "T05:15:00Z", one for each second of a day."""
    texts = np.empty((24, 60, 60, 10), np.uint8)
    texts[:] = np.frombuffer(b"T00:00:00Z", np.uint8)
    for places, number in zip(((1, 2), (4, 5), (7, 8)), np.ogrid[:24, :60, :60], strict=True):
        texts[..., places[0]] += (number // 10).astype(np.uint8)
        texts[..., places[1]] += (number % 10).astype(np.uint8)
    return texts.reshape(_DAY, 10).view("V10").ravel()


def in_window(contract: Contract, rows: Rows, window: Window, part: str) -> pa.Array:
    """Mark the rows of the part `train` or `evaluate` of the window.

    A table without event time is split by the hash of the entity, in the same proportion, so that an entity is never
    on both sides and a later run splits alike.
    """
    start, middle, end = instants(window)
    if contract.event_time is None:
        share = (end - middle) / (end - start)
        evaluated = [place(entity) < share for entity in entity_ids(contract, rows).to_pylist()]
        return pa.array([is_evaluated == (part == "evaluate") for is_evaluated in evaluated], pa.bool_())
    first, last = (start, middle) if part == "train" else (middle, end)
    times = rows.column(contract.event_time.name)
    return pc.and_(pc.greater_equal(times, pa.scalar(first, times.type)), pc.less(times, pa.scalar(last, times.type)))


def place(entity: str) -> float:
    """Return a number in [0, 1) that depends on nothing but the entity."""
    return int.from_bytes(hashlib.sha256(entity.encode()).digest()[:6]) / 2**48
