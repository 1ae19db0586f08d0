"""Check values and rows against a contract with the standard library.

`model_code/rows/tables.py` gives the same verdicts on Arrow batches. A row is a dict of column to value: text, whole
number, number, true or false, or None. A timestamp is ISO 8601 text.
"""

import math
from typing import NamedTuple

from domain.contract.schema import Column, Contract
from domain.timestamps import iso, parse_timestamp

LARGEST_INTEGER = 2**53  # the largest that float64 and every JSON reader keep exact
LONGEST_TEXT = 1024


class ContractError(Exception):
    """A row broke the contract. `problems` holds every breach."""

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
        return f"{cut(self.column)} = {cut(repr(self.value))}: {self.rule}, {self.allowed}"


def cut(text: str, most: int = 200) -> str:
    """What a message repeats of what was found: a megabyte is not told twice."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters in all)"


def check_row(contract: Contract, row: dict, *, with_target: bool) -> tuple[dict, list[Problem]]:
    """The row as the contract writes it, and every problem it has.

    A row to learn from needs its target and what the contract ignores; a row to score needs neither, and a target it
    brings along is left out. The clean row has every other column of the contract, None where nothing was given.
    """
    if not isinstance(row, dict):
        return {}, [Problem("(row)", row, "type", "must be an object of column names to values")]
    problems = [
        Problem(str(name), value, "unknown_column", f"is not in the contract {contract.name!r}")
        for name, value in row.items()
        if name not in contract.by_name
    ]
    clean = {}
    for column in contract.held_to(with_target=with_target):
        clean[column.name], found = check_value(column, row.get(column.name))
        problems += found
    return clean, problems


def check_value(column: Column, value) -> tuple[object, list[Problem]]:
    """The value in the contract's own type, and what is wrong with it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None, [] if column.nullable else [Problem(column.name, None, "null", "must have a value")]
    kept, allowed = CONVERT[column.type](value)
    if allowed:
        return value, [Problem(column.name, value, "type", allowed)]
    return kept, limit_problems(column, kept)


def limit_problems(column: Column, value) -> list[Problem]:
    found = []
    if column.minimum is not None and value < column.minimum:
        found.append(Problem(column.name, value, "minimum", f"must be at least {column.minimum}"))
    if column.maximum is not None and value > column.maximum:
        found.append(Problem(column.name, value, "maximum", f"must be at most {column.maximum}"))
    if column.categories is not None and value not in column.categories:
        found.append(Problem(column.name, value, "category", f"must be one of {shortened(column.categories)}"))
    return found


def shortened(categories: tuple, most: int = 12) -> str:
    listed = ", ".join(map(str, categories[:most]))
    return listed if len(categories) <= most else f"{listed}, ... ({len(categories)} in all)"


def to_string(value):
    if not isinstance(value, str) or not is_unicode(value):
        return value, "must be text"
    return value, f"must have at most {LONGEST_TEXT} characters" if len(value) > LONGEST_TEXT else ""


def is_unicode(text: str) -> bool:
    """JSON can hold one half of a surrogate pair, which is no character and cannot be stored or hashed."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def to_integer(value):
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or abs(value) > LARGEST_INTEGER:
        return value, f"must be a whole number within +-{LARGEST_INTEGER}"
    return int(value), ""


def to_float(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not is_finite(value):
        return value, "must be a finite number"
    return float(value), ""


def is_finite(number) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond float64
        return False


def to_boolean(value):
    return value, "" if isinstance(value, bool) else "must be true or false"


def to_timestamp(value):
    moment = parse_timestamp(value) if isinstance(value, str) else None
    if moment is None:
        return value, "must be ISO 8601 text such as 2013-04-01T09:30:00Z"
    return iso(moment), ""


CONVERT = {
    "string": to_string,
    "integer": to_integer,
    "float": to_float,
    "boolean": to_boolean,
    "timestamp": to_timestamp,
}
