"""Check values and rows against a contract with the standard library.

`model_code/rows/tables.py` gives the same verdicts on Arrow batches. A row is a dict of column to value: text, whole
number, number, true or false, or None. A timestamp is ISO 8601 text.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, SupportsFloat

from domain.contract.schema import Column, Contract
from domain.contract.text import read_written
from domain.timestamps import iso, parse_timestamp

LARGEST_INTEGER = 2**53  # the largest that float64 and every JSON reader represent exactly
LONGEST_TEXT = 1024
NULL = "null"  # rule of a missing value


class ContractError(Exception):
    """Report that a row broke the contract; `problems` holds every breach."""

    def __init__(self, problems: "list[Problem]"):
        self.problems = problems
        super().__init__("; ".join(problem.message for problem in problems))


class Problem(NamedTuple):
    """One breach: the column, the value found, the rule it broke and what the rule allows."""

    column: str
    value: object
    rule: str
    allowed: str

    @property
    def message(self) -> str:
        return described(_cut(self.column), _cut(repr(self.value)), self.rule, self.allowed)


def described(column: str, value: str, rule: str, allowed: str) -> str:
    """Describe a breach in words; the texts must be short enough to show."""
    return f"{column} is missing; it {allowed}" if rule == NULL else f"{column} = {value}: {allowed}"


def _cut(text: str, most: int = 200) -> str:
    """Shorten a text for a message."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters in all)"


def check_row(contract: Contract, row: Any, *, with_target: bool) -> tuple[dict[str, object], list[Problem]]:
    """Return the row as the contract writes it, and every problem in it.

    A row to learn from needs its target; from a row to score the target is removed. The returned row has every other
    column of the contract, None where the row had no value.
    """
    if not isinstance(row, dict):
        return {}, [Problem("(row)", row, "type", "must be an object of column names to values")]
    if repeats_header(row):
        return {}, [HEADER_AGAIN]
    problems = [
        Problem(str(name), value, "unknown_column", f"is not in the contract {contract.name!r}")
        for name, value in row.items()
        if name not in contract.by_name
    ]
    clean = {}
    for column in contract.columns_to_check(with_target=with_target):
        clean[column.name], problem = check_value(column, row.get(column.name))
        problems += problem
    return clean, problems


HEADER_AGAIN = Problem("(row)", "the column names", "header", "must be values; remove the repeated header")


def repeats_header(row: Mapping[str, object]) -> bool:
    """Return whether a row of two or more columns holds the columns' own names, as in concatenated files."""
    return len(row) > 1 and all(name == value for name, value in row.items())


def check_value(column: Column, value: object) -> tuple[object, list[Problem]]:
    """Return the value in the contract's own type, and what is wrong with it."""
    value = read_written(column, value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None, [] if column.nullable else [Problem(column.name, None, NULL, "must have a value")]
    if column.type == "string" and column.role == "ignored":
        return _anything_as_text(column, value)
    if column.type == "string" and column.role == "key":
        value = _digits(value)
    kept, allowed = _CONVERT[column.type](value)
    if allowed:
        return value, [Problem(column.name, value, "type", allowed)]
    return kept, _limit_problems(column, kept)


def _anything_as_text(column: Column, value: object) -> tuple[object, list[Problem]]:
    """Return a value that no model reads as text of any length; other JSON values as their JSON."""
    try:
        kept = json.dumps(value) if isinstance(value, (bool, int, float, list, dict)) else value
    except (RecursionError, ValueError, TypeError):  # nested too deeply, an endless number, or a name that is not text
        kept = None
    if isinstance(kept, str) and is_unicode(kept):
        return kept, []
    return value, [Problem(column.name, value, "type", "must be text")]


def _digits(value: object) -> object:
    """Write a whole number that is a key as its digits, so that an entity has the same id in every kind of file."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_INTEGER:
        return str(int(value))
    try:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    except ValueError:  # Python does not write numbers of more than 4,300 digits
        return value


def _limit_problems(column: Column, value: Any) -> list[Problem]:
    problems = []
    if column.minimum is not None and value < column.minimum:
        problems.append(Problem(column.name, value, "minimum", f"must be at least {column.minimum}"))
    if column.maximum is not None and value > column.maximum:
        problems.append(Problem(column.name, value, "maximum", f"must be at most {column.maximum}"))
    if column.categories is not None and value not in column.categories:
        problems.append(Problem(column.name, value, "category", f"must be one of {_shortened(column.categories)}"))
    return problems


def _shortened(categories: tuple[object, ...], most: int = 12) -> str:
    listed = ", ".join(map(str, categories[:most]))
    return listed if len(categories) <= most else f"{listed}, ... ({len(categories)} in all)"


def _to_string(value: object) -> tuple[object, str]:
    if not isinstance(value, str) or not is_unicode(value):
        return value, "must be text"
    return value, f"must have at most {LONGEST_TEXT} characters" if len(value) > LONGEST_TEXT else ""


def is_unicode(text: str) -> bool:
    """Return whether the text can be stored and hashed: JSON can hold half of a surrogate pair, which is not a
    character.
    """
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _to_integer(value: object) -> tuple[object, str]:
    allowed = f"must be a whole number within +-{LARGEST_INTEGER}"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST_INTEGER:
        return value, allowed
    return (int(value), "") if float(value).is_integer() else (value, allowed)


def to_float(value: object) -> tuple[object, str]:
    """Return the value as float64, and what is allowed if it is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not is_finite(value):
        return value, "must be a finite number"
    return float(value), ""


def is_finite(number: SupportsFloat) -> bool:
    """Return whether the number is finite as float64."""
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond float64
        return False


def _to_boolean(value: object) -> tuple[object, str]:
    return value, "" if isinstance(value, bool) else "must be true or false"


def _to_timestamp(value: object) -> tuple[object, str]:
    moment = parse_timestamp(value) if isinstance(value, str) else None
    if moment is None:
        return value, "must be ISO 8601 text such as 2013-04-01T09:30:00Z"
    return iso(moment), ""


_CONVERT: dict[str, Callable[[object], tuple[object, str]]] = {
    "string": _to_string,
    "integer": _to_integer,
    "float": to_float,
    "boolean": _to_boolean,
    "timestamp": _to_timestamp,
}
