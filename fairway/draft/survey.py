"""Survey a table in one pass and bounded memory for the facts on which `fairway init` decides."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from domain.batch.csv_head import REASONS, unread_separator
from domain.contract.schema import Column
from domain.contract.text import SPACES, from_text
from domain.contract.values import LARGEST_INTEGER, LONGEST_TEXT, check_value
from domain.timestamps import parse_timestamp
from domain.train.windows import bulk_of_days
from fairway.draft.markers import NO, NOTATIONS, SURE, WORDS, YES, numbers_in, unit_of
from fairway.draft.odd_rows import without_odd_rows
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from model_code.rows.tables import FileRefused, open_source, titles_above

MIRRORED = 100
BITS = 20  # bits of evidence: chance is one in a million
LEVELS = 200  # distinct values that are remembered individually
LONGEST_NUMBER = 40  # characters
UNIQUE_UP_TO = 2_000_000  # distinct values that are remembered to see whether all differ
_NUMBER = r"[0-9]+([.,][0-9]+)*"
# Such as 35.2k, -59.83 with another sign than the keyboard's, and 59.83- as bookkeepers write it.
LIKE_A_NUMBER = re.compile(
    rf"[+-]?{_NUMBER} ?[^\W\d]{{1,5}}[./]?[^\W\d]{{0,3}}|[\u2212\u2013] ?{_NUMBER}|{_NUMBER} ?[-\u2212\u2013]"
)
TYPES = [Column(name, name) for name in ("boolean", "integer", "float", "timestamp", "string")]  # the narrowest first


@dataclass
class Mirror:
    """Whether a column determines the target: each of its values stands for one of the target's, and vice versa.

    Beyond a number of values only equal ones count: otherwise any two columns without repeated values would match.
    """

    to_target: dict = field(default_factory=dict)
    from_target: dict = field(default_factory=dict)
    identical: bool = True
    rows: int = 0

    def agrees(self, pairs: set[tuple]) -> bool:
        self.identical = self.identical and all(a == b for a, b in pairs)
        if len(self.from_target) > MIRRORED:
            return self.identical
        return all(self.to_target.setdefault(a, b) == b and self.from_target.setdefault(b, a) == a for a, b in pairs)

    def reveals(self, bits_each: float) -> bool:
        """Return whether chance is an unlikely explanation: each repeated value agreed, which is worth `bits_each`."""
        if len(self.from_target) < 2 or len(self.from_target) > MIRRORED:
            return len(self.from_target) > 1 and self.identical
        return self.identical or (self.rows - len(self.to_target)) * bits_each >= BITS


@dataclass
class Facts:
    """Facts about a column.

    `fits` counts the values that each type can hold; `levels` each distinct value, None if too many.
    """

    name: str
    rows: int = 0  # rows with a value
    fits: Counter = field(default_factory=Counter)
    low: dict = field(default_factory=dict)  # type -> least value
    high: dict = field(default_factory=dict)
    levels: Counter | None = field(default_factory=Counter)
    newest_level_at: int = 0  # row in which a text first occurred
    distinct: set | None = field(default_factory=set)  # hashes; None once a value was repeated
    example: object = None
    marked: Counter = field(default_factory=Counter)  # texts that may mean null; not among the rows
    missing: list = field(default_factory=list)  # those that do
    notations: Counter = field(default_factory=Counter)  # (thousands, decimal) -> values that are numbers in it
    units: Counter = field(default_factory=Counter)  # sign beside a number, empty for none -> values
    forms: dict = field(default_factory=dict)  # sign beside a number, None for other texts -> the first value with it
    begun: int = 0  # texts like a number: with a few letters behind it, or another sign
    odd: tuple | None = None  # the first value that is not a number, and its row
    nested: bool = False
    long_texts: int = 0
    big_whole: bool = False  # whole numbers, not texts, that float64 cannot represent
    leading_zeros: bool = False
    fractions: bool = False  # whether some number has a decimal point
    days: Counter = field(default_factory=Counter)  # date -> rows, for timestamps
    mean: float = 0.0
    means: dict = field(default_factory=dict)  # notation -> mean
    mirror: Mirror | None = field(default_factory=Mirror)  # None once it differed from the target

    @property
    def all_differ(self) -> bool:
        return self.distinct is not None

    def holds(self, kind: str) -> bool:
        return self.rows > 0 and self.fits[kind] == self.rows


@dataclass(frozen=True)
class Survey:
    rows: int
    columns: dict[str, Facts]  # in file order
    headers: int = 0  # repeated headers, which are not counted as rows
    totals: int = 0  # totals, which are not counted as rows
    titles: tuple[str, ...] = ()  # lines above the header

    def nulls(self, facts: Facts) -> int:
        return self.rows - facts.rows


def survey(file: Path, *, target: str, progress: Progress) -> Survey:
    columns: dict[str, Facts] = {}
    rows, headers, totals = 0, 0, 0
    try:
        source = open_source(file)
        if source.columns is not None and target not in source.columns:
            raise _no_target(file, target, source.columns)
        for read in source.blocks:
            block, repeated, sums = without_odd_rows(read)
            headers, totals = headers + repeated, totals + sums
            table = _as_table(file, block, is_text=source.is_text)
            for name, values in table.items():
                note(columns.setdefault(name, Facts(name)), values, first_row=rows, is_text=source.is_text)
            _compare(columns, table, target)
            rows += len(block)
            progress.detail(f"{rows:,} rows")
    except FileRefused as error:
        raise Refused("file", str(error)) from None
    if target not in columns:
        raise _no_target(file, target, list(columns))
    _settle_markers(columns, is_text=source.is_text)
    return Survey(rows, columns, headers, totals, titles_above(file))


def _settle_markers(columns: dict[str, Facts], *, is_text: bool) -> None:
    """Decide which texts mean null: a word such as NA does in a column of numbers.

    Among texts it is a class, unless the same table uses it for missing numbers.
    """
    in_numbers = {
        marker
        for facts in columns.values()
        if any(facts.holds(kind) for kind in ("integer", "float", "timestamp")) or number_notation(facts)
        for marker in facts.marked
    }
    for facts in columns.values():
        for marker, count in facts.marked.items():
            if marker in SURE or marker in in_numbers or _are_yes_and_no(facts.levels):
                facts.missing.append(marker)
            else:
                facts.rows += count
                _look(facts, marker, count, is_text=is_text)
                _note_level(facts, marker, count, [marker], 0)
                if facts.distinct is not None:
                    _note_distinct(facts, (str, marker), count)


def _are_yes_and_no(levels: Counter | None) -> bool:
    """Return whether there are two values, a yes and a no: another text next to them is not a third class."""
    return levels is not None and len(levels) == 2 and {str(value).lower() for value in levels} <= YES | NO


def number_notation(facts: Facts) -> tuple[str, str] | None:
    """Return the (thousands, decimal) in which every value is a number with at most one unit, if plain numbers do not
    fit.
    """
    if not facts.rows or len(facts.units.keys() - {""}) > 1 or facts.holds("float"):
        return None
    return next((one for one in NOTATIONS if facts.notations[one] == facts.rows), None)


def _no_target(file: Path, target: str, names: list[str]) -> Refused:
    separator = next((one for one in (";", "\t", "|") if len(names) == 1 and target in names[0].split(one)), None)
    separated = f". They seem to be separated by {separator!r}; write the file with commas" if separator else ""
    hint = separated or unread_separator(names)
    columns = ", ".join(map(repr, names))
    return Refused("target", f"{file}: --target = {target!r}: must be one of its columns {columns}{hint}")


def _as_table(file: Path, block: pa.RecordBatch | list, *, is_text: bool) -> dict[str, list]:
    """Return column name -> its values as Python has them, None for missing ones, timestamps as ISO text."""
    if isinstance(block, list):
        if not all(isinstance(row, dict) for row in block):
            raise Refused("file", f"{file}: every line must be an object of column names to values")
        given = dict.fromkeys(name for row in block for name in row)
        return {name: [_without_nan(row.get(name)) for row in block] for name in given}
    names = [name for name in block.schema.names if name != REASONS]
    return {name: _arrow_values(block.column(name), is_text=is_text) for name in names}


def _arrow_values(column: pa.Array, *, is_text: bool) -> list:
    if is_text:
        return [(text.strip(SPACES) or None) if text else None for text in column.to_pylist()]
    if pa.types.is_timestamp(column.type):
        column = pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ")
    return list(map(_without_nan, column.to_pylist()))


def _without_nan(value: Any) -> Any:
    return None if value != value else value


def note(facts: Facts, values: list, *, first_row: int, is_text: bool) -> None:
    """Add a block's values to the facts, each distinct value once."""
    counted = Counter((type(value), _as_hashable(value)) for value in values if value is not None)
    facts.nested |= any(isinstance(value, (list, dict)) for value in values)
    for (kind, value), count in counted.items():
        if isinstance(value, str) and (value in SURE or value in WORDS):
            facts.marked[value] += count
            continue
        facts.rows += count
        before = facts.fits["float"]
        _look(facts, value, count, is_text=is_text)
        if facts.fits["float"] == before and facts.odd is None and value in values:
            facts.odd = (value, first_row + values.index(value) + 1)
        _note_level(facts, value, count, values, first_row)
        if facts.distinct is not None:
            _note_distinct(facts, (kind, value), count)


def _as_hashable(value: object) -> Any:
    return repr(value) if isinstance(value, (list, dict)) else value


def _look(facts: Facts, value: Any, count: int, *, is_text: bool) -> None:
    facts.long_texts += count if isinstance(value, str) and len(value) > LONGEST_TEXT else 0
    facts.big_whole |= isinstance(value, int) and abs(value) > LARGEST_INTEGER
    if isinstance(value, str):
        _look_for_notation(facts, value, count)
    kept: Any
    for column in TYPES:
        read = from_text(column, value) if is_text else value
        kept, problems = check_value(column, read)
        if problems:
            continue
        facts.fits[column.type] += count
        if column.type == "float":
            facts.mean += (kept - facts.mean) * (count / facts.rows)
        if column.type == "timestamp":
            facts.days[date.fromisoformat(kept[:10])] += count
        if column.type in ("integer", "float", "timestamp"):
            facts.low[column.type] = min(facts.low.get(column.type, kept), kept)
            facts.high[column.type] = max(facts.high.get(column.type, kept), kept)
    facts.example = facts.example if facts.example is not None else value
    if isinstance(value, str):
        digits = value.lstrip("+-")
        facts.leading_zeros |= len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
        facts.fractions |= "." in value
    else:
        facts.fractions |= isinstance(value, float)


def _look_for_notation(facts: Facts, text: str, count: int) -> None:
    unit = unit_of(text) if len(text) <= LONGEST_NUMBER else None
    facts.forms.setdefault(unit, text[:LONGEST_NUMBER])
    if unit is None:
        facts.begun += count if LIKE_A_NUMBER.fullmatch(text) else 0
        return
    facts.units[unit] += count
    for kind, number in numbers_in(text, unit):
        facts.notations[kind] += count
        facts.low[kind] = min(facts.low.get(kind, number), number)
        facts.high[kind] = max(facts.high.get(kind, number), number)
        mean = facts.means.get(kind, 0.0)
        facts.means[kind] = mean + (number - mean) * (count / facts.rows)


def _note_level(facts: Facts, value: object, count: int, values: list, first_row: int) -> None:
    if facts.levels is None:
        return
    if value not in facts.levels and isinstance(value, str) and value in values:
        facts.newest_level_at = max(facts.newest_level_at, first_row + values.index(value))
    facts.levels[value] += count
    if len(facts.levels) > LEVELS:
        facts.levels = None


def _note_distinct(facts: Facts, value: object, count: int) -> None:
    place, seen = hash(value), facts.distinct
    if seen is None or count > 1 or place in seen or len(seen) >= UNIQUE_UP_TO:
        facts.distinct = None
    else:
        seen.add(place)


def _compare(columns: dict[str, Facts], table: dict[str, list], target: str) -> None:
    """Continue to look for columns that only repeat the target; most are excluded after their first block."""
    outcomes = table.get(target)
    if outcomes is None:
        return
    for name, values in table.items():
        facts = columns[name]
        if name != target and facts.mirror:
            pairs = {(_as_hashable(a), _as_hashable(b)) for a, b in zip(values, outcomes, strict=True) if b is not None}
            facts.mirror.rows += sum(outcome is not None for outcome in outcomes)
            facts.mirror = facts.mirror if facts.mirror.agrees(pairs) else None


def span_days(facts: Facts) -> float:
    """Return the days from first to last timestamp of a column, without those far from nearly all others."""
    low, high = (parse_timestamp(ends["timestamp"]) for ends in (facts.low, facts.high))
    assert low is not None and high is not None, "only a timestamp that can be read is kept as an end"
    first, last = bulk_of_days(facts.days)
    if (first, last) == (low.date(), high.date()):
        return (high - low).total_seconds() / 86_400
    return float((last - first).days + 1)


def far_days(facts: Facts) -> list[date]:
    """Return the days of a timestamp column that are far from nearly all others."""
    first, last = bulk_of_days(facts.days)
    return [day for day in sorted(facts.days) if not first <= day <= last]


def boolean_words(facts: Facts) -> bool:
    """Return true and false themselves; 0 and 1, yes and no are kept, so that requests may use them."""
    return facts.levels is not None and {str(value).lower() for value in facts.levels} <= {"true", "false"}
