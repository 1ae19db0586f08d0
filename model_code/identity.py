"""Who a row is about and when it happened, for whole batches: the same answers as `domain.contract.entity_id` row by
row.
"""

import hashlib
import json

import pyarrow as pa
import pyarrow.compute as pc

from domain.contract import LONGEST_KEY_BYTES, Column, Contract, as_key, parse_timestamp

Rows = pa.RecordBatch | pa.Table


def entity_ids(contract: Contract, rows: Rows) -> list[str]:
    keys = contract.of_role("key")
    if len(keys) == 1 and keys[0].type == "string" and are_keys(rows.column(keys[0].name)):
        return rows.column(keys[0].name).to_pylist()
    if keys:
        parts = [list(map(str, row_values(column, rows))) for column in keys]
        return [as_key("|".join(together)) for together in zip(*parts, strict=True)]
    features = [row_values(column, rows) for column in contract.features]
    return [row_hash(values) for values in zip(*features, strict=True)]


def are_keys(texts) -> bool:
    """All are there and neither empty nor too long, so `as_key` would leave them as they are."""
    lengths = pc.min_max(pc.binary_length(texts)).as_py()
    return len(texts) > 0 == texts.null_count and 1 <= lengths["min"] <= lengths["max"] <= LONGEST_KEY_BYTES


def row_hash(values: tuple) -> str:
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()[:32]


def event_times(contract: Contract, rows: Rows) -> list[str | None]:
    if contract.event_time is None:
        return [None] * len(rows)
    return row_values(contract.event_time, rows)


def row_values(column: Column, rows: Rows) -> list:
    values = rows.column(column.name)
    return iso_texts(values).to_pylist() if column.type == "timestamp" else values.to_pylist()


def iso_texts(moments):
    """As `domain.contract.iso` writes them: UTC, microseconds only where there are any."""
    text = pc.replace_substring(pc.cast(pc.cast(moments, pa.timestamp("us")), pa.string()), " ", "T")
    return pc.binary_join_element_wise(pc.replace_substring_regex(text, r"\.0{6}$", ""), "Z", "")


def in_window(contract: Contract, rows: Rows, window: dict, part: str) -> pa.Array:
    """Which rows are of the part `train` or `evaluate` of {train_start, evaluate_start, as_of}.

    A table without event time is split by the hash of the entity, in the same proportion, so that an entity is never
    on both sides and a later run splits alike.
    """
    start, middle, end = (parse_timestamp(window[name]) for name in ("train_start", "evaluate_start", "as_of"))
    if contract.event_time is None:
        share = (end - middle) / (end - start)
        evaluated = [place(entity) < share for entity in entity_ids(contract, rows)]
        return pa.array([is_evaluated == (part == "evaluate") for is_evaluated in evaluated], pa.bool_())
    first, last = (start, middle) if part == "train" else (middle, end)
    moments = rows.column(contract.event_time.name)
    return pc.and_(
        pc.greater_equal(moments, pa.scalar(first, moments.type)), pc.less(moments, pa.scalar(last, moments.type))
    )


def place(entity: str) -> float:
    """A number in [0, 1) that depends on nothing but the entity."""
    return int.from_bytes(hashlib.sha256(entity.encode()).digest()[:6]) / 2**48
