"""Request bodies as rows, and rows or Arrow batches as the columns that a plan takes: the kernel's own readers are
tested against it.

`from_rows` and `from_arrow` return (columns, rows, [RowRefused]): per column float64 or codes (see `format.py`), with
missing in the place of what was refused. A body that cannot be read as rows at all raises BodyRefused.
"""

import csv
import io
import json
import math
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.text import DECIMAL, FALSE, TRUE
from model_code.plan.format import Column
from model_code.refusals import BodyRefused, RowRefused

_ALLOWED = {"number": "a number or null", "boolean": "true, false or null", "category": "text or null"}
_SHOWN = 60  # characters of a refused value that its message repeats


class TooLarge(str):
    """The text of a number beyond float64."""


def json_rows(body: bytes) -> list[Any]:
    """Return the rows of {"instances": [{column: value}, ...]}; further members are skipped."""
    document = _parsed(body)
    members = document if isinstance(document, _Pairs) else list(document.items()) if isinstance(document, dict) else []
    given = [value for name, value in members if name == "instances"]
    rows = given[0] if len(given) == 1 else None
    if not isinstance(rows, list) or isinstance(rows, _Pairs):
        raise BodyRefused('the body must be {"instances": [{column: value, ...}, ...]}')
    return rows


def json_lines_rows(body: bytes) -> list[Any]:
    """Return the rows of a body with one JSON object a line; empty lines are skipped."""
    return [_parsed(line) for line in bytes(body).split(b"\n") if line.strip(b" \t\r")]


class NoRow(str):
    """The reason why a value found in place of a row is not a row."""


class _Pairs(list):
    """The members of a JSON object in order, so that a name given twice is seen."""


def _parsed(body: bytes) -> Any:
    try:
        text = bytes(body).decode("utf-8")
        pairs = json.loads(
            text, object_pairs_hook=_object, parse_float=_number, parse_int=_whole, parse_constant=_constant
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BodyRefused(f"the body is not JSON: {error}") from error
    return pairs


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Pairs:
    names = [name for name, _ in pairs]
    return dict(pairs) if len(set(names)) == len(names) else _Pairs(pairs)


def _number(text: str) -> float | TooLarge:
    value = float(text)
    return value if math.isfinite(value) else TooLarge(text)


def _whole(text: str) -> int | TooLarge:
    """Read a whole number: Python reads none of more than some thousand digits, and beyond 309 none is a float64."""
    return int(text) if len(text) < 400 else TooLarge(text)


def _constant(text: str) -> NoReturn:
    raise BodyRefused(f"{text} is not JSON: send null for a missing value")


def from_rows(
    columns: Sequence[Column], rows: list[Any], *, ignored: Collection[str] = ()
) -> tuple[list[np.ndarray], int, list[RowRefused]]:
    """Return the columns of [{column: value}]: numbers, true or false, text; None, NaN or no entry is missing."""
    places = {column.name: place for place, column in enumerate(columns)}
    finders = [_Levels(column) for column in columns]
    out, refusals = _missing(columns, len(rows)), []
    for index, row in enumerate(rows):
        refusal = _fill(out, index, row, columns, places, finders, ignored)
        if refusal:
            refusals.append(refusal)
            for place, column in enumerate(columns):
                out[place][index] = np.nan if column.kind == "number" else column.codes - 2
    return out, len(rows), refusals


class _Levels(dict):
    """Return level -> code; anything else has the unknown code."""

    def __init__(self, column: Column) -> None:
        super().__init__((level, code) for code, level in enumerate(column.levels))
        self.unknown = column.codes - 1

    def __missing__(self, level: str) -> int:
        return self.unknown


def _missing(columns: Sequence[Column], rows: int) -> list[np.ndarray]:
    return [
        np.full(rows, np.nan) if column.kind == "number" else np.full(rows, column.codes - 2, np.int32)
        for column in columns
    ]


def _fill(
    out: list[np.ndarray],
    index: int,
    row: Any,
    columns: Sequence[Column],
    places: dict[str, int],
    finders: list[_Levels],
    ignored: Collection[str],
) -> RowRefused | None:
    """Put the row's values in their places; return the first refusal, if any."""
    if isinstance(row, _Pairs):
        names = [name for name, _ in row]
        twice = next(name for name in names if names.count(name) > 1)
        return RowRefused(index, twice, "must be given once")
    if isinstance(row, NoRow):
        return RowRefused(index, None, str(row))
    if not isinstance(row, dict):
        return RowRefused(index, None, f"must be an object of column names to values, not {_shown(row)}")
    for name, value in row.items():
        if name not in places:
            if name in ignored:
                continue
            return RowRefused(index, name, f"must be a column of the model, one of {', '.join(map(repr, places))}")
        place = places[name]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        kept = _kept(columns[place].kind, value, finders[place])
        if kept is None:
            return RowRefused(index, name, f"must be {_ALLOWED[columns[place].kind]}, not {_shown(value)}")
        out[place][index] = kept
    return None


def _kept(kind: str, value: Any, levels: _Levels) -> float | None:
    """Return the value as the plan takes it, or None if it is of another kind."""
    if kind == "category":
        return levels[value] if isinstance(value, str) and not isinstance(value, TooLarge) else None
    if kind == "boolean":
        return int(value) if isinstance(value, (bool, np.bool_)) else None
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, TooLarge) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def csv_rows(
    columns: Sequence[Column], body: bytes, *, ignored: Collection[str] = (), header: bool = False
) -> list[Any]:
    """Return comma-separated rows in the order of the columns, or under a header in any order; an empty cell is
    missing.
    """
    try:
        lines = [
            line for line in csv.reader(io.StringIO(bytes(body).decode("utf-8-sig"), newline=""), strict=True) if line
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BodyRefused(f"the body is not CSV: {error}") from error
    kinds = {column.name: column.kind for column in columns}
    names = lines.pop(0) if header and lines else list(kinds)
    strangers = [name for name in names if name not in kinds and name not in ignored]
    if strangers or len(set(names)) != len(names):
        raise BodyRefused(f"the header names {strangers or names}: must name each of {list(kinds)} once")
    return [_csv_row(kinds, names, cells) for cells in lines]


def _csv_row(kinds: dict[str, str], names: list[str], cells: list[str]) -> dict[str, Any] | NoRow:
    if len(cells) != len(names):
        return NoRow(f"cells = {len(cells)}: must be {len(names)}")
    return {name: _cell(kinds[name], text) for name, text in zip(names, cells, strict=True) if name in kinds}


def _cell(kind: str, text: str) -> Any:
    """Read a cell; text that is not of the column's kind is kept, to be refused."""
    if text == "":
        return None
    if kind == "boolean" and text.lower() in TRUE + FALSE:
        return text.lower() in TRUE
    if kind == "number" and text.isascii() and DECIMAL.fullmatch(text):
        return _number(text)
    return text


def from_arrow(
    columns: Sequence[Column], batch: pa.RecordBatch | pa.Table
) -> tuple[list[np.ndarray], int, list[RowRefused]]:
    """Return the columns of a RecordBatch or Table; a column that it lacks is missing in every row, one that the plan
    lacks is not read.
    """
    out = _missing(columns, batch.num_rows)
    for place, column in enumerate(columns):
        if column.name in batch.schema.names:
            out[place] = _arrow_column(column, batch.column(batch.schema.get_field_index(column.name)))
    return out, batch.num_rows, []


def _arrow_column(column: Column, values: Any) -> np.ndarray:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    missing, type_ = column.codes - 2, values.type
    if pa.types.is_null(type_):
        return _missing([column], len(values))[0]
    if column.kind == "number" and (pa.types.is_integer(type_) or pa.types.is_floating(type_)):
        return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
    if column.kind == "boolean" and pa.types.is_boolean(type_):
        return pc.fill_null(values.cast(pa.int32()), missing).to_numpy(zero_copy_only=False)
    if column.kind == "category" and (pa.types.is_string(type_) or pa.types.is_large_string(type_)):
        codes = pc.fill_null(pc.index_in(values, pa.array(column.levels, type_)), column.codes - 1)
        return pc.if_else(pc.is_null(values), missing, codes).to_numpy(zero_copy_only=False).astype(np.int32)
    raise BodyRefused(f"column {column.name!r} is {type_}: must be {_ARROW[column.kind]}")


_ARROW = {
    "number": "integers and floats",
    "boolean": "bool",
    "category": "string, large_string, or a dictionary of them",
}
