"""Files into the lake: whole or not at all, and once."""

import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROW = {
    "flight_id": "UA1",
    "departure": "2013-01-01T10:15:00Z",
    "carrier": "UA",
    "origin": "EWR",
    "dest": "IAH",
    "month": "1",
    "weekday": "2",
    "hour": "5",
    "minute": "15",
    "arrival_hour": "8",
    "distance": "1400",
    "plane_year": "1999",
    "manufacturer": "BOEING",
    "seats": "149",
    "engine": "Turbo-fan",
    "temp": "39.92",
    "dewp": "28.04",
    "humid": "62.21",
    "wind_dir": "250.0",
    "wind_speed": "12.6",
    "precip": "0.0",
    "pressure": "1012.2",
    "visib": "10.0",
    "late": "false",
}


def table(file, *rows: dict):
    with file.open("w", newline="") as lines:
        out = csv.DictWriter(lines, list(ROW))
        out.writeheader()
        out.writerows([{**ROW, "flight_id": f"UA{number}", **row} for number, row in enumerate(rows)])
    return file


def test_good_rows_go_to_their_month_and_bad_rows_to_quarantine_with_their_reasons(place, tmp_path):
    file = table(
        tmp_path / "flights.csv",
        {},
        {"departure": "2013-02-28T23:59:59.5Z"},
        {"hour": "25", "late": ""},
        {"origin": "XXX"},
    )
    loaded = place.values("load", file)
    assert loaded == {
        "accepted": 2,
        "quarantined": 2,
        "reasons": {"category": 1, "maximum": 1, "null": 1},
        "duplicates": {"rule": "newest", "in_file": 0, "loaded": 0},
        "far_rows": [],
        "files": [
            {"file": str(file), "load": loaded["files"][0]["load"], "accepted": 2, "quarantined": 2, "skipped": []}
        ],
        "replaced": [],
    }
    load = loaded["files"][0]["load"]
    assert place.keys("rows/") == [
        f"rows/month=2013-01/{load}-00000.parquet",
        f"rows/month=2013-02/{load}-00000.parquet",
    ]
    assert read(place, f"rows/month=2013-02/{load}-00000.parquet")["flight_id"] == ["UA1"]
    bad = read(place, f"quarantine/load={load}/00000.parquet")
    assert bad["row_number"] == [3, 4]
    assert [[(p["column"], p["rule"]) for p in json.loads(problems)] for problems in bad["problems"]] == [
        [("hour", "maximum"), ("late", "null")],
        [("origin", "category")],
    ]


def read(place, key: str) -> dict:
    body = place.aws("s3").get_object(Bucket="lake", Key=key)["Body"].read()
    return pq.read_table(io.BytesIO(body)).to_pydict()


def test_the_record_names_every_part_with_its_rows_and_times(place, tmp_path):
    file = table(
        tmp_path / "flights.csv",
        {},
        {"departure": "2013-01-31T00:00:00+02:00"},
        {"departure": "2013-02-28T23:59:59.5Z"},
    )
    load = place.values("load", file)["files"][0]["load"]
    key = {"kind": {"S": "load"}, "run": {"S": load}}
    record = place.aws("dynamodb").get_item(TableName="flights-local-runs", Key=key)["Item"]
    assert (record["first"]["S"], record["last"]["S"]) == ("2013-01-01T10:15:00Z", "2013-03-01T00:00:00Z")
    assert json.loads(record["parts"]["S"]) == [
        {
            "key": f"rows/month=2013-01/{load}-00000.parquet",
            "rows": 2,
            "first": "2013-01-01T10:15:00Z",
            "last": "2013-01-30T22:00:00Z",
        },
        {
            "key": f"rows/month=2013-02/{load}-00000.parquet",
            "rows": 1,
            "first": "2013-02-28T23:59:59Z",
            "last": "2013-03-01T00:00:00Z",
        },
    ]


def test_the_same_file_again_writes_nothing_and_counts_the_same_whatever_it_is_called(place, tmp_path):
    first = place.values("load", table(tmp_path / "flights.csv", {}, {"hour": "25"}))
    written = place.aws("s3").list_object_versions(Bucket="lake")
    again = place.values("load", table(tmp_path / "copy.csv", {}, {"hour": "25"}), tmp_path / "flights.csv")
    assert {key: again[key] for key in ("accepted", "quarantined", "reasons")} == {
        "accepted": 1,
        "quarantined": 1,
        "reasons": {"maximum": 1},
    }
    assert [file["load"] for file in again["files"]] == [file["load"] for file in first["files"]]
    assert times(place.aws("s3").list_object_versions(Bucket="lake")) == times(written)
    _, out, _ = place.run("load", tmp_path / "copy.csv")
    assert "1 of 1 files were already loaded" in out


def times(listing: dict) -> list:
    return [(version["Key"], version["LastModified"]) for version in listing.get("Versions", [])]


def test_one_bad_file_stops_the_command_before_anything_is_loaded(place, tmp_path):
    good = table(tmp_path / "good.csv", {})
    whole = table(tmp_path / "whole.csv", *[{}] * 300)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(whole.read_bytes())[:-50])
    code, out, err = place.run("load", good, cut)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"error: {cut}: is cut off") and "nothing was loaded" in err
    assert place.keys("") == []
    assert place.aws("dynamodb").scan(TableName="flights-local-runs")["Count"] == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", "", "is empty"),
        ("header.csv", ",".join(ROW) + "\n", "has no rows"),
        ("other.csv", "a,b\n1,2\n", "has no column 'arrival_hour'"),
        ("flights.xlsx", "PK", "its name must end in .csv"),
        ("flights.parquet", "PAR1", "not a whole Parquet file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong(place, tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    code, out, _ = place.run("load", tmp_path / name, "--json")
    failure = json.loads(out)
    assert (code, failure["error"]) == (2, "file")
    assert str(tmp_path / name) in failure["message"] and said in failure["message"]


def test_a_part_without_a_record_is_taken_up_by_the_next_try(place, tmp_path, monkeypatch):
    from fairway.stage import loads

    file = table(tmp_path / "flights.csv", {})

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loads, "enter", killed)
    code, _, _err = place.run("load", file)
    assert (code, place.aws("dynamodb").scan(TableName="flights-local-runs")["Count"]) == (130, 0)
    monkeypatch.undo()
    assert place.values("load", file)["accepted"] == 1
    assert len(place.keys("rows/")) == 1


def test_under_another_contract_the_same_file_takes_the_place_of_its_earlier_load(place, tmp_path):
    file = table(tmp_path / "flights.csv", {}, {"hour": "25"})
    first = place.values("load", file)
    contract = place.folder / "flights/contract.toml"
    contract.write_text(contract.read_text().replace("maximum = 23", "maximum = 25"))
    code, out, _ = place.run("load", file)
    assert (code, out.splitlines()[:2]) == (
        0,
        [
            "accepted 2 rows, quarantined 0",
            "1 of 1 files were loaded before under another contract, and those loads no longer count",
        ],
    )
    loads = place.aws("dynamodb").scan(TableName="flights-local-runs")["Items"]
    assert [load["replaces"]["L"] for load in loads] == [[{"S": first["files"][0]["load"]}]]


def test_a_corrected_file_counts_beside_the_first_until_it_is_said_to_replace_it(place, tmp_path):
    first = place.values("load", table(tmp_path / "flights.csv", {}, {"hour": "25"}))
    corrected = table(tmp_path / "flights.csv", {}, {"hour": "23"})
    _, out, _ = place.run("load", corrected)
    load = first["files"][0]["load"]
    assert out.splitlines()[-1] == (
        f"flights.csv was loaded before with other content: {load}, which counts too; if this "
        "file corrects it, load it with --replace"
    )
    assert len(counting(place)) == 2
    _, out, _ = place.run("load", corrected, "--replace")
    assert out.splitlines()[-1] == f"flights.csv was loaded before with other content: {load}, which no longer counts"
    assert counting(place) == [place.values("load", corrected, "--replace")["files"][0]["load"]]


def test_files_of_one_command_do_not_replace_each_other(place, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, other = table(tmp_path / "a/flights.csv", {}), table(tmp_path / "b/flights.csv", {}, {})
    assert place.values("load", one, other, "--replace")["replaced"] == []
    assert len(counting(place)) == 2


def counting(place) -> list[str]:
    items = place.aws("dynamodb").scan(TableName="flights-local-runs")["Items"]
    return [item["run"]["S"] for item in items if item["kind"]["S"] == "load"]


def week(file, *numbers: int, **changed):
    """An export of the flights of these numbers."""
    return table(file, *({"flight_id": f"UA{number}", **changed} for number in numbers))


def test_an_overlapping_export_says_how_many_rows_it_replaces(place, tmp_path):
    place.values("load", week(tmp_path / "week-1.csv", 1, 2, 3, 4))
    second = week(tmp_path / "week-2.csv", 3, 4, 5, 5, hour="6")
    loaded = place.values("load", second)
    assert (loaded["accepted"], loaded["duplicates"]) == (4, {"rule": "newest", "in_file": 1, "loaded": 2})
    _, out, _ = place.run("load", second)
    assert out.splitlines()[1:3] == [
        '2 rows were loaded before: the one that was loaded last counts (data.duplicates = "newest")',
        '1 rows are in their file twice: the last one counts (data.duplicates = "newest")',
    ]


def test_files_of_one_command_are_compared_with_each_other_too(place, tmp_path):
    first, second = week(tmp_path / "week-1.csv", 1, 2, 3), week(tmp_path / "week-2.csv", 2, 3, 4)
    assert place.values("load", first, second)["duplicates"] == {"rule": "newest", "in_file": 0, "loaded": 2}


def test_the_same_key_at_another_time_is_another_row(place, tmp_path):
    place.values("load", week(tmp_path / "may.csv", 1, 2))
    later = week(tmp_path / "june.csv", 1, 2, departure="2013-01-01T10:15:01Z")
    assert place.values("load", later)["duplicates"] == {"rule": "newest", "in_file": 0, "loaded": 0}


def set_duplicates(place, rule: str) -> None:
    settings = place.folder / "fairway.toml"
    settings.write_text(settings.read_text().replace("[data]", f'[data]\nduplicates = "{rule}"'))


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((5, 3, 4), "2 of its rows are loaded already, first row 2 (UA3 at 2013-01-01T10:15:00Z)"),
        ((5, 6, 6), "1 rows are in the file twice, first row 3 (UA6 at 2013-01-01T10:15:00Z)"),
    ],
)
def test_a_file_with_a_row_that_is_there_already_is_refused_where_that_is_the_rule(place, tmp_path, numbers, said):
    set_duplicates(place, "refuse")
    place.values("load", week(tmp_path / "week-1.csv", 1, 2, 3, 4))
    keys = place.keys("")
    code, out, _ = place.run("load", week(tmp_path / "week-2.csv", *numbers), "--json")
    failure = json.loads(out)
    assert (code, failure["error"]) == (2, "duplicates")
    assert said in failure["message"] and "nothing was loaded" in failure["message"]
    assert place.keys("") == keys
    assert place.values("load", week(tmp_path / "week-3.csv", 7, 8))["accepted"] == 2


def test_all_rows_count_where_that_is_the_rule(place, tmp_path):
    set_duplicates(place, "keep")
    place.values("load", week(tmp_path / "week-1.csv", 1, 2))
    second = week(tmp_path / "week-2.csv", 2, 3)
    assert place.values("load", second)["duplicates"] == {"rule": "keep", "in_file": 0, "loaded": 1}
    assert '1 rows were loaded before: all of them count (data.duplicates = "keep")' in place.run("load", second)[1]


@pytest.fixture
def keyless(place):
    """The project with a contract that does not say what names a row."""
    contract = place.folder / "flights/contract.toml"
    text = contract.read_text().replace('key = ["flight_id"]\n', "")
    contract.write_text(text.replace("[columns.flight_id]\n", '[columns.flight_id]\nrole = "ignored"\n'))
    return place


def test_without_a_key_identical_rows_are_counted_whatever_an_ignored_column_says(keyless, tmp_path):
    hours = [{"hour": str(hour), "seats": ""} for hour in range(6)]
    keyless.values("load", table(tmp_path / "week-1.csv", *hours[:4]))
    second = table(tmp_path / "week-2.csv", hours[5], hours[2], hours[3], hours[5], {**hours[2], "seats": "1"})
    loaded = keyless.values("load", second)
    assert (loaded["accepted"], loaded["duplicates"]) == (5, {"rule": None, "in_file": 1, "loaded": 2})
    all_count = "all of them count; a key in the contract would tell whether they are repeats"
    assert keyless.run("load", second)[1].splitlines()[1:3] == [
        f"2 rows are identical to rows that are loaded already: {all_count}",
        f"1 rows are identical to an earlier row of their file: {all_count}",
    ]


def test_without_a_key_a_file_is_refused_for_rows_that_are_loaded_and_not_for_equal_ones_of_its_own(keyless, tmp_path):
    set_duplicates(keyless, "refuse")
    keyless.values("load", table(tmp_path / "week-1.csv", {"hour": "1"}, {"hour": "2"}, {"hour": "2"}))
    code, out, _ = keyless.run("load", table(tmp_path / "week-2.csv", {"hour": "3"}, {"hour": "2"}), "--json")
    failure = json.loads(out)
    assert (code, failure["error"]) == (2, "duplicates")
    assert "1 of its rows are identical to rows that are loaded already, first row 2; " in failure["message"]


def test_without_a_key_rows_are_compared_with_parts_that_lack_a_column_that_may_be_null(keyless, tmp_path):
    contract = keyless.folder / "flights/contract.toml"
    whole = contract.read_text()
    begin = whole.index("[columns.visib]")
    contract.write_text(whole[:begin] + whole[whole.index("[columns.late]") :])
    rows = table(tmp_path / "week-1.csv", {"hour": "1", "visib": ""})
    lines = [line.split(",") for line in rows.read_text().splitlines()]
    place_of = lines[0].index("visib")
    rows.write_text("\n".join(",".join(line[:place_of] + line[place_of + 1 :]) for line in lines) + "\n")
    keyless.values("load", rows)
    contract.write_text(whole)
    second = table(tmp_path / "week-2.csv", {"hour": "1", "visib": ""}, {"hour": "1"})
    assert keyless.values("load", second)["duplicates"] == {"rule": None, "in_file": 0, "loaded": 1}


def test_a_file_that_is_loaded_again_under_another_contract_keeps_its_place_in_the_order(place, tmp_path):
    first = week(tmp_path / "week-1.csv", 1, 2)
    place.values("load", first)
    place.values("load", week(tmp_path / "week-2.csv", 2, 3))
    order = {record["file"]["S"]: int(record["loaded_us"]["N"]) for record in load_records(place)}
    assert order["week-1.csv"] < order["week-2.csv"]
    contract = place.folder / "flights/contract.toml"
    contract.write_text(contract.read_text().replace("maximum = 23", "maximum = 25"))
    assert place.values("load", first)["duplicates"]["loaded"] == 1
    assert {record["file"]["S"]: int(record["loaded_us"]["N"]) for record in load_records(place)} == order


def load_records(place) -> list[dict]:
    return place.aws("dynamodb").scan(TableName="flights-local-runs")["Items"]


def test_rows_that_are_far_from_the_others_or_still_to_come_are_pointed_out(place, tmp_path):
    days = [{"departure": f"2013-01-{number % 28 + 1:02}T10:15:00Z"} for number in range(300)]
    file = table(tmp_path / "flights.csv", *days, {"departure": "2099-01-01T00:00:00Z"})
    assert place.values("load", file)["far_rows"] == [{"first": "2099-01-01T00:00:00Z", "rows": 1}]
    _, out, _ = place.run("load", file)
    assert "1 rows are far from the others or in the future, from 2099-01-01T00:00:00Z on" in out


def test_titles_above_a_header_are_passed_over_and_named(place, tmp_path):
    file = table(tmp_path / "flights.csv", {}, {})
    file.write_text("Flights of January\n\n" + file.read_text())
    loaded = place.values("load", file)
    assert (loaded["accepted"], loaded["files"][0]["skipped"]) == (2, ["Flights of January"])
    assert "skipped above its header: 'Flights of January'" in place.run("load", file)[1]


def spark(folder: Path) -> Path:
    """A folder of rows as Spark writes it."""
    (folder / "weekday=1").mkdir(parents=True)
    table(folder / "part-0.csv", {"hour": "1"})
    table(folder / "weekday=1/part-1.csv", {"hour": "2"})
    for name in ("_SUCCESS", ".part-0.csv.crc"):
        (folder / name).write_bytes(b"")
    return folder


def test_a_folder_is_loaded_without_what_spark_writes_beside_its_data(place, tmp_path):
    folder = spark(tmp_path / "export")
    loaded = place.values("load", folder)
    names = [Path(file["file"]).name for file in loaded["files"]]
    assert (names, loaded["skipped"]) == (["part-0.csv", "part-1.csv"], [".part-0.csv.crc", "_SUCCESS"])
    assert "skipped, as it has no rows: '.part-0.csv.crc', '_SUCCESS'" in place.run("load", folder)[1]
    (folder / "part-0.csv").unlink()
    (folder / "weekday=1/part-1.csv").unlink()
    code, _, err = place.run("load", folder)
    assert code == 2 and "export: must have a file of rows; it has none beside '.part-0.csv.crc', '_SUCCESS'" in err
