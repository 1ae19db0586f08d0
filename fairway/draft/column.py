"""What a column is: its type, and the limits that the rows to come may be held to."""

import math
import re

from domain.contract.values import LARGEST_INTEGER
from fairway.draft.survey import Facts, Survey, boolean_words
from fairway.terminal.errors import Refused

ROWS_PER_LEVEL = 10
DATE_LIKE = re.compile(r"\d{1,4}([/.\- ])(\d{1,2}|[A-Za-z]{3,9})\1\d{2,4}([ T,].*)?|[A-Za-z]{3,9} \d{1,2},? \d{4}.*")


def column_of(table: Survey, facts: Facts, notes: list[str]) -> dict:
    """Type, nullability and limits."""
    nullable = {"nullable": True} if table.nulls(facts) else {}
    if facts.rows == 0:
        return {"type": "string", **nullable}
    kind = type_of(facts, notes)
    return {"type": kind, **nullable, **limits_of(facts, kind), **categories_of(table, facts, kind)}


def type_of(facts: Facts, notes: list[str]) -> str:
    if facts.holds("boolean") and boolean_words(facts):
        return "boolean"
    if facts.holds("integer") and not facts.fractions and not facts.leading_zeros:
        return "integer"
    if facts.holds("float") and not is_code(facts):
        return "float"
    if facts.holds("timestamp"):
        return "timestamp"
    if not facts.holds("string"):
        return commonest_type(facts, notes)
    if isinstance(facts.example, str) and DATE_LIKE.fullmatch(facts.example):
        iso = "only ISO 8601 (2013-04-01) is a moment"
        notes.append(f"{facts.name!r} holds dates such as {facts.example!r}; {iso}, so it became text")
    elif facts.fits["float"] > facts.rows / 2:
        other = facts.rows - facts.fits["float"]
        notes.append(
            f"{facts.name!r} holds numbers, but in {other:,} rows something else, so it became text; "
            "a missing number is written as an empty cell"
        )
    return "string"


def is_code(facts: Facts) -> bool:
    """Digits that are no number: 00501, or more of them than a number can keep apart."""
    whole = isinstance(facts.example, str) and facts.example.lstrip("+-").isdigit() and not facts.fractions
    return (facts.leading_zeros and facts.holds("integer")) or (whole and facts.high["float"] > LARGEST_INTEGER)


def commonest_type(facts: Facts, notes: list[str]) -> str:
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


def limits_of(facts: Facts, kind: str) -> dict:
    """The range that was seen, with half of it to spare on either side; what seems to begin at nought stays so."""
    if kind not in ("integer", "float"):
        return {}
    low, high = facts.low[kind], facts.high[kind]
    spare = (high - low) / 2 or abs(high) / 2 or 1
    begins_at_nought = low >= 0 and (kind == "integer" or low <= spare / 10)
    least = 0 if begins_at_nought else outwards(low - spare, math.floor)
    most = 0 if high <= 0 and kind == "integer" else outwards(high + spare, math.ceil)
    if not all(map(math.isfinite, (least, most))):
        return {}
    number = int if kind == "integer" else float
    return {"minimum": number(least), "maximum": number(most)}


def outwards(value: float, rounded) -> float:
    """To two digits, away from the values that were seen."""
    if not math.isfinite(value):
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 1.0
    return float(f"{rounded(value / step) * step:.6g}") if step else value


def categories_of(table: Survey, facts: Facts, kind: str) -> dict:
    """The levels, where another one is unlikely: each was seen again, and none was new in the later half of the rows.

    The share of values seen only once estimates the chance that the next one is new (Good, 1953).
    """
    if kind != "string" or facts.levels is None or not facts.holds("string"):
        return {}
    few = len(facts.levels) * ROWS_PER_LEVEL <= facts.rows and min(facts.levels.values()) > 1
    return {"categories": sorted(facts.levels)} if few and facts.newest_level_at <= table.rows / 2 else {}
