"""Parquet files without the entity, whatever types their columns have."""

import io
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.contract.schema import from_dict
from fairway.forget.entity import Entity
from fairway.forget.form import Found, Unreadable
from fairway.forget.parquet import PARQUET

CONTRACT = from_dict(
    {
        "name": "orders",
        "task": "binary",
        "columns": {
            "number": {"type": "integer", "role": "key"},
            "at": {"type": "timestamp", "role": "event_time"},
            "good": {"type": "boolean"},
        },
        "target": {"column": "good", "prior": 0.5},
    }
)
OWN = Entity("7", CONTRACT)
AT = datetime(2013, 1, 1, tzinfo=UTC)


def file_of(table: pa.Table, **options) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return io.BytesIO(file.getvalue())


@pytest.mark.parametrize("numbers", [pa.array([7, 8, 7]), pa.array(["7", "8", " 7"]), pa.array([7, 8, 7], pa.int16())])
@pytest.mark.parametrize("codec", ["zstd", "gzip", "none"])
def test_the_others_stay_with_their_schema_and_codec(numbers, codec, tmp_path):
    table = pa.table({"number": numbers, "at": pa.array([AT] * 3, pa.timestamp("us", "UTC"))})
    file = file_of(table, compression=codec)
    assert PARQUET.look(file, OWN) == Found(2, 1, (), (AT, AT))
    PARQUET.write(file, OWN, tmp_path / "out")
    written = pq.ParquetFile(tmp_path / "out")
    assert written.read() == table.slice(1, 1)
    assert written.metadata.row_group(0).column(0).compression == {"none": "UNCOMPRESSED"}.get(codec, codec.upper())


def test_a_file_of_nobody_else_stays_without_rows(tmp_path):
    table = pa.table({"number": [7, 7]})
    PARQUET.write(file_of(table), OWN, tmp_path / "out")
    assert pq.read_table(tmp_path / "out") == table.slice(0, 0)


def test_answers_go_by_their_entity_and_not_by_columns_that_the_key_is_named_like(tmp_path):
    table = pa.table(
        {"id": ["p", "q"], "number": [7, 8], "entity_id": ["8", "7"], "made_at": ["", ""], "source": ["", ""]}
    )
    file = file_of(table)
    assert PARQUET.look(file, OWN) == Found(1, 1, ("q",))
    PARQUET.write(file, OWN, tmp_path / "out")
    assert pq.read_table(tmp_path / "out")["id"].to_pylist() == ["p"]


def test_a_file_without_the_keys_columns_is_named():
    with pytest.raises(Unreadable, match="has no column 'number', which names an entity"):
        PARQUET.look(file_of(pa.table({"other": [7]})), OWN)
