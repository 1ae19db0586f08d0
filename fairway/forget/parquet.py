"""Parquet files: rows of the lake, answers of batches, quarantined rows.

A file's columns show which; read block by block.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fairway.forget.entity import Entity
from fairway.forget.form import Form, Found, Unreadable
from model_code.rows.identity import entity_ids
from model_code.rows.tables import schema_of

BLOCK_ROWS = 65_536
ANSWER = {"id", "entity_id", "made_at", "source"}
QUARANTINED = ["row_number", "row", "problems"]
Mask = Callable[[pa.RecordBatch], pa.Array]


def _look(file: BinaryIO, entity: Entity) -> Found:
    with _opened(file) as parquet:
        columns, mask = _masked(parquet.schema_arrow, entity)
        time = _event_time(parquet.schema_arrow, entity)
        ids: list[str] = []
        times: list[datetime] = []
        rows = others = 0
        for batch in parquet.iter_batches(BLOCK_ROWS, columns=[*columns, *([time] if time else [])]):
            own = batch.filter(mask(batch))
            rows, others = rows + len(own), others + len(batch) - len(own)
            ids += own["id"].to_pylist() if "id" in columns and "entity_id" in columns else []
            times += [one for one in own[time].to_pylist() if one] if time else []
        return Found(rows, others, tuple(ids), tuple(times))


def _write(file: BinaryIO, entity: Entity, out: Path) -> None:
    with _opened(file) as parquet:
        _, mask = _masked(parquet.schema_arrow, entity)
        with pq.ParquetWriter(out, parquet.schema_arrow, compression=_compression(parquet)) as writer:
            for batch in parquet.iter_batches(BLOCK_ROWS):
                kept = batch.filter(pc.invert(mask(batch)))
                if len(kept):
                    writer.write_batch(kept)


PARQUET = Form(_look, _write)


def problems_of(file: BinaryIO) -> Iterator[str]:
    """Yield the problems of each quarantined row, as stored."""
    with _opened(file) as parquet:
        for batch in parquet.iter_batches(BLOCK_ROWS, columns=["problems"]):
            yield from batch["problems"].to_pylist()


def _opened(file: BinaryIO) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise Unreadable(f"is not whole Parquet: {str(error).splitlines()[0]}") from None


def _masked(schema: pa.Schema, entity: Entity) -> tuple[list[str], Mask]:
    """Return the columns that identify a row, and the mask of the entity's rows."""
    names = [column.name for column in entity.keys]
    if set(schema.names) >= ANSWER:
        return ["id", "entity_id"], lambda batch: _equals(pc.cast(batch["entity_id"], pa.string()), entity.id)
    if schema.names == QUARANTINED:
        return ["row"], lambda batch: pa.array([_is_of(row, entity) for row in batch["row"].to_pylist()], pa.bool_())
    missing = [name for name in names if name not in schema.names]
    if missing:
        raise Unreadable(f"has no column {', '.join(map(repr, missing))}, which names an entity")
    as_written = schema_of(entity.contract, with_target=True)
    if all(schema.field(name).type == as_written.field(name).type for name in names):
        return names, lambda batch: _equals(entity_ids(entity.contract, batch), entity.id)
    return names, lambda batch: _named(batch.select(names), entity)


def _equals(values: pa.Array, text: str) -> pa.Array:
    return pc.fill_null(pc.equal(values, text), False)


def _named(keys: pa.RecordBatch, entity: Entity) -> pa.Array:
    """Mark rows by key values whose types differ from the contract's."""
    rows = zip(*(_plain(column) for column in keys.columns), strict=True)
    return pa.array([entity.is_named(row) for row in rows], pa.bool_())


def _plain(column: pa.Array) -> list[object]:
    return [value.isoformat() if isinstance(value, datetime) else value for value in column.to_pylist()]


def _is_of(row: str, entity: Entity) -> bool:
    values = json.loads(row)
    return isinstance(values, dict) and entity.is_named_by(values)


def _event_time(schema: pa.Schema, entity: Entity) -> str | None:
    """Return the column of event times of training rows, if it has timestamps."""
    column = entity.contract.event_time
    is_answer = set(schema.names) >= ANSWER
    is_there = column is not None and not is_answer and column.name in schema.names
    return column.name if column and is_there and pa.types.is_timestamp(schema.field(column.name).type) else None


def _compression(parquet: pq.ParquetFile) -> str:
    if not parquet.metadata.num_row_groups:
        return "zstd"
    codec: str = parquet.metadata.row_group(0).column(0).compression
    return "none" if codec == "UNCOMPRESSED" else codec.lower()
