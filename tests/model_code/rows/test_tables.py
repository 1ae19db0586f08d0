"""The table check gives the verdicts of the row check, on every kind of file, and refuses a bad file whole."""

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from domain.contract.schema import Column, Contract
from domain.contract.text import from_text
from domain.contract.values import check_row
from domain.timestamps import iso
from model_code.rows.tables import check_block, read_blocks, read_table, schema_of

PROPERTY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

# ---- generated contracts, and values near everything that a rule turns on

TEXTS = [
    "",
    "a",
    "B",
    "x" * 1024,
    "x" * 1025,
    "ß\u2014",
    "5",
    "true",
    " a",
    "a\nb",
    'q"q',
    "a,b",
    "\u0661",
    "007",
    "é" * 1024,
]
NUMBERS = [
    "0",
    "-0",
    "+5",
    "5.0",
    "5.",
    ".5",
    "-1e3",
    "1e400",
    "1e-400",
    "0x1F",
    "nan",
    "inf",
    "1_0",
    "9007199254740993",
    "5.5",
    "٣",
]
MOMENTS = [
    "2013-04-01",
    "2013-04-01T09:30:00Z",
    "2013-04-01 09:30",
    "2013-04-01T09:30:00.123456+02:00",
    "2013-02-30",
    "0000-01-01",
    "0001-01-01T00:00+05:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59-01:00",
    "2013-04-01T24:00",
    "2013-04-01T09",
    "2013-04-01T09:30:60Z",
    "2013-04-01T09:30:00.1234567Z",
    "1969-12-31T23:59:59.999999999Z",
    "2013-4-1",
    "2013-04-01Z",
    "2013-04-01T09:30z",
]
BOOLEANS = ["true", "TRUE", "yes", "T", "0", "1", "no", "maybe", "\u212a"]
MARKERS = ["NA", "?", "\\N", "-"]
WRITTEN = [
    "$1,234.50",
    "-$5",
    "$-5",
    "($5.25)",
    "(-5)",
    "1.234,5",
    "1,234",
    "12,34",
    "1 234",
    "1\u202f234",
    "12 %",
    "5%",
    "$",
    "\u00a0 5 \t",
    " NA ",
    " a\u00a0",
    "   ",
    "$\u0661",
]
CELLS = st.sampled_from([*TEXTS, *NUMBERS, *MOMENTS, *BOOLEANS, *MARKERS, *WRITTEN]) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), max_size=5
)
WHOLE = st.integers(-20, 20) | st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**63, 10**400])
REAL = st.floats(-20, 20) | st.sampled_from(
    [float("nan"), float("inf"), -0.0, 5e-324, 1e308, 2.0**53, 2.0**53 + 2, 3.0, 0.1, 1e30, -1e30]
)
JSON_VALUES = CELLS | WHOLE | REAL | st.booleans() | st.none() | st.just([1]) | st.just({"a": 1}) | st.just("\ud800")
NAMES = st.sampled_from(
    ["a", "A", "with space", "dot.ted", "1st", "ümlaut", "class", "(row)", "row_number", "problems", ""]
)


NOTATIONS = [
    {},
    {"unit": "$", "thousands": ","},
    {"thousands": ".", "decimal": ","},
    {"thousands": " "},
    {"unit": "%"},
]


@st.composite
def columns(draw, name):
    kind = draw(st.sampled_from(["string", "integer", "float", "boolean", "timestamp"]))
    limits = {}
    if kind in ("integer", "float") and draw(st.booleans()):
        limits["minimum"] = draw(st.sampled_from([-5, 0.5, 3, -(10**30), float("-inf")]))
        limits["maximum"] = draw(st.sampled_from([5, 3.5, 7, 10**30, float("inf")]))
    if kind == "string" and draw(st.booleans()):
        limits["categories"] = tuple(draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4, unique=True)))
    if kind == "integer" and draw(st.booleans()):
        limits["categories"] = tuple(
            draw(st.lists(st.integers(-6, 6) | st.just(10**30), min_size=1, max_size=4, unique=True))
        )
    if draw(st.booleans()):
        limits["missing"] = tuple(draw(st.lists(st.sampled_from(MARKERS), max_size=2, unique=True)))
    if kind in ("integer", "float"):
        limits |= draw(st.sampled_from(NOTATIONS))
    role = draw(st.sampled_from(["feature", "ignored", "key"]))
    return Column(name, kind, role=role, nullable=draw(st.booleans()), **limits)


@st.composite
def contracts(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    made = [draw(columns(name)) for name in names]
    return Contract(
        "t", "binary", (*made, Column("the target", "boolean", role="target", nullable=draw(st.booleans()))), prior=0.5
    )


def expected(contract, rows, *, with_target=True):
    """What the row check says: accepted rows, and (row number, [(column, rule)]) of the others."""
    verdicts = [check_row(contract, row, with_target=with_target) for row in rows]
    accepted = [clean for clean, problems in verdicts if not problems]
    faults = [(n, [(p.column, p.rule) for p in problems]) for n, (_, problems) in enumerate(verdicts, 1) if problems]
    return accepted, faults


def found(contract, checked):
    faults = [
        (number, [(problem["column"], problem["rule"]) for problem in json.loads(problems)])
        for number, problems in zip(
            *checked.quarantined.select(["row_number", "problems"]).to_pydict().values(), strict=True
        )
    ]
    return [row_of(row) for row in checked.accepted.to_pylist()], faults


def row_of(row):
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in row.items()}


def assert_same_verdicts(contract, rows, checked, *, with_target):
    accepted, faults = expected(contract, rows, with_target=with_target)
    assert found(contract, checked) == (accepted, faults)
    assert checked.reasons == Counter(rule for _, problems in faults for rule in {rule for _, rule in problems})
    assert checked.accepted.schema == schema_of(contract, with_target=with_target)
    bad = {number for number, _ in faults}
    assert checked.row_numbers.tolist() == [number for number in range(1, len(rows) + 1) if number not in bad]


@PROPERTY
@given(data=st.data())
def test_json_rows_get_the_verdict_of_the_row_check(data):
    contract = data.draw(contracts())
    names = [column.name for column in contract.columns]
    row = (
        st.fixed_dictionaries({}, optional=dict.fromkeys([*names, "stranger"], JSON_VALUES))
        | st.just("no row")
        | st.none()
    )
    rows, with_target = data.draw(st.lists(row, max_size=6)), data.draw(st.booleans())
    checked = check_block(contract, rows, with_target=with_target)
    assert_same_verdicts(contract, rows, checked, with_target=with_target)


def in_a_file(draw, contract, *, with_target):
    """The columns that a file brings: all that it must have, and perhaps others of the contract."""
    needed = contract.header(with_target=with_target)
    return [column for column in contract.columns if column.name in needed or draw(st.booleans())]


@PROPERTY
@given(data=st.data())
def test_csv_cells_get_the_verdict_of_the_row_check_after_from_text(data, tmp_path_factory):
    contract, with_target = data.draw(contracts()), data.draw(st.booleans())
    brought = in_a_file(data.draw, contract, with_target=with_target)
    names = [column.name for column in brought]
    assume(names)  # no header, no file
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), min_size=1, max_size=6))
    file = tmp_path_factory.mktemp("csv") / "rows.csv"
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    file.write_bytes(text.getvalue().encode())
    (checked,) = read_table(file, contract, with_target=with_target)
    as_rows = [
        {column.name: from_text(column, cell) for column, cell in zip(brought, row, strict=True)} for row in rows
    ]
    assert_same_verdicts(contract, as_rows, checked, with_target=with_target)


@pytest.mark.parametrize("kind", ["string", "integer", "float", "boolean", "timestamp"])
def test_cells_that_come_again_and_again_get_the_verdict_of_the_row_check_each_time(kind, tmp_path):
    limits = {"minimum": -5, "maximum": 7} if kind in ("integer", "float") else {}
    target = Column("y", "boolean", role="target", nullable=True)
    contract = Contract("t", "binary", (Column("a", kind, nullable=kind != "float", **limits), target), prior=0.5)
    cells = ["", *TEXTS, *NUMBERS, *MOMENTS, *BOOLEANS]
    rows = [[cells[n % len(cells)], ""] for n in range(4000)]
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["a", "y"], *rows])
    (tmp_path / "rows.csv").write_bytes(text.getvalue().encode())
    (checked,) = read_table(tmp_path / "rows.csv", contract, with_target=True)
    as_rows = [{c.name: from_text(c, cell) for c, cell in zip(contract.columns, row, strict=True)} for row in rows]
    assert_same_verdicts(contract, as_rows, checked, with_target=True)


MOMENT = st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1))
ARROW = [
    (pa.string(), CELLS),
    (pa.large_string(), CELLS),
    (pa.string_view(), CELLS),
    (pa.dictionary(pa.int32(), pa.string()), CELLS),
    (pa.dictionary(pa.int8(), pa.large_string()), CELLS),
    (pa.dictionary(pa.int8(), pa.int64()), st.integers(-20, 20)),
    (pa.int8(), st.integers(-20, 20)),
    (pa.int64(), st.integers(-20, 20) | st.sampled_from([2**53, 2**53 + 1, -(2**63)])),
    (pa.uint64(), st.integers(0, 20) | st.sampled_from([2**53 + 1, 2**64 - 1])),
    (pa.float32(), st.floats(-20, 20, width=32) | st.just(float("nan"))),
    (pa.float64(), REAL),
    (pa.bool_(), st.booleans()),
    (pa.timestamp("us", "UTC"), st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC))),
    (pa.timestamp("ns"), MOMENT),
    (pa.timestamp("s", "Europe/Berlin"), MOMENT.map(lambda moment: moment.replace(tzinfo=UTC, microsecond=0))),
    (pa.null(), st.none()),
]


@PROPERTY
@given(data=st.data())
def test_typed_columns_get_the_verdict_of_the_row_check(data, tmp_path_factory):
    contract, with_target = data.draw(contracts()), data.draw(st.booleans())
    count, arrays = data.draw(st.integers(1, 6)), {}
    for column in in_a_file(data.draw, contract, with_target=with_target):
        kind, values = data.draw(st.sampled_from(ARROW))
        arrays[column.name] = pa.array(data.draw(st.lists(values | st.none(), min_size=count, max_size=count)), kind)
    assume(arrays)  # Parquet without columns has no rows
    file = tmp_path_factory.mktemp("parquet") / "rows.parquet"
    pq.write_table(pa.table(arrays), file)
    (checked,) = read_table(file, contract, with_target=with_target)
    rows = [
        {name: as_row_value(contract, name, value) for name, value in row.items()}
        for row in pa.table(arrays).to_pylist()
    ]
    assert_same_verdicts(contract, rows, checked, with_target=with_target)
    (block,) = read_blocks(file, contract, with_target=with_target, coded=True)
    coded = check_block(contract, block.rows, with_target=with_target)
    assert found(contract, coded) == found(contract, checked)


@PROPERTY
@given(data=st.data())
def test_texts_that_stay_a_dictionary_get_the_verdict_of_each_row(data, tmp_path_factory):
    contract = data.draw(contracts())
    count = data.draw(st.integers(1, 12))
    few = data.draw(st.lists(CELLS, min_size=1, max_size=3))
    texts = st.lists(st.sampled_from(few) | st.none(), min_size=count, max_size=count)
    rows = pa.table({column.name: pa.array(data.draw(texts), pa.string()) for column in contract.columns})
    file = tmp_path_factory.mktemp("coded") / "rows.parquet"
    pq.write_table(rows, file)
    (block,) = read_blocks(file, contract, with_target=True, coded=True)
    checked = check_block(contract, block.rows, with_target=True)
    assert found(contract, checked) == expected(contract, rows.to_pylist())


BETWEEN_FLOATS = [{"maximum": 10**30}, {"minimum": 2**53 + 1}, {"minimum": 10**400}, {"maximum": -(10**30)}]


@pytest.mark.parametrize("limits", BETWEEN_FLOATS)
def test_a_limit_between_two_floats_holds_for_a_table_as_for_a_row(limits):
    contract = Contract(
        "t", "binary", (Column("x", "float", **limits), Column("y", "boolean", role="target")), prior=0.5
    )
    for value in (1e30, -1e30, 2.0**53, 5.0):
        checked = check_block(contract, pa.RecordBatch.from_pydict({"x": [value]}), with_target=False)
        assert found(contract, checked) == expected(contract, [{"x": value}], with_target=False)


def as_row_value(contract, name, value):
    """In a timestamp column a moment is ISO text, UTC unless it says otherwise; anywhere else it is of the wrong
    type.
    """
    if not isinstance(value, datetime):
        return value
    if contract.by_name[name].type != "timestamp":
        return object()
    return iso(
        value
        if value.tzinfo
        else value.replace(tzinfo=UTC, nanosecond=0)
        if hasattr(value, "nanosecond")
        else value.replace(tzinfo=UTC)
    )
