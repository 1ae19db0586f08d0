import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.contract.keys import as_key, entity_id
from domain.contract.schema import Column, Contract, as_dict, from_dict
from domain.contract.text import from_text
from domain.contract.values import LARGEST_INTEGER, Problem, check_row, check_value
from domain.timestamps import iso, parse_timestamp

TEXT = Column("carrier", "string", categories=("AA", "UA"))
HOUR = Column("hour", "integer", minimum=0, maximum=23)
TEMPERATURE = Column("temp", "float", nullable=True, minimum=-60)
LATE = Column("late", "boolean", role="target")
FLIGHT = Column("flight", "string", role="key")
DEPARTURE = Column("departure", "timestamp", role="event_time")
CONTRACT = Contract("flights", "binary", (FLIGHT, DEPARTURE, TEXT, HOUR, TEMPERATURE, LATE), prior=0.24)
ROW = {"flight": "UA1", "departure": "2013-04-01", "carrier": "UA", "hour": 5, "temp": 39.5}


# ---- a row


def test_a_right_row_is_written_as_the_contract_writes_it():
    clean = {"flight": "UA1", "departure": "2013-04-01T00:00:00Z", "carrier": "UA", "hour": 5, "temp": 39.5}
    assert check_row(CONTRACT, ROW, with_target=False) == (clean, [])
    assert check_row(CONTRACT, {**ROW, "hour": 5.0, "temp": 39, "late": True}, with_target=False) == (
        {**clean, "temp": 39.0},
        [],
    )
    assert check_row(CONTRACT, {**ROW, "late": True}, with_target=True) == ({**clean, "late": True}, [])


def test_every_problem_of_a_row_is_found():
    _, problems = check_row(
        CONTRACT, {"carrier": "ZZ", "hour": 24, "temp": -61.5, "departure": "soon", "color": 1}, with_target=True
    )
    assert problems == [
        Problem("color", 1, "unknown_column", "is not in the contract 'flights'"),
        Problem("flight", None, "null", "must have a value"),
        Problem("departure", "soon", "type", "must be ISO 8601 text such as 2013-04-01T09:30:00Z"),
        Problem("carrier", "ZZ", "category", "must be one of AA, UA"),
        Problem("hour", 24, "maximum", "must be at most 23"),
        Problem("temp", -61.5, "minimum", "must be at least -60"),
        Problem("late", None, "null", "must have a value"),
    ]
    assert problems[4].message == "hour = 24: must be at most 23"


@pytest.mark.parametrize("row", [None, 7, "text", [ROW]])
def test_what_is_no_object_is_no_row(row):
    assert check_row(CONTRACT, row, with_target=False) == (
        {},
        [Problem("(row)", row, "type", "must be an object of column names to values")],
    )


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("string", "", ""),
        ("string", "ü😀", "ü😀"),
        ("integer", 5, 5),
        ("integer", 5.0, 5),
        ("integer", -LARGEST_INTEGER, -LARGEST_INTEGER),
        ("float", 5, 5.0),
        ("float", 1e308, 1e308),
        ("boolean", False, False),
        ("timestamp", "2013-04-01 05:15:00.25-04:00", "2013-04-01T09:15:00.250000Z"),
        ("timestamp", "2013-04-01T05:15:00-0400", "2013-04-01T09:15:00Z"),
    ],
)
def test_a_value_of_the_columns_type_is_kept_in_that_type(kind, value, kept):
    found = check_value(Column("c", kind), value)
    assert found == (kept, [])
    assert type(found[0]) is type(kept)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *[("string", value) for value in (5, True, ["a"], {}, b"a", "\ud800", "a\udfff", "x" * 1025)],
        *[
            ("integer", value)
            for value in (5.5, "5", True, LARGEST_INTEGER + 1, 1e300, math.inf, -math.inf, [], 10**400)
        ],
        *[("float", value) for value in ("5", True, math.inf, -math.inf, 10**400, [], {})],
        *[("boolean", value) for value in (1, 0, "true", [], 1.0)],
        *[
            ("timestamp", value)
            for value in (
                5,
                "2013-02-30",
                "2013-04-01T24:00",
                "2013-04-01T25:00",
                "٢٠١٣-04-01",
                "now",
                True,
                "2013-04-01Z",
                "10000-01-01",
            )
        ],
        ("timestamp", "0001-01-01T00:00:00+14:00"),
        ("timestamp", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_a_value_of_another_type_is_refused(kind, value):
    kept, problems = check_value(Column("c", kind), value)
    assert [(problem.column, problem.rule) for problem in problems] == [("c", "type")]
    assert kept is value


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_nothing_is_allowed_only_where_it_may_be(nothing):
    assert check_value(Column("c", "float", nullable=True), nothing) == (None, [])
    assert check_value(Column("c", "float"), nothing) == (None, [Problem("c", None, "null", "must have a value")])


def test_a_message_repeats_only_the_beginning_of_what_is_very_long():
    _, (problem,) = check_row(CONTRACT, {**ROW, "hour": "x" * 1_000_000}, with_target=False)
    assert problem.message == (
        f"hour = '{'x' * 199}... (1,000,002 characters in all): must be a whole number within +-9007199254740992"
    )
    assert problem.value == "x" * 1_000_000
    _, (problem,) = check_row(CONTRACT, {**ROW, "y" * 300: 1}, with_target=False)
    assert problem.message.startswith(f"{'y' * 200}... (300 characters in all) = 1: is not in the contract")


def test_a_long_list_of_categories_is_shortened_in_a_message():
    column = Column("c", "integer", categories=tuple(range(200)))
    assert (
        check_value(column, 200)[1][0].allowed
        == "must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ... (200 in all)"
    )


NOTED = Contract(
    "flights", "binary", (FLIGHT, HOUR, Column("gate", "integer", role="ignored", minimum=1), LATE), prior=0.24
)


@pytest.mark.parametrize("left_away", [{}, {"gate": None}, {"gate": math.nan}])
def test_a_row_to_score_needs_nothing_of_what_is_ignored(left_away):
    row = {"flight": "UA1", "hour": 5, **left_away}
    assert check_row(NOTED, row, with_target=False) == ({"flight": "UA1", "hour": 5, "gate": None}, [])


def test_what_is_ignored_is_still_judged_where_it_is_given():
    assert check_row(NOTED, {"flight": "UA1", "hour": 5, "gate": 7.0}, with_target=False) == (
        {"flight": "UA1", "hour": 5, "gate": 7},
        [],
    )
    for gate, rule in (("B7", "type"), (0, "minimum")):
        _, problems = check_row(NOTED, {"flight": "UA1", "hour": 5, "gate": gate}, with_target=False)
        assert [(problem.column, problem.rule) for problem in problems] == [("gate", rule)]


def test_a_row_to_learn_from_needs_nothing_of_what_is_ignored_either():
    clean, problems = check_row(NOTED, {"flight": "UA1", "hour": 5, "late": True}, with_target=True)
    assert (clean, problems) == ({"flight": "UA1", "hour": 5, "gate": None, "late": True}, [])


@pytest.mark.parametrize(
    ("given", "kept"),
    [("x" * 5000, "x" * 5000), (7, "7"), ({"a": [1, None]}, '{"a": [1, null]}'), (True, "true"), ("", "")],
)
def test_an_ignored_text_takes_any_value(given, kept):
    assert check_value(Column("remark", "string", role="ignored"), given) == (kept, [])
    assert check_value(Column("remark", "string", role="ignored"), "\ud800")[1][0].rule == "type"


@pytest.mark.parametrize(("given", "kept"), [(1729382256910270464, "1729382256910270464"), (3.0, "3"), ("3", "3")])
def test_an_id_in_numbers_is_a_key_by_its_digits(given, kept):
    assert check_value(FLIGHT, given) == (kept, [])


@pytest.mark.parametrize("key", ["", " ", "\u00a0\t"])
def test_an_empty_key_is_null(key):
    assert check_value(FLIGHT, key) == (None, [Problem("flight", None, "null", "must have a value")])


def test_a_row_that_repeats_the_header_is_one_problem():
    row = {name: name for name in ROW}
    assert check_row(CONTRACT, row, with_target=False) == (
        {},
        [Problem("(row)", "the column names", "header", "must be values; remove the repeated header")],
    )
    assert check_row(CONTRACT, {"carrier": "carrier"}, with_target=False)[1][0].rule == "null"


def test_a_file_must_have_the_columns_that_its_rows_are_held_to():
    assert NOTED.header(with_target=True) == ["flight", "hour", "late"]
    assert NOTED.header(with_target=False) == ["flight", "hour"]
    assert CONTRACT.header(with_target=False) == ["flight", "departure", "carrier", "hour"]


text = st.text() | st.text(st.characters(categories=["Cs"]))  # JSON can hold half a character
sent = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*CONTRACT.by_name, "other"]), sent))
def test_whatever_a_row_holds_it_is_judged_and_a_clean_row_stays_clean(row):
    clean, problems = check_row(CONTRACT, row, with_target=False)
    if problems:
        assert all(problem.message and json.dumps(problem.rule) for problem in problems)
        return
    assert list(clean) == ["flight", "departure", "carrier", "hour", "temp"]
    assert check_row(CONTRACT, clean, with_target=False) == (clean, [])
    assert json.loads(json.dumps(clean, allow_nan=False)) == clean
    assert entity_id(CONTRACT, clean) == as_key(clean["flight"])


# ---- moments


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=zones))
def test_a_moment_is_written_in_one_way_whatever_its_zone(moment):
    try:
        in_utc = moment.astimezone(UTC)
    except OverflowError:
        assert parse_timestamp(moment.isoformat()) is None
        return
    assert parse_timestamp(moment.isoformat()) == in_utc
    assert parse_timestamp(iso(in_utc)) == in_utc
    assert iso(parse_timestamp(iso(in_utc))) == iso(in_utc)


@given(st.text(st.sampled_from("0123456789-:TZ+. ٣x"), max_size=30))
def test_any_text_is_a_moment_or_is_not(text):
    moment = parse_timestamp(text)
    assert moment is None or moment.tzinfo is UTC


def test_a_date_is_its_first_moment_in_utc():
    assert parse_timestamp("2013-04-01") == datetime(2013, 4, 1, tzinfo=UTC)
    assert iso(datetime(2013, 4, 1, 5, 15, tzinfo=timezone(timedelta(hours=-4)))) == "2013-04-01T09:15:00Z"


# ---- text cells


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "5", 5),
        ("integer", "+5.0", 5),
        ("integer", "-05", -5),
        ("integer", "5.5", "5.5"),
        ("integer", "٣", "٣"),
        ("integer", "9" * 30, "9" * 30),
        ("float", "5", 5.0),
        ("float", ".5e-3", 0.0005),
        ("float", "inf", "inf"),
        ("float", "nan", "nan"),
        ("float", "1_0", "1_0"),
        ("boolean", "T", True),
        ("boolean", "no", False),
        ("boolean", "2", "2"),
        ("string", "5", "5"),
        ("string", "", None),
        ("float", None, None),
    ],
)
def test_a_cell_of_text_is_read_as_its_column(kind, text, value):
    found = from_text(Column("c", kind), text)
    assert (found, type(found)) == (value, type(value))


# ---- whom a row is about


def test_the_entity_is_its_key_columns_joined():
    two = Contract("c", "binary", (FLIGHT, Column("leg", "integer", role="key"), HOUR, LATE), prior=0.5)
    assert entity_id(two, {"flight": "UA1", "leg": 2, "hour": 5}) == "UA1|2"


def test_without_a_key_the_entity_is_the_hash_of_the_features():
    bare = Contract("c", "binary", (HOUR, TEMPERATURE, LATE), prior=0.5)
    ids = [entity_id(bare, {"hour": hour, "temp": temp}) for hour, temp in ((5, 1.0), (5, None), (6, 1.0), (5, 1.0))]
    assert (len(set(ids)), ids[0]) == (3, ids[3])
    assert all(len(one) == 32 for one in ids)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_key_is_always_one_that_a_table_takes(text):
    key = as_key(text)
    assert 1 <= len(key.encode()) <= 1024
    assert key == text or len(text.encode()) > 1024 or text == ""


# ---- written and read back

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
common = {
    "nullable": st.booleans(),
    "source": st.sampled_from(["", "feed"]),
    "role": st.sampled_from(["feature", "ignored"]),
}
limits = {"minimum": st.none() | st.integers(-5, 0), "maximum": st.none() | st.integers(0, 5) | st.just(0.0)}
columns = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["integer", "float"]), **limits, **common}),
    st.fixed_dictionaries({"type": st.just("string"), "categories": st.none() | st.just(("b", "a")), **common}),
    st.fixed_dictionaries({"type": st.sampled_from(["boolean", "timestamp"]), **common}),
)


@st.composite
def contracts(draw):
    given_names = draw(st.lists(names, min_size=3, max_size=8, unique=True))
    made = [Column(name, **draw(columns)) for name in given_names[3:]]
    key = Column(given_names[0], "string", role="key")
    moment = Column(given_names[1], "timestamp", role="event_time")
    target = Column(given_names[2], "boolean", role="target", nullable=draw(st.booleans()))
    return Contract(
        "c", "binary", tuple(draw(st.permutations([key, moment, target, *made]))), prior=draw(st.floats(0, 1))
    )


@given(contracts())
@settings(max_examples=200)
def test_a_contract_written_as_json_in_any_order_is_the_same_contract(contract):
    text = json.dumps(as_dict(contract), sort_keys=True)
    again = from_dict(json.loads(text))
    assert again == contract
    assert again.hash == contract.hash


def test_a_contract_changes_its_hash_with_anything_that_matters():
    others = [
        Contract("flights", "binary", CONTRACT.columns, prior=0.25),
        Contract("flights", "binary", CONTRACT.columns, prior=0.24, positive=False),
        Contract(
            "flights",
            "binary",
            (FLIGHT, DEPARTURE, TEXT, Column("hour", "integer", minimum=0, maximum=22), TEMPERATURE, LATE),
            0.24,
        ),
        Contract("flights", "binary", (DEPARTURE, FLIGHT, TEXT, HOUR, TEMPERATURE, LATE), prior=0.24),
    ]
    assert len({contract.hash for contract in [CONTRACT, *others]}) == 5
