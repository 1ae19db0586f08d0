"""What an edit of the contract means for a release that was made under the contract before it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from domain.contract.change import WAYS_OUT, Kind, changes, is_compatible, unanswered
from domain.contract.schema import Column, Contract
from domain.contract.text import from_text
from domain.contract.values import check_row, check_value

CARRIER = Column("carrier", "string", categories=("AA", "UA"))
HOUR = Column("hour", "integer", minimum=0, maximum=23)
TEMP = Column("temp", "float", nullable=True)
LATE = Column("late", "boolean", role="target")
FLIGHT = Column("flight", "string", role="key")
BEFORE = Contract("flights", "binary", (FLIGHT, CARRIER, HOUR, TEMP, LATE), prior=0.24)


def now(*, without: str = "", add: tuple[Column, ...] = (), **edited: dict) -> Contract:
    """The contract before, with some columns edited, one left out, and some added."""
    columns = [replace(column, **edited.get(column.name, {})) for column in BEFORE.columns if column.name != without]
    return replace(BEFORE, columns=(*columns, *add))


# ---- each kind, in words


@pytest.mark.parametrize(
    ("edited", "kinds"),
    [
        (now(), []),
        (replace(BEFORE, prior=0.3, name="other"), []),
        (now(hour={"owner": "me", "description": "of departure"}), []),
        (now(add=(Column("wind", "float", nullable=True),)), [("wind", Kind.ADDED)]),
        (now(add=(Column("note", "string", role="ignored"),)), [("note", Kind.ADDED)]),
        (now(carrier={"categories": ("AA", "UA", "DL")}), [("carrier", Kind.WIDENED)]),
        (now(hour={"maximum": 24}), [("hour", Kind.WIDENED)]),
        (now(hour={"nullable": True}), [("hour", Kind.OPTIONAL)]),
        (now(temp={"role": "ignored"}), [("temp", Kind.UNREAD)]),
        (now(flight={"role": "ignored"}), [("", Kind.ENTITY), ("flight", Kind.OPTIONAL)]),
        (now(without="hour"), [("hour", Kind.REMOVED)]),
        (now(hour={"type": "float"}), [("hour", Kind.RETYPED)]),
        (now(temp={"nullable": False}), [("temp", Kind.REQUIRED)]),
        (now(add=(Column("wind", "float"),)), [("wind", Kind.REQUIRED)]),
        (now(hour={"minimum": 1}), [("hour", Kind.NARROWED)]),
        (now(carrier={"categories": ("AA",)}), [("carrier", Kind.NARROWED)]),
        (now(temp={"decimal": ","}), [("temp", Kind.REWRITTEN)]),
        (now(late={"type": "string"}), [("", Kind.ANSWER)]),
        (replace(BEFORE, positive=False), [("", Kind.ANSWER)]),
    ],
)
def test_every_edit_has_its_kind(edited, kinds):
    found = changes(BEFORE, edited)
    assert [(change.column, change.kind) for change in found] == kinds
    assert is_compatible(BEFORE, edited) == (not any(change.breaks for change in found))


def test_what_breaks_is_told_with_the_way_out():
    found = changes(BEFORE, now(without="temp", add=(Column("temperature", "float", nullable=True),)))
    assert [change.message for change in found] == [
        "columns.temp: is removed, and rows that have it are refused (is 'temperature' its new name?); "
        + WAYS_OUT[Kind.REMOVED],
        "columns.temperature: is new and may be null; the next release learns from it",
    ]


def test_a_new_target_asks_another_question():
    edited = Contract("flights", "binary", (*BEFORE.columns[:-1], replace(LATE, name="cancelled")), prior=0.1)
    assert [change.message for change in changes(BEFORE, edited)] == [
        "target.column = 'cancelled', was 'late': the release answers the old question; " + WAYS_OUT[Kind.ANSWER]
    ]


@pytest.mark.parametrize(
    ("edited", "kinds"),
    [
        (now(without="hour"), [("hour", Kind.REMOVED)]),
        (now(hour={"type": "float"}), [("hour", Kind.RETYPED)]),
        (now(late={"type": "string"}), [("", Kind.ANSWER)]),
        (now(without="flight"), []),
        (now(hour={"minimum": 1}), []),
        (now(temp={"nullable": False}), []),
        (now(add=(Column("wind", "float"),)), []),
        (now(carrier={"role": "ignored"}), []),
    ],
)
def test_a_release_cannot_answer_without_its_features_and_what_its_callers_must_send_is_not_its_concern(edited, kinds):
    assert [(change.column, change.kind) for change in unanswered(BEFORE, edited)] == kinds


# ---- compatible exactly when every row is still answered: generated contracts, edits and rows

TYPES = ["string", "integer", "float", "boolean", "timestamp"]
NAMES = ["a", "b", "c"]
TARGET = Column("t", "boolean", role="target")
NOTATIONS = [{}, {"unit": "$"}, {"unit": "$", "thousands": ","}, {"decimal": ","}, {"thousands": ".", "decimal": ","}]
PROPERTY = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def specs(draw) -> dict:
    """The arguments of a column but for its name. Limits lie apart, so that every type has values within them."""
    kind = draw(st.sampled_from(TYPES))
    role = draw(st.sampled_from(["feature", "feature", "ignored", "key"]))
    spec = {"type": kind, "role": role, "missing": draw(st.sampled_from([(), ("NA",), ("NA", "-")]))}
    spec["nullable"] = role != "key" and draw(st.booleans())
    if kind in ("integer", "float"):
        spec |= {"minimum": draw(st.sampled_from([None, -3, -0.5, 0]))}
        spec |= {"maximum": draw(st.sampled_from([None, 1, 1.5, 3])), **draw(st.sampled_from(NOTATIONS))}
    listed = {"string": ["a", "b", "NA", "x y"], "integer": [0, 1, 2]}.get(kind)
    if listed and draw(st.booleans()):
        spec["categories"] = (listed[0], *draw(st.lists(st.sampled_from(listed[1:]), unique=True)))
    return valid(spec)


def valid(spec: dict) -> dict:
    """A text that means null is no category."""
    categories = spec.get("categories")
    left = tuple(text for text in spec["missing"] if text not in (categories or ()))
    return {**spec, "missing": left, "nullable": spec["nullable"] and spec["role"] != "key"}


GROUPS = [
    ("nullable",),
    ("minimum", "maximum"),
    ("categories",),
    ("missing",),
    ("role",),
    ("unit", "thousands", "decimal"),
]


@st.composite
def edits(draw, spec: dict) -> dict:
    """The column as it was, or another, or one that took over some of another's keys."""
    other = draw(specs())
    if draw(st.integers(0, 5)) == 0:
        return other
    if other["type"] != spec["type"]:
        return spec
    taken = {key for group in draw(st.lists(st.sampled_from(GROUPS), max_size=2)) for key in group}
    kept = {key: value for key, value in spec.items() if key not in taken}
    return valid({**kept, **{key: other[key] for key in taken if key in other}})


@st.composite
def pairs(draw) -> tuple[Contract, Contract]:
    before = draw(st.dictionaries(st.sampled_from(NAMES), specs(), min_size=1))
    after = {name: draw(edits(spec)) for name, spec in before.items() if draw(st.integers(0, 9))}
    after |= draw(st.dictionaries(st.sampled_from(["d"]), specs(), max_size=1))
    return contract_of(before), contract_of(after)


def contract_of(columns: dict[str, dict]) -> Contract:
    return Contract("p", "binary", (*(Column(name, **spec) for name, spec in columns.items()), TARGET), prior=0.5)


TEXTS = [
    "a",
    "b",
    "x y",
    "zz",
    "NA",
    "-",
    " ",
    "x" * 1025,
    "5",
    "1.5",
    "1,5",
    "$1",
    "$1.5",
    "0.0",
    "0,000",
    "0.000",
    "$0",
    "1,234.5",
    "1.234,5",
    "yes",
]
VALUES = [*TEXTS, "2013-04-01", *(half / 2 for half in range(-8, 9)), 5, 2000, 2**53, True, False, [1], None]


def cells(column: Column | None) -> list:
    """Values of a column of JSON, and what the cells of a CSV file stand for in it."""
    return VALUES if column is None else [*VALUES, *(from_text(column, text) for text in TEXTS)]


def rows_accepted(contract: Contract, other: Contract, varied: list[str]) -> Iterator[tuple[dict, dict]]:
    """Rows that the contract accepts, and the same rows of a CSV file as the other contract reads them. One of the
    varied columns at a time has, or lacks, each of the values; the others have one that is right.
    """
    usual = {}
    for column in contract.to_score:
        right = [value for value in VALUES if value is not None and not check_value(column, value)[1]]
        assume(right)
        usual[column.name] = right[0]
    rows = [{key: value for key, value in usual.items() if key != name} for name in varied]
    rows += [{**usual, name: value} for name in varied for value in VALUES]
    for row in [usual, *rows]:
        yield from ((read, again) for read, again in as_files(row, contract, other) if accepts(contract, read))


def as_files(row: dict, contract: Contract, other: Contract) -> Iterator[tuple[dict, dict]]:
    yield row, row
    for name, value in row.items():
        if isinstance(value, str) and name in other.by_name:
            read = {**row, name: from_text(contract.by_name[name], value)}
            yield read, {**row, name: from_text(other.by_name[name], value)}


def accepts(contract: Contract, row: dict) -> bool:
    return not check_row(contract, row, with_target=False)[1]


def is_answered(before: Contract, after: Contract, row: dict) -> bool:
    """Whether the row is accepted now, and a model made before takes its values."""
    clean, problems = check_row(after, row, with_target=False)
    return not problems and all(
        not check_value(without_limits, clean[column.name])[1] if column.name in clean else column.nullable
        for column, without_limits in zip(before.features, before.to_answer, strict=True)
    )


@PROPERTY
@given(pairs())
def test_an_edit_is_compatible_when_every_row_is_still_answered_and_only_then(pair):
    before, after = pair
    old = [column.name for column in before.to_score]
    still = [column.name for column in before.features if column.name in {one.name for one in after.features}]
    answered = [is_answered(before, after, again) for _, again in rows_accepted(before, after, old)]
    answered += [is_answered(before, after, row) for row, _ in rows_accepted(after, before, still)]
    if is_compatible(before, after):
        assert all(answered), (changes(before, after), before.columns, after.columns)
    elif only_features_change(before, after):
        assert not all(answered), (changes(before, after), before.columns, after.columns)


def only_features_change(before: Contract, after: Contract) -> bool:
    """Whether the keys are written as they were and no column changes its role. A change of those is refused for what
    it means, such as other names of entities, whatever rows there are.
    """

    def written(contract: Contract, name: str) -> tuple:
        column = contract.by_name[name]
        return column.type, column.unit, column.thousands, column.decimal, column.missing

    both = [one for one in before.by_name if one in after.by_name]
    keys = [key.name for key in before.of_role("key")]
    return all(before.by_name[one].role == after.by_name[one].role for one in both) and all(
        key in both and written(before, key) == written(after, key) for key in keys
    )


@given(pairs())
def test_a_contract_that_is_not_edited_changes_nothing(pair):
    assert changes(pair[0], pair[0]) == []
