import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.records import (
    batch_prediction_id,
    from_item,
    prediction_id,
    release_key,
    routing_key,
    run_key,
    to_attribute,
    to_item,
)


def test_keys_are_those_of_the_tables():
    assert release_key("r-1") == {"item": {"S": "release#r-1"}}
    assert routing_key() == {"item": {"S": "routing"}}
    assert run_key("train", "run-1") == {"kind": {"S": "train"}, "run": {"S": "run-1"}}


def test_plain_values_become_an_item_and_nothing_is_left_out_but_nothing():
    values = {
        "a": None,
        "b": True,
        "c": 1,
        "d": 0.1,
        "e": "x",
        "f": {"1": None},
        "g": [1, "x", (False,)],
        "h": b"x",
        "i": Decimal("1.5"),
    }
    assert to_item(values) == {
        "b": {"BOOL": True},
        "c": {"N": "1"},
        "d": {"N": "0.1"},
        "e": {"S": "x"},
        "f": {"M": {"1": {"NULL": True}}},
        "g": {"L": [{"N": "1"}, {"S": "x"}, {"L": [{"BOOL": False}]}]},
        "h": {"B": b"x"},
        "i": {"N": "1.5"},
    }


finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e125, max_value=1e125)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | finite | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def as_stored(value):
    """Nearly nothing is nothing to DynamoDB."""
    if isinstance(value, float):
        return value if abs(value) >= 1e-130 else 0
    if isinstance(value, dict):
        return {name: as_stored(inner) for name, inner in value.items()}
    return [as_stored(inner) for inner in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(max_size=5), values, max_size=5))
def test_what_is_stored_is_read_back(item):
    assert from_item(to_item(item)) == {name: as_stored(value) for name, value in item.items() if value is not None}


@pytest.mark.parametrize("value", [1e-200, -5e-324])
def test_a_number_too_small_for_dynamodb_is_zero(value):
    assert to_attribute(value) == {"N": "0"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e126])
def test_a_number_that_dynamodb_cannot_hold_is_refused(value):
    with pytest.raises(ValueError, match="cannot be stored"):
        to_item({"a": value})


def test_what_has_no_notation_is_refused():
    with pytest.raises(TypeError, match="set .* cannot be stored"):
        to_item({"a": {1, 2}})


@given(st.lists(st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_an_id_is_the_same_for_the_same_parts_and_another_for_others(parts):
    made = prediction_id(*parts)
    assert made == prediction_id(*parts)
    assert (len(made), set(made) <= set("0123456789abcdef")) == (32, True)
    assert made not in (prediction_id(*parts, ""), prediction_id("x", *parts))


def test_where_one_part_ends_matters():
    assert prediction_id("run", "1", "23") != prediction_id("run", "12", "3")


@given(st.integers(1, 10**12 - 1), st.integers(1, 10**12 - 1))
def test_a_row_of_a_batch_has_the_id_of_its_run_its_file_and_its_place(row, other):
    made = batch_prediction_id("batch-1", "a.csv", row)
    assert made == prediction_id("batch-1", "a.csv")[:20] + f"{row:012d}"
    assert (made == batch_prediction_id("batch-1", "a.csv", other)) == (row == other)
    assert made not in (batch_prediction_id("batch-2", "a.csv", row), batch_prediction_id("batch-1", "b.csv", row))
