"""Held-out rows as CSV: the very rows that an evaluation reads."""

import csv
import random
from pathlib import Path

import pytest

from domain.contract.schema import Column, Contract
from model_code.rows.held_out import write_held_out
from model_code.rows.identity import iso_texts
from model_code.rows.tables import read_table
from model_code.rows.window import read_window
from tests.model_code.rows.test_window import KEY, TARGET, TIME, VALUE, WINDOW, part

WEIGHT, NOTE = Column("weight", "float", nullable=True), Column("note", "string", nullable=True)
NOTES = ['quoted "so", and', "two\nlines", "Zürich", None]  # no spaces around: of a CSV cell they do not count


def orders(*special: Column) -> Contract:
    return Contract("orders", "binary", (*special, VALUE, WEIGHT, NOTE, TARGET), prior=0.5)


def rows_of(contract: Contract, seed: int) -> list[dict]:
    draw = random.Random(seed)
    rows = [
        {
            "id": f"K{draw.randrange(60)}",
            "at": f"2024-0{draw.choice((1, 2))}-{draw.randrange(1, 29):02d}T00:00:00{draw.choice(('', '.25'))}Z",
            "x": draw.randrange(2**53),
            "weight": draw.choice([None, draw.random(), 1e300 * draw.random(), 5.0]),
            "note": draw.choice(NOTES),
            "y": draw.random() < 0.5,
        }
        for _ in range(150)
    ]
    return [{name: row[name] for name in contract.by_name} for row in rows]


def as_tuples(contract: Contract, table) -> list[tuple]:
    names = [column.name for column in contract.columns]
    columns = [iso_texts(table[name]) if name == "at" else table[name] for name in names]
    return sorted(map(repr, zip(*(column.to_pylist() for column in columns), strict=True)))


@pytest.mark.parametrize("rule", ["newest", "keep"])
@pytest.mark.parametrize("special", [(KEY, TIME), (KEY,), (TIME,)], ids=["key and time", "key", "time"])
def test_they_are_the_rows_that_the_evaluation_reads_and_load_takes_them_back_unchanged(tmp_path, special, rule):
    contract, lake = orders(*special), tmp_path / "lake"
    lake.mkdir()
    for number, name in enumerate(["bbbb-00000", "aaaa-00000", "aaaa-00001"]):
        part(lake, contract, name, *rows_of(contract, number))
    chosen = {"loads": ["bbbb", "aaaa"], "duplicates": rule}
    judged = read_window(lake, contract, WINDOW, "evaluate", **chosen).table
    out = tmp_path / "held-out.csv"

    count = write_held_out(lake, contract, WINDOW, out, **chosen)

    assert 0 < count == len(judged)
    again = list(read_table(out, contract, with_target=True))
    assert not any(block.reasons for block in again)
    found = [one for block in again for one in as_tuples(contract, block.accepted)]
    assert sorted(found) == as_tuples(contract, judged)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["held-out.csv", "lake"]


def test_they_stand_in_the_order_of_loading_with_the_contracts_header(tmp_path):
    contract, lake = orders(KEY, TIME), tmp_path / "lake"
    lake.mkdir()
    for name, x in (("bbbb-00000", 1), ("aaaa-00000", 2)):
        part(lake, contract, name, *(_order(id, x) for id in ("A", name)))
    out = tmp_path / "held-out.csv"
    write_held_out(lake, contract, WINDOW, out, loads=["bbbb", "aaaa"], duplicates="newest")
    assert _cells(out) == [
        ["id", "at", "x", "weight", "note", "y"],
        ["bbbb-00000", "2024-02-02T00:00:00Z", "1", "0.5", "", "true"],
        ["A", "2024-02-02T00:00:00Z", "2", "0.5", "", "true"],
        ["aaaa-00000", "2024-02-02T00:00:00Z", "2", "0.5", "", "true"],
    ]


def _order(id: str, x: int) -> dict:
    return {"id": id, "at": "2024-02-02T00:00:00Z", "x": x, "weight": 0.5, "note": None, "y": True}


def _cells(file: Path) -> list[list[str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.reader(lines))
