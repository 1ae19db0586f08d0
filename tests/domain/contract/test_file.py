import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.sections import ConfigError
from domain.contract.file import COLUMN, problems_of, read_contract
from domain.contract.schema import as_dict, from_dict

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)

DOCUMENT = {
    "name": "flights",
    "key": ["flight"],
    "event_time": "departure",
    "target": {"column": "late", "prior": 0.24},
    "columns": {
        "flight": {"type": "string"},
        "departure": {"type": "timestamp"},
        "hour": {"type": "integer", "minimum": 0},
        "late": {"type": "boolean"},
    },
}


LISTS = "must list at least one value of the column's type; only string and integer columns have categories"


def changed(path: str, value) -> dict:
    document = json.loads(json.dumps(DOCUMENT))
    *folders, last = path.split("/")
    place = document
    for folder in folders:
        place = place[folder]
    place[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("color", 1, "color: must be one of the keys name, key, event_time, missing, target, columns"),
        ("name", 7, "name = 7: must be a str"),
        ("key", "flight", "key = 'flight': must be a list"),
        ("key", [["flight"]], "key = ['flight']: must be the name of a column, in quotes"),
        ("key", ["boat"], "key = 'boat': must be one of the columns"),
        ("key", ["late"], "'late' has two roles among target, event_time and key"),
        ("key", ["flight", "flight"], "'flight' has two roles among target, event_time and key"),
        ("columns/flight/nullable", True, "key 'flight' is nullable; a key must always have a value"),
        ("columns/departure/nullable", True, "event_time 'departure' is nullable; it must always have a value"),
        ("event_time", "hour", "event_time = 'hour': must name a timestamp column"),
        ("target/column", "early", "target.column = 'early': must be one of the columns"),
        ("target/column", 7, "target.column = 7: must be the name of a column, in quotes"),
        ("target", {}, "target.column = None: must be the name of a column, in quotes"),
        ("target/color", 1, "target.color: must be one of the keys column, prior, positive"),
        ("target/prior", 1.5, "target.prior = 1.5: a binary task needs the probability of the positive class, 0 to 1"),
        (
            "target/prior",
            math.nan,
            "target.prior = nan: a binary task needs the probability of the positive class, 0 to 1",
        ),
        (
            "target/prior",
            True,
            "target.prior = True: a binary task needs the probability of the positive class, 0 to 1",
        ),
        ("target/positive", "yes", "target.positive = 'yes': must be true or false"),
        (
            "columns/late/type",
            "string",
            "target.positive is missing; it says which value of the target counts as a yes",
        ),
        ("columns/hour", 5, "columns.hour: must be a table with at least a type"),
        ("columns/hour/color", 5, f"columns.hour.color: must be one of the keys {', '.join(COLUMN)}"),
        (
            "columns/hour/type",
            "number",
            "columns.hour.type = 'number': must be one of string, integer, float, boolean, timestamp",
        ),
        ("columns/hour/type", 5, "columns.hour.type = 5: has the wrong type"),
        (
            "columns/hour/role",
            "target",
            "columns.hour.role = 'target': must be feature or ignored; key, event_time and target name columns",
        ),
        ("columns/hour/role", "ignored", "no column is a feature; at least one must be"),
        ("columns/hour/minimum", True, "columns.hour.minimum = True: has the wrong type"),
        ("columns/hour/minimum", math.nan, "columns.hour.minimum = nan: must be finite"),
        ("columns/hour/maximum", -1, "columns.hour.minimum = 0: must be at most maximum = -1"),
        (
            "columns/flight/minimum",
            1,
            "columns.flight.minimum: must be left out; only a number has a minimum, and this column is a string",
        ),
        ("columns/hour/categories", ["5"], f"columns.hour.categories: {LISTS}"),
        ("columns/hour/categories", [], f"columns.hour.categories: {LISTS}"),
        ("columns/hour/categories", [5, 5], "columns.hour.categories: must list each value once"),
    ],
)
def test_a_mistake_in_the_file_is_named(path, value, message):
    assert problems_of(changed(path, value), "binary") == [message]


def test_a_right_document_has_no_problem():
    assert problems_of(DOCUMENT, "binary") == []


def test_every_mistake_of_the_columns_is_named_at_once():
    document = changed("columns", {"a": {"type": "x"}, "b": {"type": "float", "maximum": "1"}, "c": 5})
    assert len(problems_of(document, "binary")) == 3


SHARES = "a multiclass task needs a table of class = probability that sums to 1"


@pytest.mark.parametrize(
    ("kind", "prior", "message"),
    [
        ("string", {"a": 0.5, "b": 0.5}, None),
        ("integer", {"0": 0.2, "1": 0.8}, None),
        ("string", 0.5, f"target.prior = 0.5: {SHARES}"),
        ("string", {}, f"target.prior = {{}}: {SHARES}"),
        ("string", {"a": 1.5, "b": -0.5}, f"target.prior = {{'a': 1.5, 'b': -0.5}}: {SHARES}"),
        ("string", {"a": math.nan}, f"target.prior = {{'a': nan}}: {SHARES}"),
        ("float", {"a": 1.0}, "target.prior = {'a': 1.0}: classes are text or whole numbers; 'late' is a float"),
        ("integer", {"one": 1.0}, "target.prior = {'one': 1.0}: one: not a value of 'late'"),
        ("integer", {"1.0": 1.0}, "target.prior = {'1.0': 1.0}: 1.0: not a value of 'late'"),
    ],
)
def test_the_prior_of_several_classes_names_each_with_its_share(kind, prior, message):
    document = changed("target/prior", prior)
    document["columns"]["late"]["type"] = kind
    assert problems_of(document, "multiclass") == ([message] if message else [])


@pytest.mark.parametrize(
    ("kind", "prior", "fits"),
    [
        ("float", 3.5, True),
        ("integer", 3, True),
        ("string", 3.5, False),
        ("float", math.inf, False),
        ("float", "x", False),
    ],
)
def test_the_prior_of_a_regression_is_a_number(kind, prior, fits):
    document = changed("target/prior", prior)
    document["columns"]["late"]["type"] = kind
    assert (problems_of(document, "regression") == []) is fits


TASKS = ("binary", "multiclass", "regression")


@given(
    st.dictionaries(st.sampled_from(["name", "key", "event_time", "target", "columns", "other"]), anything),
    st.sampled_from(TASKS),
)
def test_any_document_is_judged(document, task):
    assert isinstance(problems_of(document, task), list)


PLACES = (
    "key",
    "event_time",
    "target",
    *(f"target/{name}" for name in ("column", "prior", "positive")),
    "columns/hour",
)


@given(anything, st.sampled_from([*PLACES, *(f"columns/hour/{name}" for name in COLUMN)]))
def test_any_value_anywhere_is_judged(value, path):
    document = changed(path, value)
    for task in TASKS:
        if not problems_of(document, task):
            made = from_dict({**document, "task": task})
            assert from_dict(json.loads(json.dumps(as_dict(made)))) == made


def test_a_file_that_cannot_be_read_says_so(tmp_path):
    with pytest.raises(ConfigError) as missing:
        read_contract(tmp_path / "contract.toml", "binary")
    assert "not found" in str(missing.value)
    (tmp_path / "contract.toml").write_text("name = ")
    with pytest.raises(ConfigError) as broken:
        read_contract(tmp_path / "contract.toml", "binary")
    assert "not valid TOML" in str(broken.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("columns/hour/missing", ["NA", 5], "columns.hour.missing = ['NA', 5]: must be texts in quotes"),
        ("columns/hour/missing", [" NA"], "columns.hour.missing = [' NA']: must be texts in quotes"),
        ("columns/hour/missing", ["-999"], "columns.hour.missing = '-999': must not be a value of the column itself"),
        ("missing", ["7"], "columns.hour.missing = '7': must not be a value of the column itself"),
        (
            "columns/flight/decimal",
            ",",
            "columns.flight.decimal: must be left out; only a number has a decimal, and this column is a string",
        ),
        ("columns/hour/decimal", ";", "columns.hour.decimal = ';': must be . or ,"),
        ("columns/hour/thousands", ".", "columns.hour.thousands = '.': must be one of"),
        ("columns/hour/thousands", "x", "columns.hour.thousands = 'x': must be one of"),
        ("columns/hour/unit", "5", "columns.hour.unit = '5': must be a sign such as"),
    ],
)
def test_a_wrong_marker_or_notation_is_named(path, value, message):
    (found,) = problems_of(changed(path, value), "binary")
    assert found.startswith(message)


def test_markers_for_the_whole_table_hold_for_each_column_without_its_own():
    document = changed("missing", ["NA"])
    document["columns"]["hour"]["missing"] = ["?"]
    assert problems_of(document, "binary") == []
    contract = from_dict({**document, "task": "binary"})
    assert {column.name: column.missing for column in contract.columns if column.missing != ("NA",)} == {"hour": ("?",)}
    assert from_dict(as_dict(contract)) == contract
