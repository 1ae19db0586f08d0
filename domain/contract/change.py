"""Compare two contracts: what an edit means for a release that was made under the earlier one.

An edit is compatible if every row that was accepted is still accepted and the release can answer it: the model treats a
value that is new to it as unseen.
"""

import math
import re
from collections.abc import Iterator
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, NamedTuple

from domain.contract.schema import Column, Contract
from domain.contract.text import NUMERIC
from domain.contract.values import check_value

MOST_LISTED = 1000  # integers of a small range, tried one by one


class Kind(StrEnum):
    """Kind of a change; the kinds in BREAKING affect a release or its callers."""

    REMOVED = "removed"
    RETYPED = "retyped"
    REQUIRED = "required"
    NARROWED = "narrowed"
    REWRITTEN = "rewritten"
    ANSWER = "answer"
    ADDED = "added"
    OPTIONAL = "optional"
    WIDENED = "widened"
    UNREAD = "unread"
    ENTITY = "entity"


BREAKING = frozenset({Kind.REMOVED, Kind.RETYPED, Kind.REQUIRED, Kind.NARROWED, Kind.REWRITTEN, Kind.ANSWER})
# Changes that keep a release from answering; the rest of BREAKING affects only its callers.
NOT_ANSWERED = frozenset({Kind.REMOVED, Kind.RETYPED, Kind.ANSWER})
WAYS_OUT = {
    Kind.REMOVED: 'keep the column with role = "ignored": rows may then omit it, and the release reads it while it is '
    "sent",
    Kind.RETYPED: "add a column of the new type under a new name with nullable = true, and ignore this one once a "
    "release reads the other",
    Kind.REQUIRED: "set nullable = true until every caller sends it and a release was trained on it",
    Kind.NARROWED: "keep the wider limit until no caller sends such values",
    Kind.REWRITTEN: "keep the texts that mean null, and how numbers are written, until no caller sends them",
    Kind.ANSWER: "make a separate project for the new question; this one continues to answer the old one",
}


class Change(NamedTuple):
    """A difference between two contracts; `column` is empty if it concerns the contract as a whole."""

    column: str
    kind: Kind
    what: str

    @property
    def breaks(self) -> bool:
        return self.kind in BREAKING

    @property
    def message(self) -> str:
        about = f"columns.{self.column}: {self.what}" if self.column else self.what
        return f"{about}; {WAYS_OUT[self.kind]}" if self.breaks else about


def changes(before: Contract, now: Contract) -> list[Change]:
    """List every difference that affects a release made under `before` or its callers, breaking ones first."""
    found = [*_answer_changes(before, now), *_entity_changes(before, now)]
    for column in before.to_score:
        found += _column_changes(column, now, before)
    found += [_addition(column) for column in now.to_score if column.name not in before.by_name]
    return sorted(found, key=lambda change: not change.breaks)


def is_compatible(before: Contract, now: Contract) -> bool:
    """Return whether a release made under `before` answers every row that it answered, with callers unchanged."""
    return not any(change.breaks for change in changes(before, now))


def unanswered(before: Contract, now: Contract) -> list[Change]:
    """List the changes that keep a release made under `before` from answering rows that are valid under `now`."""
    features = {column.name for column in before.features}
    return [
        change
        for change in changes(before, now)
        if change.kind in NOT_ANSWERED and (not change.column or change.column in features)
    ]


# ---- target and key


def _answer_changes(before: Contract, now: Contract) -> list[Change]:
    questions = [_question(before), _question(now)]
    return [
        Change("", Kind.ANSWER, f"{name} = {new!r}, was {old!r}: the release answers the old question")
        for (name, old), (_, new) in zip(*questions, strict=True)
        if old != new
    ]


def _question(contract: Contract) -> list[tuple[str, object]]:
    positive = contract.positive if contract.task == "binary" else None
    return [
        ("project.task", contract.task),
        ("target.column", contract.target.name),
        ("the target's type", contract.target.type),
        ("target.positive", positive),
    ]


def _entity_changes(before: Contract, now: Contract) -> list[Change]:
    old, new = ([column.name for column in contract.of_role("key")] for contract in (before, now))
    if old == new:
        return []
    what = f"key = {new}, was {old}: outcomes of earlier predictions must name their entities as before"
    return [Change("", Kind.ENTITY, what)]


# ---- one column


def _column_changes(old: Column, now: Contract, before: Contract) -> list[Change]:
    new = now.checked.get(old.name)
    if new is None or new.role == "target":
        return [Change(old.name, Kind.REMOVED, _removed(old, now, before))]
    if not _takes_the_type(old, new):
        return [Change(old.name, Kind.RETYPED, f"is a {new.type}, was a {old.type}")]
    found = [Change(old.name, kind, what) for kind, what in _narrower(old, new)]
    return found or [Change(old.name, kind, what) for kind, what in _wider(old, new)]


def _removed(old: Column, now: Contract, before: Contract) -> str:
    if old.name in now.by_name:
        return "is the target now, which rows to score do not have"
    alike = [one.name for one in now.to_score if one.name not in before.by_name and one.type == old.type]
    near = get_close_matches(old.name, alike, n=1) or (alike if len(alike) == 1 else [])
    refused = "is removed, and rows that have it are refused"
    return f"{refused} (is {near[0]!r} its new name?)" if near else refused


def _takes_the_type(old: Column, new: Column) -> bool:
    """Return whether every value of the old type is a value of the new one; a model accepts features in their own types
    only.
    """
    if old.type == new.type:
        return True
    if old.role == "feature":
        return False
    if new.type == "string":
        return new.role == "ignored" or (new.role == "key" and old.type == "integer")
    return (old.type, new.type) == ("integer", "float")


def _narrower(old: Column, new: Column) -> Iterator[tuple[Kind, str]]:
    if old.nullable and not new.nullable:
        yield Kind.REQUIRED, "must have a value now, and rows without it are refused"
    yield from ((Kind.NARROWED, what) for what in _narrower_texts(old, new))
    if not _is_anything(new):
        yield from ((Kind.NARROWED, what) for what in _narrower_limits(old, new))
    markers = [text for text in dict.fromkeys([*old.missing, *new.missing]) if _accepts(old, text)]
    if refused := [text for text in markers if not _accepts(new, text)]:
        yield Kind.REWRITTEN, f"missing = {list(new.missing)}, was {list(old.missing)}: refuses {refused}"
    if new.type in NUMERIC and not _reads_all(old, new):
        yield Kind.REWRITTEN, f"its numbers are written as {_notation(new)}, were as {_notation(old)}"


def _narrower_texts(old: Column, new: Column) -> Iterator[str]:
    """Describe what a text column newly refuses because of its role, apart from its listed values."""
    if _is_anything(new) or old.type != new.type or old.type != "string":
        return
    if _is_anything(old):
        yield f"is no longer ignored: only a {new.type} within its limits is taken"
    elif new.role == "key" != old.role and old.categories is None:
        yield "is a key now: a text of spaces only names no entity"
    elif old.role == "key" != new.role and any(map(_is_whole, old.categories or "0")):
        yield "is no longer a key: whole numbers are not taken as text"


def _is_whole(text: object) -> bool:
    return bool(re.fullmatch(r"-?[0-9]+", str(text)))


def _is_anything(column: Column) -> bool:
    """Return whether the column accepts any value: no model reads it, and its text may be JSON."""
    return column.role == "ignored" and column.type == "string"


def _narrower_limits(old: Column, new: Column) -> Iterator[str]:
    listed = _values(old)
    if listed is not None:
        if refused := [value for value in listed if not _within(new, value)]:
            yield f"refuses {', '.join(map(str, refused[:12]))}{', ...' if len(refused) > 12 else ''}"
        return
    if new.categories is not None:
        yield f"takes its {len(new.categories)} categories only"
        return
    low, high = _bounds(old)
    new_low, new_high = _bounds(new)
    if new_low > low:
        yield f"minimum = {new.minimum}, was {'none' if old.minimum is None else old.minimum}"
    if new_high < high:
        yield f"maximum = {new.maximum}, was {'none' if old.maximum is None else old.maximum}"


def _values(column: Column) -> list[Any] | None:
    """List every value of a column that has few; None if there are too many."""
    low, high = _bounds(column)
    if column.categories is not None:
        return [value for value in column.categories if not isinstance(value, int) or low <= value <= high]
    if column.type == "integer" and high - low < MOST_LISTED:
        return list(range(int(low), int(high) + 1))
    return None


def _bounds(column: Column) -> tuple[float, float]:
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    if column.type != "integer":
        return low, high
    return (low if low == -math.inf else math.ceil(low)), (high if high == math.inf else math.floor(high))


def _within(column: Column, value: object) -> bool:
    """Return whether the value is within the column's limits; texts that mean null are judged elsewhere."""
    return value in column.missing or _accepts(column, value)


def _accepts(column: Column, value: object) -> bool:
    return not check_value(column, value)[1]


def _reads_all(old: Column, new: Column) -> bool:
    """Return whether numbers are still read the same way: an added unit or thousands separator is optional."""
    same_point = (old.decimal or ".") == (new.decimal or ".")
    return same_point and old.unit in ("", new.unit) and old.thousands in ("", new.thousands)


def _notation(column: Column) -> str:
    thousands = f"1{column.thousands}234"
    return f"{column.unit}{thousands}{column.decimal or '.'}5"


def _wider(old: Column, new: Column) -> Iterator[tuple[Kind, str]]:
    if old.role == "feature" and new.role != "feature":
        yield Kind.UNREAD, f"is {new.role} now: this release reads it while it is sent, the next one does not"
    if new.nullable and not old.nullable:
        yield Kind.OPTIONAL, "may be null now"
    if not _is_anything(new) and any(_narrower_limits(new, old)):
        yield Kind.WIDENED, "accepts more values now, which this release treats as unseen"


def _addition(column: Column) -> Change:
    if column.nullable:
        return Change(column.name, Kind.ADDED, "is new and may be null; the next release learns from it")
    return Change(column.name, Kind.REQUIRED, "is new, and rows without it are refused")
