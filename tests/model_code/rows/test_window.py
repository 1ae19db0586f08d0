"""Rows that are there twice count once, whatever the parts are called that hold them."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.contract.schema import Column, Contract
from model_code.rows.tables import check_block
from model_code.rows.window import read_window

WINDOW = {
    "train_start": "2024-01-01T00:00:00Z",
    "evaluate_start": "2024-02-01T00:00:00Z",
    "as_of": "2024-03-01T00:00:00Z",
}
KEY, TIME = Column("id", "string", role="key"), Column("at", "timestamp", role="event_time")
VALUE, TARGET = Column("x", "integer"), Column("y", "boolean", role="target")


def contract(*special: Column) -> Contract:
    return Contract("orders", "binary", (*special, VALUE, TARGET), prior=0.5)


def part(folder, held: Contract, name: str, *rows: dict) -> None:
    checked = check_block(held, list(rows), with_target=True)
    assert not checked.reasons
    (folder / "month=2024-01").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_batches([checked.accepted]), folder / f"month=2024-01/{name}.parquet")


def row(id: str, x: int, at: str = "2024-01-05T00:00:00Z") -> dict:
    return {"id": id, "at": at, "x": x, "y": x % 2 == 0}


def test_the_row_of_the_newest_load_counts_and_of_its_parts_the_last(tmp_path):
    held = contract(KEY, TIME)
    part(tmp_path, held, "bbbb-00000", row("A", 1), row("B", 2), row("C", 3))
    part(tmp_path, held, "aaaa-00000", row("B", 20), row("D", 40), row("D", 41))
    part(tmp_path, held, "aaaa-00001", row("B", 21), row("A", 10, at="2024-01-06T00:00:00Z"))
    found = read_window(tmp_path, held, WINDOW, "train", loads=["bbbb", "aaaa"])
    assert found.table["id"].to_pylist() == ["A", "B", "C", "D", "A"]
    assert found.table["x"].to_pylist() == [1, 21, 3, 41, 10]
    assert found.replaced == 3
    other = read_window(tmp_path, held, WINDOW, "train", loads=["aaaa", "bbbb"])
    assert other.table["x"].to_pylist() == [1, 2, 3, 41, 10]


def test_without_an_event_time_the_key_alone_tells_rows_apart(tmp_path):
    held = contract(KEY)
    rows = [{"id": f"K{number}", "x": number, "y": number % 2 == 0} for number in range(40)]
    part(tmp_path, held, "bbbb-00000", *rows)
    part(tmp_path, held, "aaaa-00000", *({**one, "x": one["x"] + 100} for one in rows[:10]))
    found = [read_window(tmp_path, held, WINDOW, part, loads=["bbbb", "aaaa"]) for part in ("train", "evaluate")]
    values = {id: x for one in found for id, x in zip(*one.table.select(["id", "x"]).to_pydict().values(), strict=True)}
    assert values == {f"K{number}": number + 100 * (number < 10) for number in range(40)}
    assert sum(len(one.table) for one in found) == 40
    assert sum(one.replaced for one in found) == 10


@pytest.mark.parametrize(
    ("special", "rule", "rows"), [((KEY, TIME), "keep", 2), ((KEY, TIME), "refuse", 1), ((TIME,), "newest", 2)]
)
def test_all_rows_count_where_that_is_the_rule_or_nothing_tells_them_apart(tmp_path, special, rule, rows):
    held = contract(*special)
    for name in ("aaaa-00000", "bbbb-00000"):
        part(tmp_path, held, name, {column.name: row("A", 1)[column.name] for column in held.columns})
    found = read_window(tmp_path, held, WINDOW, "train", loads=["aaaa", "bbbb"], duplicates=rule)
    assert len(found.table) == rows
