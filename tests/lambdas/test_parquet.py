"""Files of lambdas/parquet.py, read back by pyarrow."""

import io
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.parquet import Kind, parquet

ARROW = {Kind.TEXT: pa.string(), Kind.NUMBER: pa.float64()}
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NUMBERS = st.none() | st.floats(allow_nan=False)


def read(content: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(content))


@st.composite
def tables(draw) -> tuple[dict[str, Kind], list[dict]]:
    names = draw(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), min_size=1, unique=True))
    kinds = {name: draw(st.sampled_from(Kind)) for name in names}
    values = {name: TEXTS if kind is Kind.TEXT else NUMBERS for name, kind in kinds.items()}
    return kinds, draw(st.lists(st.fixed_dictionaries(values), max_size=40))


@given(tables())
def test_pyarrow_reads_exactly_what_was_written(table):
    kinds, rows = table
    found = read(parquet(kinds, rows))
    assert found.schema == pa.schema([(name, ARROW[kind]) for name, kind in kinds.items()])
    assert found.to_pylist() == rows


@given(tables())
def test_the_same_rows_make_the_same_bytes(table):
    assert parquet(*table) == parquet(*table)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 1000, 20_000])
def test_a_file_of_many_rows_has_each_of_them_in_its_place(count):
    rows = [{"id": f"row {number}" if number % 3 else None, "n": number / 7} for number in range(count)]
    assert read(parquet({"id": Kind.TEXT, "n": Kind.NUMBER}, rows)).to_pylist() == rows


def test_a_value_that_a_row_does_not_have_is_null():
    assert read(parquet({"a": Kind.TEXT, "b": Kind.NUMBER}, [{"a": "x"}, {"b": -0.0}])).to_pylist() == [
        {"a": "x", "b": None},
        {"a": None, "b": -0.0},
    ]


@pytest.mark.parametrize("number", [math.inf, -math.inf, 5e-324, 1.7976931348623157e308, 2**53])
def test_numbers_at_the_ends_come_back_to_the_last_bit(number):
    (found,) = read(parquet({"n": Kind.NUMBER}, [{"n": number}]))["n"].to_pylist()
    assert found == number


def test_a_number_is_not_written_as_text():
    with pytest.raises(TypeError, match=r"1\.5: must be text"):
        parquet({"a": Kind.TEXT}, [{"a": None}, {"a": 1.5}])
