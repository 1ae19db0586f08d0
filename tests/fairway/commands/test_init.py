"""A project drafted from any table: it must be valid, and take that very table whole."""

import json
import random
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.config.sections import LONGEST_DAYS, read_config
from fairway.cli import main
from tests.fairway.commands.drafting import drafted, notes, write_csv


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
        "'copy' determines the target exactly, so it cannot be known beforehand: not used for training",
        "'delivered' holds dates such as '1/3/2024'; only ISO 8601 (2013-04-01) is a timestamp, so it became text",
        "'always' is always 'EUR': not used for training",
        "'nothing' is always empty: not used for training",
        "'birth date' is a timestamp besides the event time",
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
        (["a", "b"], ["1", "2"], "c", "--target = 'c': must be one of its columns 'a', 'b'"),
        (["a", "b"], ["1", "2"], "b", "target 'b' is always '2': must have at least two values"),
        (["a", "b"], ["1", ""], "b", "target 'b' is always empty: must have at least two values"),
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
    assert f"{tmp_path / 'contract.toml'} exists already" in capsys.readouterr().err
    assert (tmp_path / "contract.toml").read_text() == "mine" and not (tmp_path / "fairway.toml").exists()


def test_a_column_of_codes_that_never_repeat_is_the_key_whatever_it_is_called(tmp_path, capsys):
    rows = [[f"K{number:05}", f"remark {number}", number % 7, "yes" if number % 3 else "no"] for number in range(200)]
    data = write_csv(tmp_path / "kunden.csv", ["Kunde", "Notiz", "n", "bleibt"], rows)
    said = notes(capsys, data, "bleibt", tmp_path / "out")
    assert "'Kunde' differs in every row and looks like an id, such as 'K00000': it is the key" in said
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
