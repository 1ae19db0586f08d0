"""The type of a column, and the limits for rows to come."""

import math
import re
from collections.abc import Callable

from domain.contract.values import LARGEST_INTEGER, LONGEST_TEXT
from fairway.draft.survey import Facts, Survey, boolean_words, number_notation
from fairway.terminal.errors import Refused

ROWS_PER_LEVEL = 10
MANY = 20  # distinct texts that begin with a number: with more, they are amounts rather than classes
ID_NAME = re.compile(r"(?i:^(id|key|uuid|guid)$|[_\-. ](id|key|uuid|guid|no|nr|num|number)$|^id[_\-. ])|[a-z](Id|ID)$")
TIME_NAME = re.compile(r"(?i)time|date|moment|when|created|seen|[_.](at|on|ts|ms|dt)$|^(t|ts|dt|day)$|epoch")
DATE_LIKE = re.compile(r"\d{1,4}([/.\- ])(\d{1,2}|[A-Za-z]{3,9})\1\d{2,4}([ T,].*)?|[A-Za-z]{3,9} \d{1,2},? \d{4}.*")


def column_of(table: Survey, facts: Facts, notes: list[str]) -> dict:
    """Decide type, nullability and limits."""
    nullable = ({"nullable": True} if table.nulls(facts) else {}) | written(facts, notes)
    if facts.rows == 0:
        return {"type": "string", **nullable}
    if facts.nested or facts.long_texts:
        what = "lists or objects" if facts.nested else f"texts of more than {LONGEST_TEXT:,} characters"
        notes.append(f"{facts.name!r} holds {what}: kept as text, not used for training")
        return {"type": "string", **nullable, "role": "ignored"}
    notation = number_notation(facts)
    if notation:
        return {"type": "float", **nullable, **of_notation(facts, notation, notes), **_limits_of(facts, notation)}
    kind = _type_of(facts, notes)
    if facts.holds("float") and _is_epoch(facts):
        return {"type": kind, **nullable, **_of_epochs(facts, kind, notes)}
    if kind == "integer" and (counted := _days_counted(facts)):
        notes.append(f"{facts.name!r} holds {counted}: used as a number without a maximum; {AS_ISO}")
        return {"type": kind, **nullable}
    return {"type": kind, **nullable, **_limits_of(facts, kind), **_categories_of(table, facts, kind)}


def _of_epochs(facts: Facts, kind: str, notes: list[str]) -> dict:
    """Treat numbers of seconds or smaller units since 1970: no limit; ignored if a float64 cannot represent them."""
    since = f"{facts.name!r} holds seconds, milliseconds, microseconds or nanoseconds since 1970"
    if kind == "string":
        notes.append(f"{since}, with more digits than a number can hold: not used for training; {AS_ISO}")
        return {"role": "ignored"}
    notes.append(f"{since}: used as a number without a maximum, which later times would exceed; {AS_ISO}")
    return {}


def written(facts: Facts, notes: list[str]) -> dict:
    """Return the texts that mean null in the column, for the contract."""
    if not facts.missing:
        return {}
    count = sum(facts.marked[marker] for marker in facts.missing)
    shown = ", ".join(map(repr, facts.missing))
    notes.append(
        f"{facts.name!r}: {shown} means null in {count:,} rows (`missing` in the contract; remove it if it is a value)"
    )
    return {"missing": list(facts.missing)}


def of_notation(facts: Facts, notation: tuple[str, str], notes: list[str]) -> dict:
    """Return how the numbers of the column are written, for the contract."""
    thousands, decimal = notation
    unit = next(iter(facts.units.keys() - {""}), "")
    without = f" (which {facts.units['']:,} rows do not have)" if unit and facts.units[""] else ""
    notes.append(
        f"{facts.name!r} holds numbers such as {facts.example!r}: decimal = {decimal!r}, thousands = {thousands!r}"
        + (f", unit = {unit!r}{without}" if unit else "")
        + "; change them in the contract if they mean something else"
    )
    return {"thousands": thousands, "decimal": decimal} | ({"unit": unit} if unit else {})


EPOCHS = tuple((6e8 * unit, 4.2e9 * unit) for unit in (1, 1e3, 1e6, 1e9))  # s, ms, us, ns of 1989 to 2103


AS_ISO = "write it as ISO 8601 to make it a timestamp"
WRITTEN_DAYS = (1900_01_01, 2100_12_31)  # 20240131
DAYS_OF_EXCEL = (20_000, 80_000)  # since 1899-12-30: of 1954 to 2119
DAY_NAME = re.compile(r"(?i)date|day")


def _is_epoch(facts: Facts) -> bool:
    """Whether numbers count the time since 1970, as the column's name says."""
    return bool(TIME_NAME.search(facts.name)) and any(_is_within(facts, ends) for ends in EPOCHS)


def _days_counted(facts: Facts) -> str:
    """Return how whole numbers stand for days, as the column's name says; empty if they do not."""
    if not DAY_NAME.search(facts.name):
        return ""
    if _is_within(facts, WRITTEN_DAYS):
        return f"days written as numbers, such as {facts.example}"
    return f"Excel's numbers of days, such as {facts.example}" if _is_within(facts, DAYS_OF_EXCEL) else ""


def _is_within(facts: Facts, ends: tuple[float, float]) -> bool:
    low, high = facts.low.get("float"), facts.high.get("float")
    return low is not None and high is not None and bool(ends[0] <= low and high <= ends[1])


def _type_of(facts: Facts, notes: list[str]) -> str:
    if facts.holds("boolean") and boolean_words(facts):
        return "boolean"
    # 0.0, 1.0, ..: pandas writes ids like this next to nulls
    is_id = bool(ID_NAME.search(facts.name)) and facts.all_differ
    if facts.holds("integer") and not facts.leading_zeros and (not facts.fractions or is_id):
        return "integer"
    if facts.big_whole and facts.holds("float") and not facts.fractions:
        return "string"  # as float64 two of them would be equal
    if facts.holds("float") and not is_code(facts):
        return "float"
    if facts.holds("timestamp"):
        return "timestamp"
    if not facts.holds("string"):
        return _commonest_type(facts, notes)
    if not facts.holds("float"):
        _note_text(facts, notes)
    return "string"


def _note_text(facts: Facts, notes: list[str]) -> None:
    """Explain why a column of dates, or mostly of numbers, became text."""
    if isinstance(facts.example, str) and DATE_LIKE.fullmatch(facts.example):
        iso = "only ISO 8601 (2013-04-01) is a timestamp"
        notes.append(f"{facts.name!r} holds dates such as {facts.example!r}; {iso}, so it became text")
    elif facts.fits["float"] > facts.rows / 2:
        other, (value, row) = facts.rows - facts.fits["float"], facts.odd or ("", 0)
        notes.append(
            f"{facts.name!r} holds numbers, but in {other:,} rows something else, first {value!r} in row {row:,}, so "
            "it became text; correct it, or set the type to float and let `fairway load` quarantine those rows"
        )
    elif _are_like_numbers(facts):
        example = facts.odd[0] if facts.odd else facts.example
        notes.append(
            f"{facts.name!r} holds texts that are like numbers, such as {example!r}: kept as text; write the "
            "bare number to learn from it as one"
        )
    elif facts.units.total() > facts.rows / 2:
        forms = ", ".join(map(repr, facts.forms.values()))
        notes.append(
            f"{facts.name!r} holds numbers in several forms or beside other texts, such as {forms}, so it became text; "
            "write them alike, or set the type to float with its `decimal`, `thousands` and `unit`"
        )


def _are_like_numbers(facts: Facts) -> bool:
    most = facts.begun and facts.begun + facts.fits["float"] > facts.rows / 2
    return bool(most) and not facts.leading_zeros and len(facts.levels or range(MANY)) >= MANY


def is_code(facts: Facts) -> bool:
    """Return whether text is digits but not a number: 00501, or more digits than a number can hold."""
    whole = isinstance(facts.example, str) and facts.example.lstrip("+-").isdigit() and not facts.fractions
    return (facts.leading_zeros and facts.holds("integer")) or (whole and facts.high["float"] > LARGEST_INTEGER)


def _commonest_type(facts: Facts, notes: list[str]) -> str:
    if not facts.fits:
        value = str(facts.example)[:60]
        message = f"column {facts.name!r} holds {value!r}, which no type of a contract can hold; take the column out"
        raise Refused("column", message)
    kind, count = max(facts.fits.items(), key=lambda item: (item[1], item[0] == "integer"))
    notes.append(
        f"{facts.name!r} is mostly {kind}, but {facts.rows - count:,} rows hold something else; "
        "`fairway load` will quarantine those"
    )
    return kind


def _limits_of(facts: Facts, kind: str | tuple[str, str]) -> dict:
    """Return the observed range with half of it to spare on either side; a range that seems to begin at 0 keeps that
    limit.
    """
    if kind in ("string", "boolean", "timestamp"):
        return {}
    low, high = facts.low[kind], facts.high[kind]
    spare = (high - low) / 2 or abs(high) / 2 or 1
    begins_at_nought = low >= 0 and (kind == "integer" or low <= spare / 10)
    least = 0 if begins_at_nought else _outwards(low - spare, math.floor)
    most = 0 if high <= 0 and kind == "integer" else _outwards(high + spare, math.ceil)
    if not all(map(math.isfinite, (least, most))):
        return {}
    number = int if kind == "integer" else float
    return {"minimum": number(least), "maximum": number(most)}


def _outwards(value: float, rounded: Callable[[float], float]) -> float:
    """Round to two digits, away from the observed values."""
    if not math.isfinite(value):
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 1.0
    return float(f"{rounded(value / step) * step:.6g}") if step else value


def _categories_of(table: Survey, facts: Facts, kind: str) -> dict:
    """Return the levels if another one is unlikely: each occurred again, and none was new in the later half of the
    rows.

    The share of values that occurred once estimates the probability that the next one is new (Good, 1953).
    """
    if kind != "string" or facts.levels is None or not facts.holds("string"):
        return {}
    few = len(facts.levels) * ROWS_PER_LEVEL <= facts.rows and min(facts.levels.values()) > 1
    few = few and not facts.big_whole
    return {"categories": sorted(facts.levels)} if few and facts.newest_level_at <= table.rows / 2 else {}
