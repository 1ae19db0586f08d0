"""Quarantined rows: printed with what is wrong, written as CSV, mended and loaded again."""

import csv
import json

import pytest

from tests.fairway.commands.test_load import ROW, table


@pytest.fixture
def loaded(place, tmp_path):
    """Two files: one with two bad rows of three, one without any."""
    file = table(tmp_path / "flights.csv", {}, {"hour": "25", "late": ""}, {"origin": "X, \x1b[31m"})
    place.values("load", file, table(tmp_path / "good.csv", {"flight_id": "UA9"}))
    return place, file


def test_each_broken_rule_is_printed_with_file_row_column_and_value(loaded):
    place, file = loaded
    code, out, _ = place.run("quarantine", file)
    lines = out.splitlines()
    assert (code, lines[0]) == (0, "2 rows are quarantined: category 1, maximum 1, null 1")
    assert [line.split()[:4] for line in lines[1:]] == [
        ["file", "row", "column", "value"],
        ["flights.csv", "2", "hour", "25"],
        ["flights.csv", "2", "late", "None"],
        ["flights.csv", "3", "origin", "'X,"],
    ]
    assert "maximum: must be at most 23" in lines[2] and "\x1b" not in out


def test_values_hold_the_whole_row_and_every_problem(loaded):
    place, _ = loaded
    found = place.values("quarantine")
    assert {key: found[key] for key in ("quarantined", "reasons")} == {
        "quarantined": 2,
        "reasons": {"category": 1, "maximum": 1, "null": 1},
    }
    first = found["rows"][0]
    assert (first["file"], first["row"]) == ("flights.csv", 2)
    assert first["values"] == {**ROW, "flight_id": "UA1", "hour": "25", "late": None}
    assert first["problems"] == [
        {"column": "hour", "value": 25, "rule": "maximum", "allowed": "must be at most 23"},
        {"column": "late", "value": None, "rule": "null", "allowed": "must have a value"},
    ]


def test_only_so_many_are_printed_as_were_asked_for(loaded):
    place, _ = loaded
    _, out, _ = place.run("quarantine", "--limit", "1")
    assert out.splitlines()[-1] == "and 1 more rows; --limit N shows more of them"
    assert len(place.values("quarantine", "--limit", "1")["rows"]) == 1


def test_the_rows_are_written_with_their_reasons_mended_and_loaded_again(loaded, tmp_path):
    place, file = loaded
    mended = tmp_path / "mended.csv"
    assert place.values("quarantine", "flights.csv", "--out", mended)["out"] == str(mended)
    with mended.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert rows[0] == {
        **ROW,
        "flight_id": "UA1",
        "hour": "25",
        "late": "",
        "why quarantined": "hour = 25: must be at most 23; late is missing; it must have a value",
    }
    again = place.values("load", mended)
    assert (again["accepted"], again["quarantined"]) == (0, 2)
    text = mended.read_text().replace(",25,", ",23,").replace('"X, \x1b[31m"', "EWR")
    mended.write_text(text.replace(",,", ",true,"))
    assert place.values("load", mended)["accepted"] == 2
    nothing = {"quarantined": 0, "mended": 2, "reasons": {}, "rows": []}
    assert place.values("quarantine", file) == nothing
    assert place.values("quarantine")["mended"] == 4  # those that came again uncorrected too
    _, out, _ = place.run("quarantine", file)
    assert out.splitlines() == [
        "0 rows are quarantined",
        "2 more were corrected since: a later load has rows of their keys",
    ]


def test_a_row_is_corrected_by_a_later_load_alone_and_not_once_that_is_taken_back(place, tmp_path):
    good = table(tmp_path / "before.csv", {})
    place.values("load", good, table(tmp_path / "bad.csv", {"hour": "25"}, {"hour": "26"}))
    assert numbers_of(place.values("quarantine")) == (2, 0, [1, 2])
    place.values("load", table(tmp_path / "after.csv", {"hour": "23"}))
    found = place.values("quarantine")
    assert (numbers_of(found), found["reasons"]) == ((1, 1, [2]), {"maximum": 1})
    place.values("unload", "after.csv")
    assert numbers_of(place.values("quarantine")) == (2, 0, [1, 2])


def numbers_of(found: dict) -> tuple[int, int, list[int]]:
    return found["quarantined"], found["mended"], [row["row"] for row in found["rows"]]


def test_a_row_at_another_time_and_one_without_its_time_are_not_taken_for_corrected(place, tmp_path):
    place.values("load", table(tmp_path / "bad.csv", {"hour": "25"}, {"departure": "soon"}))
    later = {"departure": "2013-01-01T10:15:00.5Z"}
    place.values("load", table(tmp_path / "after.csv", later, later))
    assert numbers_of(place.values("quarantine")) == (2, 0, [1, 2])


def test_lines_that_are_not_objects_are_written_with_their_reason_alone(place, tmp_path):
    row = {**ROW, "month": 1, "weekday": 2, "hour": 5, "minute": 15, "arrival_hour": 8, "late": True}
    numbers = ("distance", "plane_year", "seats", *list(ROW)[15:23])
    row |= {name: float(ROW[name]) for name in numbers}
    lines = tmp_path / "rows.jsonl"
    lines.write_text("\n".join(map(json.dumps, [row, [1, 2], {**row, "extra": {"a": 1}, "late": False}])))
    assert place.values("load", lines)["quarantined"] == 2
    out = tmp_path / "out.csv"
    place.values("quarantine", lines, "--out", out)
    with out.open(newline="", encoding="utf-8") as written:
        first, second = csv.DictReader(written)
    assert set(first.values()) == {"", "(row) = [1, 2]: must be an object of column names to values"}
    assert (second["extra"], second["late"], second["distance"]) == ('{"a": 1}', "false", "1400.0")


def test_nothing_quarantined_and_nothing_known_are_told_apart(loaded, tmp_path):
    place, _ = loaded
    assert place.values("quarantine", "good.csv") == {"quarantined": 0, "mended": 0, "reasons": {}, "rows": []}
    code, out, _ = place.run("quarantine", "other.csv", "--json")
    failure = json.loads(out)
    assert (code, failure["error"]) == (2, "load")
    assert "other.csv: must be a loaded file" in failure["message"] and "flights.csv" in failure["message"]
    assert place.run("quarantine", "--out", tmp_path / "x.txt")[0] == 2


def test_a_batch_run_has_its_quarantine_too(place, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    problem = {"column": "hour", "value": 99, "rule": "maximum", "allowed": "must be at most 23"}
    rows = {"row_number": [7], "row": ['{"hour": 99}'], "problems": [json.dumps([problem])]}
    pq.write_table(pa.table(rows), tmp_path / "q.parquet")
    key = "batch/batch-1/quarantine/flights.csv-1.parquet"
    place.aws("s3").upload_file(str(tmp_path / "q.parquet"), "lake", key)
    place.put("runs", kind="batch", run="batch-1", status="SUCCEEDED", quarantined=1, reasons={"maximum": 1})
    found = place.values("quarantine", "batch-1")
    assert found["rows"] == [{"file": "batch-1", "row": 7, "problems": [problem], "values": {"hour": 99}}]
