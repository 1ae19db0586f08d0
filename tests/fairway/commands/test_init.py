"""A project drafted from any table: it must be valid, and take that very table whole."""

import csv
import json
import random
import tempfile
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.config.sections import LONGEST_DAYS, read_config
from domain.contract.file import read_contract
from fairway.cli import main
from fairway.draft import toml
from model_code.rows.tables import read_table

ODD_NAMES = [
    "Größe (cm)",
    "1st",
    "select",
    "a.b",
    'say "hi"',
    "back\\slash",
    "it's",
    "日本",
    "two  spaces",
    "[x]",
    "#",
    "=",
    "",
    "tab\there",
    "true",
    "name",
]


def write_csv(file: Path, names: list[str], rows: list[list]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    return file


def drafted(data: Path, target: str, out: Path, *, rows: int | None = None) -> dict:
    """What init wrote: it exists, `check` passes, and the contract takes every row whose target is known, all `rows` of
    them.
    """
    assert main(["init", "--data", str(data), "--target", target, "--out", str(out)]) == 0
    assert main(["check", "--project", str(out)]) == 0
    contract = read_contract(out / "contract.toml", read_config(out).project.task)
    blocks = list(read_table(data, contract, with_target=True))
    read = sum(len(block.accepted) + len(block.quarantined) for block in blocks)
    assert read == rows if rows is not None else read > 0
    for block in blocks:
        problems = [problem for row in block.quarantined["problems"].to_pylist() for problem in json.loads(row)]
        assert [p for p in problems if (p["column"], p["rule"]) != (target, "null")] == []
    return tomllib.loads((out / "contract.toml").read_text())


def notes(capsys, data: Path, target: str, out: Path) -> str:
    assert main(["init", "--data", str(data), "--target", target, "--out", str(out), "--json"]) == 0
    return "\n".join(json.loads(capsys.readouterr().out)["notes"])


# ---- any table at all

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12)
cells = {
    "words": st.sampled_from(["red", "green", "blue", "0", "NA", "-", "1e5", "nan", "Infinity"]),
    "text": texts,
    "integers": st.integers(-(10**18), 10**18).map(str),
    "small": st.integers(-3, 3).map(str),
    "codes": st.integers(0, 99999).map("{:05}".format),
    "floats": st.floats(allow_nan=False, allow_infinity=False).map(repr),
    "decimals": st.decimals(-1000, 1000, places=2).map(str),
    "booleans": st.sampled_from(["true", "False", "TRUE"]),
    "yes": st.sampled_from(["yes", "no"]),
    "bits": st.sampled_from(["0", "1", "1.0"]),
    "days": st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(str),
    "moments": st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda m: m.isoformat()),
    "dates": st.dates().map(lambda d: f"{d.day}/{d.month}/{d.year}"),
    "empty": st.just(""),
    "mixed": st.one_of(texts, st.integers().map(str), st.just("true")),
}
targets = st.sampled_from(
    [
        ["true", "false"],
        ["Yes", "No"],
        ["0", "1"],
        ["0.0", "1.0"],
        ["a", "b", "c"],
        ["1.5", "2.5", "-3", "7"],
        ["3", "4", "5"],
    ]
)


@st.composite
def tables(draw):
    names = draw(st.lists(st.one_of(st.sampled_from(ODD_NAMES), texts), min_size=3, max_size=6, unique=True))
    kinds = [draw(st.sampled_from(sorted(cells))) for _ in names[2:]]
    known = draw(targets)
    count = draw(st.integers(len(known), 40))
    rows = []
    for number in range(count):
        target = known[number] if number < len(known) else draw(st.sampled_from([*known, ""]))
        drawn = [draw(st.one_of(cells[kind], st.just("")) if number % 7 == 3 else cells[kind]) for kind in kinds]
        rows.append([target, number % 5, *drawn])  # the number is something to learn from, whatever else is drawn
    return names, rows


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(tables())
def test_any_table_of_text_is_taken_whole_by_the_contract_drafted_from_it(table):
    names, rows = table
    with tempfile.TemporaryDirectory() as folder:
        drafted(write_csv(Path(folder) / "table.csv", names, rows), names[0], Path(folder) / "out", rows=len(rows))


values = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), texts)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from([st.booleans(), st.integers(-5, 2**60), st.floats(), texts]), st.integers(8, 30))
def test_any_table_of_typed_values_is_taken_whole(data, kind, count):
    column = data.draw(st.lists(st.one_of(kind, st.none()), min_size=count, max_size=count))
    rows = [{"x": value, "n": number, "late": number % 2 == 0} for number, value in enumerate(column)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.jsonl"
        file.write_text(
            "".join(
                json.dumps(
                    {key: None if value != value else value for key, value in row.items() if value not in INFINITE}
                )
                + "\n"
                for row in rows
            )
        )
        drafted(file, "late", Path(folder) / "out", rows=count)


INFINITE = (float("inf"), float("-inf"))


@given(
    st.dictionaries(
        texts,
        st.one_of(
            texts,
            st.booleans(),
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_nan=False, allow_infinity=False),
            st.lists(texts),
        ),
    )
)
def test_toml_reads_back_as_it_was_meant(document):
    assert tomllib.loads("\n".join(toml.lines(document))) == document
    assert tomllib.loads(f"inline = {toml.value(document)}") == {"inline": document}


# ---- what is inferred


def shop(rows: int) -> tuple[list[str], list[list]]:
    draw = random.Random(3)
    names = [
        "Order-ID",
        "ordered at",
        "birth date",
        "zip",
        "colour",
        "price",
        "1st?",
        "note",
        "delivered",
        "nothing",
        "always",
        "copy",
        "returned",
    ]
    table = []
    for number in range(rows):
        moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=7 * number)
        returned = draw.choice(["Y", "N", "N"])
        table.append(
            [
                f"o{number}",
                moment.isoformat(),
                f"19{number % 90 + 10}-02-03",
                f"{draw.randrange(100, 99999):05}",
                draw.choice(["red", "été", "日本"]),
                f"{draw.uniform(1, 90):.2f}",
                draw.choice(["true", "false"]),
                draw.choice(["", f"text {number}"]),
                f"{number % 28 + 1}/3/2024",
                "",
                "EUR",
                {"Y": "1", "N": "0"}[returned],
                returned,
            ]
        )
    return names, table


def test_types_roles_and_limits_follow_from_the_table(tmp_path):
    contract = drafted(write_csv(tmp_path / "orders.csv", *shop(400)), "returned", tmp_path / "Web Shop 2")
    assert (contract["name"], contract["key"], contract["event_time"]) == ("web-shop", ["Order-ID"], "ordered at")
    assert contract["target"] == {"column": "returned", "positive": "Y", "prior": contract["target"]["prior"]}
    assert 0.25 < contract["target"]["prior"] < 0.42
    assert {
        name: {key: value for key, value in column.items() if key != "source"}
        for name, column in contract["columns"].items()
    } == {
        "Order-ID": {"type": "string"},
        "ordered at": {"type": "timestamp"},
        "birth date": {"type": "timestamp", "role": "ignored"},
        "zip": {"type": "string"},
        "colour": {"type": "string", "categories": ["red", "été", "日本"]},
        "price": {"type": "float", "minimum": 0.0, "maximum": 140.0},
        "1st?": {"type": "boolean"},
        "note": {"type": "string", "nullable": True, "role": "ignored"},
        "delivered": {"type": "string", "categories": contract["columns"]["delivered"]["categories"]},
        "nothing": {"type": "string", "nullable": True, "role": "ignored"},
        "always": {"type": "string", "role": "ignored"},
        "copy": {"type": "integer", "role": "ignored"},
        "returned": {"type": "string", "categories": ["N", "Y"]},
    }
    config = read_config(tmp_path / "Web Shop 2")
    assert (config.project.task, config.data.window_days, config.data.evaluate_days) == ("binary", 118, 35)


def test_what_is_assumed_and_what_looks_odd_is_said(capsys, tmp_path):
    said = notes(capsys, write_csv(tmp_path / "orders.csv", *shop(400)), "returned", tmp_path / "out")
    for words in (
        "'copy' says exactly what the target says, which nobody knows beforehand: not learnt from",
        "'delivered' holds dates such as '1/3/2024'; only ISO 8601 (2013-04-01) is a moment, so it became text",
        "'always' is always 'EUR': not learnt from",
        "'nothing' is always empty: not learnt from",
        "'birth date' is a moment beside the event time",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("outcomes", "task", "target"),
    [
        (["true", "False", "true", "true"], "binary", {"positive": True, "prior": 0.75}),
        (["0.0", "1.0", "1", "0"], "binary", {"positive": 1, "prior": 0.5}),
        (["good", "bad", "good", "good"], "binary", {"positive": "bad", "prior": 0.25}),
        (["won", "lost", "won", "won"], "binary", {"positive": "won", "prior": 0.75}),
        (["a", "b", "c", "a"], "multiclass", {"prior": {"a": 0.5, "b": 0.25, "c": 0.25}}),
        (["1", "2", "3", "6"], "regression", {"prior": 3.0}),
        (["-1.5", "", "2.5", "2"], "regression", {"prior": 1.0}),
    ],
)
def test_the_task_follows_from_the_target(tmp_path, outcomes, task, target):
    data = write_csv(
        tmp_path / "t.csv", ["size", "out"], [[str(number), outcome] for number, outcome in enumerate(outcomes)]
    )
    contract = drafted(data, "out", tmp_path / "out")
    assert read_config(tmp_path / "out").project.task == task
    assert contract["target"] == {"column": "out", **target}


def test_parquet_brings_its_own_types(tmp_path):
    count = 300
    table = pa.table(
        {
            "when": pa.array([datetime(2024, 1, 1) + timedelta(days=n, microseconds=n) for n in range(count)]),
            "level": pa.array([f"level {n % 20:03}" for n in range(count)]).dictionary_encode(),
            "amount": pa.array([n + 0.25 if n % 3 else None for n in range(count)]),
            "big": pa.array([2**60 + n for n in range(count)]),
            "flag": pa.array([n % 2 == 0 for n in range(count)]),
            "none": pa.nulls(count),
            "y": pa.array([float(n % 7) for n in range(count)]),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    contract = drafted(tmp_path / "t.parquet", "y", tmp_path / "out")
    assert {name: (column["type"], column.get("nullable", False)) for name, column in contract["columns"].items()} == {
        "when": ("timestamp", False),
        "level": ("string", False),
        "amount": ("float", True),
        "big": ("string", False),
        "flag": ("boolean", False),
        "none": ("string", True),
        "y": ("float", False),
    }
    assert (contract["event_time"], len(contract["columns"]["level"]["categories"])) == ("when", 20)


def test_rows_of_two_types_in_one_column_are_said_to_go_to_quarantine(capsys, tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_text("".join(json.dumps({"x": "text" if n == 7 else n, "y": n % 2 == 0}) + "\n" for n in range(30)))
    assert "'x' is mostly integer, but 1 rows hold something else; `fairway load` will quarantine those" in notes(
        capsys, file, "y", tmp_path / "out"
    )


@pytest.mark.parametrize(
    ("names", "row", "target", "said"),
    [
        (["a", "b"], ["1", "2"], "c", "has no column 'c', which --target names; its columns: 'a', 'b'"),
        (["a", "b"], ["1", "2"], "b", "target 'b' is always '2'; there is nothing to learn"),
        (["a", "b"], ["1", ""], "b", "target 'b' is always empty; there is nothing to learn"),
        (["a", "a"], ["1", "2"], "a", "names 'a' more than once"),
    ],
)
def test_a_table_that_cannot_be_learnt_from_is_refused_and_nothing_is_written(
    capsys, tmp_path, names, row, target, said
):
    data = write_csv(tmp_path / "t.csv", names, [row, row])
    code = main(["init", "--data", str(data), "--target", target, "--out", str(tmp_path / "out")])
    assert code == 2 and said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_too_many_classes_and_moments_are_no_target(capsys, tmp_path):
    for target, cell in (("words", "word {}"), ("day", "2024-01-{:02}")):
        data = write_csv(
            tmp_path / f"{target}.csv",
            ["n", target],
            [[str(n), cell.format(n % 28 + 1 if target == "day" else n)] for n in range(150)],
        )
        assert main(["init", "--data", str(data), "--target", target, "--out", str(tmp_path / "out")]) == 2
        assert "neither numbers nor true/false nor at most 100 classes" in capsys.readouterr().err


def test_what_is_there_already_is_never_written_over(capsys, tmp_path):
    data = write_csv(tmp_path / "t.csv", ["x", "y"], [["1", "a"], ["2", "b"]])
    (tmp_path / "contract.toml").write_text("mine")
    assert main(["init", "--data", str(data), "--target", "y", "--out", str(tmp_path)]) == 2
    assert f"{tmp_path / 'contract.toml'} is there already" in capsys.readouterr().err
    assert (tmp_path / "contract.toml").read_text() == "mine" and not (tmp_path / "fairway.toml").exists()


def test_a_column_of_codes_that_never_repeat_is_the_key_whatever_it_is_called(tmp_path, capsys):
    rows = [[f"K{number:05}", f"remark {number}", number % 7, "yes" if number % 3 else "no"] for number in range(200)]
    data = write_csv(tmp_path / "kunden.csv", ["Kunde", "Notiz", "n", "bleibt"], rows)
    said = notes(capsys, data, "bleibt", tmp_path / "out")
    assert "'Kunde' differs in every row and reads like an id, such as 'K00000': it is the key" in said
    assert "the row's own hash is the key" not in said
    assert tomllib.loads((tmp_path / "out/contract.toml").read_text())["key"] == ["Kunde"]


def test_text_that_never_repeats_is_no_key(tmp_path, capsys):
    rows = [[f"remark {number}", number % 7, "yes" if number % 3 else "no"] for number in range(200)]
    data = write_csv(tmp_path / "kunden.csv", ["Notiz", "n", "bleibt"], rows)
    assert "the row's own hash is the key" in notes(capsys, data, "bleibt", tmp_path / "out")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_table_with_another_separator_is_read(tmp_path, separator):
    rows = [["x", "y"], *([str(number / 4), "yn"[number % 2]] for number in range(40))]
    (tmp_path / "data.csv").write_text("".join(separator.join(row) + "\n" for row in rows))
    contract = drafted(tmp_path / "data.csv", "y", tmp_path / "out", rows=40)
    assert {name: column["type"] for name, column in contract["columns"].items()} == {"x": "float", "y": "string"}


# ---- tables as people have them


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


def test_a_table_too_wide_for_a_request_is_refused_by_check(tmp_path, capsys):
    names = [f"gene_{number:05}" for number in range(3000)]
    rows = [[number * (place % 6 + 2) for place in range(3000)] + ["yn"[number % 2]] for number in range(40)]
    data = write_csv(tmp_path / "wide.csv", [*names, "sick"], rows)
    assert main(["init", "--data", str(data), "--target", "sick", "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert main(["check", "--project", str(tmp_path / "out")]) == 2
    assert "must be at most 60,000 in a request" in capsys.readouterr().err


def test_what_comes_next_can_be_typed_for_a_folder_with_a_space(tmp_path, capsys):
    data = write_csv(tmp_path / "data.csv", ["x", "y"], [[number, number % 2] for number in range(40)])
    assert main(["init", "--data", str(data), "--target", "y", "--out", str(tmp_path / "my shop")]) == 0
    assert f"`fairway up --project '{tmp_path}/my shop'`" in capsys.readouterr().err


def test_a_table_of_more_than_a_century_looks_back_as_far_as_settings_allow(tmp_path):
    rows = [[f"{1900 + number}-01-01", number % 7, "yes" if number % 3 else "no"] for number in range(125)]
    data = write_csv(tmp_path / "data.csv", ["date", "n", "y"], rows)
    drafted(data, "y", tmp_path / "out", rows=125)
    assert read_config(tmp_path / "out").data.window_days == LONGEST_DAYS


def test_the_project_gets_workflows_of_its_own_and_keeps_those_it_has(tmp_path, capsys):
    data = write_csv(tmp_path / "data.csv", ["x", "y"], [[number, number % 2] for number in range(40)])
    there = tmp_path / "shop/.github/workflows/check.yml"
    there.parent.mkdir(parents=True)
    there.write_text("name: ours\n")
    assert main(["init", "--data", str(data), "--target", "y", "--out", str(tmp_path / "shop"), "--json"]) == 0
    written = [Path(file).relative_to(tmp_path / "shop") for file in json.loads(capsys.readouterr().out)["files"]]
    assert list(map(str, written)) == [
        "fairway.toml",
        "contract.toml",
        ".github/workflows/cost.yml",
        ".github/workflows/deploy.yml",
        ".github/deploy-role.yaml",
    ]
    assert there.read_text() == "name: ours\n"
    assert "options: [dev, prod]" in (tmp_path / "shop/.github/workflows/deploy.yml").read_text()
