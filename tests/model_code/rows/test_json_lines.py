"""Lines built by columns are read back as what Python's own encoder was given."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_code.rows.json_lines import json_lines, text_between

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": TEXTS | st.none(),
            "always": TEXTS,
            "real": FLOATS | st.none(),
            "whole": st.integers(-(2**63), 2**63 - 1),
            "yes": st.booleans(),
            "shares": st.dictionaries(TEXTS, FLOATS, max_size=3),
        }
    ),
    min_size=1,
    max_size=20,
)
SCHEMA = {
    "text": pa.string(),
    "always": pa.string(),
    "real": pa.float64(),
    "whole": pa.int64(),
    "yes": pa.bool_(),
    "shares": pa.map_(pa.string(), pa.float64()),
}


def columns_of(rows):
    plain = [{**row, "shares": list(row["shares"].items())} for row in rows]
    return [pa.array([row[name] for row in plain], kind) for name, kind in SCHEMA.items()]


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_every_value_is_read_back_as_it_was(rows):
    lines = json_lines(columns_of(rows)).to_pylist()
    assert [dict(zip(SCHEMA, json.loads(line), strict=True)) for line in lines] == rows


@settings(max_examples=300, deadline=None)
@given(st.lists(FLOATS, min_size=1))
def test_every_float_is_read_back_to_the_last_bit(values):
    found = [float(json.loads(line)[0]) for line in json_lines([pa.array(values)]).to_pylist()]
    assert [value.hex() for value in found] == [(value + 0.0).hex() for value in values]  # only -0.0 comes back as 0.0


@settings(max_examples=50, deadline=None)
@given(ROWS, st.data())
def test_any_part_of_the_lines_is_their_text(rows, data):
    start = data.draw(st.integers(0, len(rows)))
    end = data.draw(st.integers(start, len(rows)))
    lines = json_lines(columns_of(rows))
    assert bytes(text_between(lines, start, end)) == "".join(lines.to_pylist()[start:end]).encode()
    part = lines.slice(start)
    assert bytes(text_between(part, 0, end - start)) == "".join(part.to_pylist()[: end - start]).encode()


@pytest.mark.parametrize("text", ['"', "\\", "\x00", "\x1f", "ß", "\x7f", "\u2028", "plain"])
def test_a_text_that_needs_escapes_spoils_no_other(text):
    values = pa.array(["before", text, None, "after"]).slice(1)
    assert [json.loads(line) for line in json_lines([values]).to_pylist()] == [[text], [None], ["after"]]
    assert [json.loads(line) for line in json_lines([values.drop_null()]).to_pylist()] == [[text], ["after"]]
