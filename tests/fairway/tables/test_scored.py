"""A table with its predictions beside it, and what `fairway batch --out` refuses before it scores."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairway.tables.scored import write_scored

ROWS = "flight,reason\nUA1,late crew\nUA2,\nUA3,fog\n"


def predictions(*rows: tuple) -> pa.Table:
    names = ("row_number", "prediction", "probability", "source", "release", "reason")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def test_each_row_has_its_prediction_beside_it_and_a_quarantined_one_none(tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS)
    pq.write_table(predictions((3, True, 0.75, "model", "r-1", "champion")), tmp_path / "2.parquet")
    pq.write_table(predictions((1, False, 0.25, "fallback", None, "too late")), tmp_path / "1.parquet")
    out = tmp_path / "scored.csv"
    assert write_scored(tmp_path / "rows.csv", [tmp_path / "2.parquet", tmp_path / "1.parquet"], out) == 2
    with out.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["flight", "reason", "prediction", "probability", "source", "release", "fairway_reason"],
            ["UA1", "late crew", "false", "0.25", "fallback", "", "too late"],
            ["UA2", "", "", "", "", "", ""],
            ["UA3", "fog", "true", "0.75", "model", "r-1", "champion"],
        ]


@pytest.mark.parametrize(
    ("source", "out"), [("s3://lake/batch/", "out.csv"), ("rows.csv", "out.xlsx"), ("rows.csv", "nowhere/out.csv")]
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_scored(place, source, out):
    code, printed, _ = place.run("batch", source, "--out", place.folder / out, "--json")
    assert (code, json.loads(printed)["error"]) == (2, "out")
