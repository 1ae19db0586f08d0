"""Who a row is about and when it happened, for whole batches: the same answers as `domain.contract.entity_id` row by
row.
"""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract import LONGEST_KEY_BYTES, Column, Contract, as_key, parse_timestamp

Rows = pa.RecordBatch | pa.Table


def entity_ids(contract: Contract, rows: Rows):
    """An Arrow column of texts."""
    keys = contract.of_role("key")
    if len(keys) == 1:
        return as_keys(key_texts(keys[0], rows))
    if keys:
        return as_keys(pc.binary_join_element_wise(*(key_texts(column, rows) for column in keys), "|"))
    features = [row_values(column, rows) for column in contract.features]
    return pa.array([row_hash(values) for values in zip(*features, strict=True)], pa.string())


def key_texts(column: Column, rows: Rows):
    """Each value as Python's `str` writes it; Arrow writes floats otherwise."""
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


def as_keys(texts):
    """`as_key` of each: only the empty and the too long are looked at one by one."""
    lengths = pc.binary_length(texts)
    unfit = pc.or_(pc.equal(lengths, 0), pc.greater(lengths, LONGEST_KEY_BYTES))
    if not pc.any(unfit).as_py():
        return texts
    return pc.replace_with_mask(texts, unfit, pa.array([as_key(text) for text in texts.filter(unfit).to_pylist()]))


HASHED = json.JSONEncoder(ensure_ascii=False).encode


def row_hash(values: tuple) -> str:
    return hashlib.sha256(HASHED(values).encode()).hexdigest()[:32]


def event_times(contract: Contract, rows: Rows):
    """An Arrow column of ISO texts, or one null for all rows of a table without event time."""
    if contract.event_time is None:
        return pa.scalar(None, pa.string())
    return iso_texts(rows.column(contract.event_time.name))


def row_values(column: Column, rows: Rows) -> list:
    values = rows.column(column.name)
    return iso_texts(values).to_pylist() if column.type == "timestamp" else values.to_pylist()


def iso_texts(moments):
    """As `domain.contract.iso` writes them: UTC, microseconds only where there are any."""
    if isinstance(moments, pa.Array) and not moments.null_count:
        try:
            return of_whole_seconds(pc.cast(moments, pa.timestamp("s", "UTC")))
        except pa.ArrowInvalid:  # some are between seconds
            pass
    text = pc.replace_substring(pc.cast(pc.cast(moments, pa.timestamp("us")), pa.string()), " ", "T")
    return pc.binary_join_element_wise(pc.replace_substring_regex(text, r"\.0{6}$", ""), "Z", "")


def of_whole_seconds(moments: pa.Array) -> pa.StringArray:
    """All are equally long, so the T and the Z are put into all of them at once."""
    texts = pc.cast(pc.cast(moments, pa.timestamp("s")), pa.string())
    _, _, letters = texts.buffers()
    rows, length = len(texts), len("2013-01-01 05:15:00")
    iso = np.empty((rows, length + 1), np.uint8)
    iso[:, :length] = np.frombuffer(letters or b"", np.uint8)[: rows * length].reshape(rows, length)
    iso[:, 10], iso[:, length] = ord("T"), ord("Z")
    ends = np.arange(rows + 1, dtype=np.int32) * (length + 1)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(ends), pa.py_buffer(iso))


def in_window(contract: Contract, rows: Rows, window: dict, part: str) -> pa.Array:
    """Which rows are of the part `train` or `evaluate` of {train_start, evaluate_start, as_of}.

    A table without event time is split by the hash of the entity, in the same proportion, so that an entity is never
    on both sides and a later run splits alike.
    """
    start, middle, end = (parse_timestamp(window[name]) for name in ("train_start", "evaluate_start", "as_of"))
    if contract.event_time is None:
        share = (end - middle) / (end - start)
        evaluated = [place(entity) < share for entity in entity_ids(contract, rows).to_pylist()]
        return pa.array([is_evaluated == (part == "evaluate") for is_evaluated in evaluated], pa.bool_())
    first, last = (start, middle) if part == "train" else (middle, end)
    moments = rows.column(contract.event_time.name)
    return pc.and_(
        pc.greater_equal(moments, pa.scalar(first, moments.type)), pc.less(moments, pa.scalar(last, moments.type))
    )


def place(entity: str) -> float:
    """A number in [0, 1) that depends on nothing but the entity."""
    return int.from_bytes(hashlib.sha256(entity.encode()).digest()[:6]) / 2**48
