"""Changes of a column as sources make them: as many values of the same type, and the same again for the same seed."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_code.upstream.changes import CHANGES, changed

BY_NAME = {change.name: change for change in CHANGES}
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
ROWS = pa.RecordBatch.from_pydict(
    {
        "text": pa.array(["a", "B", None, "a"]),
        "coded": pa.array(["a", "B", None, "a"]).dictionary_encode(),
        "number": pa.array([1.0, 200.0, None, -4.0]),
        "whole": pa.array([1, 200, None, -4]),
        "truth": pa.array([True, False, None, True]),
        "moment": pa.array([NOON, None, NOON, NOON], pa.timestamp("us", tz="UTC")),
    }
)


def after(name: str, column: str) -> list | None:
    made = changed(ROWS, [column], BY_NAME[name], seed=1)
    return made and made.column(column).to_pylist()


@pytest.mark.parametrize(
    ("name", "column", "values"),
    [
        ("missing", "text", [None] * 4),
        ("stale: the same value in every row", "number", [1.0] * 4),
        ("1,000 times as large", "number", [1000.0, 200000.0, None, -4000.0]),
        ("1,000 times as large", "whole", [1000, 200000, None, -4000]),
        ("1 % larger", "whole", [1, 202, None, -4]),
        ("Celsius for Fahrenheit", "whole", [-17, 93, None, -20]),
        ("in the other case", "text", ["A", "b", None, "A"]),
        ("in the other case", "coded", ["A", "b", None, "A"]),
        ("the most frequent value renamed", "coded", ["a (new)", "B", None, "a (new)"]),
        ("true for false", "truth", [False, True, None, False]),
        ("an hour later", "moment", [NOON.replace(hour=13), None, NOON.replace(hour=13), NOON.replace(hour=13)]),
    ],
)
def test_a_change_is_what_its_name_says(name, column, values):
    assert after(name, column) == values


@pytest.mark.parametrize(
    ("name", "column"),
    [("1,000 times as large", "text"), ("in the other case", "number"), ("true for false", "whole")],
)
def test_a_change_that_makes_no_sense_for_a_column_is_none(name, column):
    assert after(name, column) is None


def test_columns_change_together_and_the_others_stay():
    made = changed(ROWS, ["text", "number"], BY_NAME["missing"], seed=1)
    assert made.drop_columns(["text", "number"]) == ROWS.drop_columns(["text", "number"])
    assert (made.column("text").null_count, made.column("number").null_count) == (4, 4)


def test_a_column_without_any_value_can_be_renamed_by_nobody():
    empty = pa.RecordBatch.from_pydict({"text": pa.nulls(3, pa.string())})
    assert changed(empty, ["text"], BY_NAME["the most frequent value renamed"], seed=1) is None


@given(texts=st.lists(st.none() | st.text(max_size=3), min_size=1, max_size=30), seed=st.integers(0, 99))
def test_as_many_values_of_the_same_type_and_the_same_again(texts, seed):
    rows = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})
    for change in CHANGES:
        made = changed(rows, ["text"], change, seed=seed)
        assert made is None or (made.schema, len(made)) == (rows.schema, len(rows))
        assert made == changed(rows, ["text"], change, seed=seed)


def test_a_value_of_another_row_is_one_that_was_there():
    assert sorted(after("of another row", "whole"), key=str) == sorted([1, 200, None, -4], key=str)
