"""`fairway init` on tables as people have them: row numbers, markers, notations, titles, totals."""

import json
import tomllib
from datetime import date, timedelta
from pathlib import Path

import pytest

from domain.config.sections import read_config
from domain.contract.file import read_contract
from fairway.cli import main
from model_code.rows.tables import read_table
from tests.fairway.commands.drafting import drafted, notes, write_csv


def table_of(tmp_path: Path, rows: int = 200, **columns) -> Path:
    """A CSV of `n`, the given columns (row number -> cell) and the target `y`."""
    columns = {"n": lambda number: number % 7, **columns, "y": lambda number: "yn"[number * 7919 % 5 % 2]}
    made = [[cell(number) for cell in columns.values()] for number in range(rows)]
    return write_csv(tmp_path / "table.csv", list(columns), made)


def described(contract: dict, name: str) -> dict:
    return {key: value for key, value in contract["columns"][name].items() if key != "source"}


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "rownames", "position"])
@pytest.mark.parametrize("first", [0, 1])
def test_row_numbers_are_not_learnt_from(tmp_path, name, first):
    data = table_of(tmp_path, **{name: lambda number: (number * 77 % 200) + first})
    assert described(drafted(data, "y", tmp_path / "out"), name) == {"type": "integer", "role": "ignored"}


@pytest.mark.parametrize("marker", ["NA", "?", "\\N", "NULL", "-"])
def test_a_marker_in_numbers_means_null(tmp_path, capsys, marker):
    data = table_of(tmp_path, x=lambda number: marker if number == 5 else number / 8)
    column = described(drafted(data, "y", tmp_path / "out"), "x")
    assert (column["type"], column["nullable"], column["missing"]) == ("float", True, [marker])
    capsys.readouterr()
    assert f"'x': {marker!r} means null in 1 rows" in notes(capsys, data, "y", tmp_path / "other")


def test_a_word_among_texts_is_a_class_unless_numbers_lack_theirs_so(tmp_path):
    countries = {"c": lambda number: ["NA", "DE", "FR"][number % 3]}
    alone = drafted(table_of(tmp_path, **countries), "y", tmp_path / "a")
    assert described(alone, "c") == {"type": "string", "categories": ["DE", "FR", "NA"]}
    beside = table_of(tmp_path, **countries, x=lambda number: "NA" if number == 5 else number / 8)
    column = described(drafted(beside, "y", tmp_path / "b"), "c")
    assert column == {"type": "string", "nullable": True, "missing": ["NA"], "categories": ["DE", "FR"]}


def test_a_target_of_numbers_and_markers_is_a_regression(tmp_path):
    data = table_of(tmp_path, spend=lambda number: "NA" if number % 20 == 3 else number / 8)
    contract = drafted(data, "spend", tmp_path / "out")
    assert (contract["target"]["column"], described(contract, "spend")) == (
        "spend",
        {"type": "float", "missing": ["NA"]},
    )
    assert read_config(tmp_path / "out").project.task == "regression"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("${:,.2f}".format, {"thousands": ",", "decimal": ".", "unit": "$"}),
        (
            lambda x: f"{x:,.2f}".translate(str.maketrans(",.", ".,")) + " EUR",
            {"thousands": ".", "decimal": ",", "unit": "EUR"},
        ),
        ("{:.1f}%".format, {"thousands": ",", "decimal": ".", "unit": "%"}),
        (lambda x: f"{x:.2f}".replace(".", ","), {"thousands": ".", "decimal": ","}),
    ],
)
def test_numbers_are_read_in_the_notation_of_their_column(tmp_path, cell, written):
    data = table_of(tmp_path, x=lambda number: cell(number * 37.5))
    column = described(drafted(data, "y", tmp_path / "out", rows=200), "x")
    assert {key: column[key] for key in ("thousands", "decimal", "unit") if key in column} == written
    assert (column["type"], column["minimum"], column["maximum"]) == ("float", 0.0, 12000.0)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["$5.00", "5 EUR"], "'x' holds numbers in several forms or beside other texts, such as '$5.00', '5 EUR'"),
        (["$1,200", "$7", "free"], "such as '$1,200', 'free', so it became text"),
        (["5%", "0.05"], "unit = '%' (which 100 rows do not have)"),
    ],
)
def test_numbers_in_several_forms_are_named_with_one_of_each(tmp_path, capsys, cells, said):
    data = table_of(tmp_path, x=lambda number: cells[number % len(cells)])
    assert said in notes(capsys, data, "y", tmp_path / "out")


def test_titles_and_totals_are_not_rows_and_are_mentioned(tmp_path, capsys):
    rows = "".join(
        f"{'north' if n % 2 else 'south'},{n * 7 % 50},{n % 5},{'yn'[n * 7919 % 5 % 2]}\n" for n in range(60)
    )
    data = tmp_path / "sheet.csv"
    data.write_text(f"Sales of 2024\n\nregion,x,n,y\n{rows}Total,1470,120,\nGrand total: ,1470,,\n")
    said = notes(capsys, data, "y", tmp_path / "out")
    assert "1 lines above the header are passed over: 'Sales of 2024'" in said
    assert "2 rows are called a total and have empty cells" in said
    contract = read_contract(tmp_path / "out/contract.toml", "binary")
    assert contract.by_name["region"].categories == ("north", "south")
    (block,) = read_table(data, contract, with_target=True)
    assert (len(block.accepted), len(block.quarantined)) == (60, 2)


def test_a_shop_called_total_keeps_its_rows(tmp_path, capsys):
    data = table_of(tmp_path, station=lambda number: ["Total", "Shell"][number % 2])
    assert "called a total" not in notes(capsys, data, "y", tmp_path / "out")


def test_what_looks_odd_is_named(tmp_path, capsys):
    data = table_of(
        tmp_path,
        created_at=lambda number: 1783209600 + number * 8000,
        answer=lambda number: ["yes", "YES", "no"][number % 3],
        day=lambda number: "2099-01-01" if number == 7 else date(2024, 1, 1) + timedelta(days=number),
        price=lambda number: "abc" if number == 9 else number / 4,
    )
    said = notes(capsys, data, "y", tmp_path / "out")
    for words in (
        "'created_at' holds seconds, milliseconds, microseconds or nanoseconds since 1970",
        "'answer' holds values that differ in case or spaces only: 'YES' and 'yes'",
        "'day' has 1 rows far from the others or still to come, on 2099-01-01",
        "'price' holds numbers, but in 1 rows something else, first 'abc' in row 10",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("t", lambda number: 1_700_000_000_000 + number * 86_400_000, "'t' holds seconds, milliseconds, micro"),
        ("seen_at", lambda number: f"{1_700_000_000 + number * 86_400}.5", "'seen_at' holds seconds, milliseconds"),
        (
            "date",
            lambda number: f"{date(2024, 1, 1) + timedelta(number):%Y%m%d}",
            "days written as numbers, such as 2024",
        ),
        ("order_day", lambda number: 45_000 + number, "'order_day' holds Excel's numbers of days, such as 45000"),
    ],
)
def test_numbers_that_stand_for_a_time_are_named_and_have_no_maximum_that_time_breaks(
    tmp_path, capsys, name, cell, said
):
    data = table_of(tmp_path, **{name: cell})
    assert said in notes(capsys, data, "y", tmp_path / "out")
    assert "maximum" not in described(drafted(data, "y", tmp_path / "other"), name)


@pytest.mark.parametrize("written", ["\u2212{}", "{}-", "\u2013 {}"])
def test_numbers_with_another_minus_are_text_and_named(tmp_path, capsys, written):
    data = table_of(tmp_path, x=lambda number: written.format(number / 8) if number % 3 else number / 8)
    said = notes(capsys, data, "y", tmp_path / "out")
    assert f"'x' holds texts that are like numbers, such as {written.format(1 / 8)!r}: kept as text" in said


@pytest.mark.parametrize("separator", ["^", "~", ":", " ", "\x01"])
def test_a_separator_that_is_not_read_is_named(tmp_path, capsys, separator):
    data = table_of(tmp_path)
    data.write_text(data.read_text().replace(",", separator))
    assert main(["init", "--data", str(data), "--target", "y", "--out", str(tmp_path / "out")]) == 2
    said = f"They seem to be separated by {separator!r}; separate them by commas, semicolons, tabs or bars"
    assert said in capsys.readouterr().err


def test_a_header_that_comes_again_changes_no_type(tmp_path, capsys):
    data = table_of(tmp_path)
    lines = data.read_text().splitlines(keepends=True)
    data.write_text("".join([*lines[:90], lines[0], *lines[90:]]))
    assert "1 rows repeat the header" in notes(capsys, data, "y", tmp_path / "out")
    contract = tomllib.loads((tmp_path / "out/contract.toml").read_text())
    assert (contract["columns"]["n"]["type"], contract["columns"]["y"]["categories"]) == ("integer", ["n", "y"])


def test_a_zero_date_is_null_and_its_column_the_event_time(tmp_path):
    data = table_of(
        tmp_path, day=lambda number: "0000-00-00" if number == 7 else date(2024, 1, 1) + timedelta(days=number)
    )
    assert main(["init", "--data", str(data), "--target", "y", "--out", str(tmp_path / "out")]) == 0
    contract = tomllib.loads((tmp_path / "out/contract.toml").read_text())
    assert (contract["event_time"], contract.get("key")) == ("day", None)
    assert described(contract, "day") == {"type": "timestamp", "missing": ["0000-00-00"]}


def test_columns_that_never_repeat_are_no_leak_of_a_small_table(tmp_path):
    rows = [[f"{number * 1.37:.4f}", f"{number * 0.91 + 5:.4f}", f"{number * 2.2:.4f}"] for number in range(39)]
    contract = drafted(write_csv(tmp_path / "t.csv", ["a", "b", "y"], rows), "y", tmp_path / "out")
    assert [name for name, column in contract["columns"].items() if column.get("role") == "ignored"] == []


def test_an_object_or_a_long_text_is_kept_but_not_learnt_from(tmp_path):
    lines = [
        {"n": n % 7, "meta": {"a": n}, "text": "x" * (2000 if n == 3 else n % 9), "y": "yn"[n % 2]} for n in range(60)
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    contract = drafted(tmp_path / "t.jsonl", "y", tmp_path / "out", rows=60)
    for name in ("meta", "text"):
        assert described(contract, name) == {"type": "string", "role": "ignored"}
