"""One column of a block against its contract: Arrow proves most values right, the domain judges each other distinct
one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.schema import Column
from domain.contract.text import SPACES, from_text
from domain.contract.values import Problem, check_value
from domain.timestamps import parse_timestamp
from model_code.rows.column_limits import is_plainly_right, within_limits
from model_code.rows.column_values import ARROW_TYPES, reader_of

Faults = list[tuple[int, list[Problem]]]  # row of the block, and the problems of its value

_FIRST_BYTES = np.frombuffer(b" \t\xc2", np.uint8)  # of a space, or of a no-break space
_LAST_BYTES = np.frombuffer(b" \t\xa0", np.uint8)
_SAMPLE = 1024
_PYTHON_TYPES: dict[str, tuple[set[type], pa.DataType]] = {
    "string": ({str}, pa.string()),
    "timestamp": ({str}, pa.string()),
    "boolean": ({bool}, pa.bool_()),
    "integer": ({int}, pa.int64()),
    "float": ({float, int}, pa.float64()),
}


def judge(column: Column, values: pa.Array | list[Any], *, is_text: bool) -> tuple[pa.Array, Faults]:
    """Return the column in the contract's Arrow type, null where a value has problems, and the problems by row.

    `is_text`: the values are cells of a text file, which `from_text` reads.
    """
    array = values if isinstance(values, pa.Array) else _as_array(column, values)
    if array is None:
        return _settled(column, [check_value(column, value) for value in values])
    array = _without_markers(column, _without_spaces(array) if is_text else array)
    if pa.types.is_dictionary(array.type):
        return _judge_coded(column, array, is_text=is_text)
    if is_text and _repeats(array):
        kept, faults = _judge_coded(column, array.dictionary_encode(), is_text=True)
        return kept.dictionary_decode(), faults
    if not is_text and is_plainly_right(column, array):
        return array, []
    return _judge_each(column, _without_nan(array), is_text=is_text)


def _judge_each(column: Column, array: pa.Array, *, is_text: bool) -> tuple[pa.Array, Faults]:
    kept, is_read = reader_of(column, is_text=is_text)(array)
    proven = pc.and_(is_read, pc.fill_null(within_limits(column, kept), column.nullable))
    doubtful = np.flatnonzero(~proven.to_numpy(zero_copy_only=False))
    if not len(doubtful):
        return kept, []
    distinct = _as_row_values(column, array.take(pa.array(doubtful))).dictionary_encode(null_encoding="encode")
    values = distinct.dictionary.to_pylist()
    judged, problems = _settled(column, [check_value(column, from_text(column, v) if is_text else v) for v in values])
    codes = distinct.indices
    mask = np.zeros(len(array), dtype=bool)
    mask[doubtful] = True
    kept = pc.replace_with_mask(kept, pa.array(mask), judged.take(codes))
    of_code = dict(problems)
    rows = zip(doubtful.tolist(), codes.to_pylist(), strict=True)
    return kept, [(row, of_code[code]) for row, code in rows if code in of_code]


def _repeats(array: pa.Array) -> bool:
    """Whether each of a column's first cells is there twice on average: to read each text once then costs half."""
    first = array.slice(0, _SAMPLE)
    return len(array) > _SAMPLE and 2 * pc.count_distinct(first).as_py() <= _SAMPLE


def _judge_coded(column: Column, array: pa.DictionaryArray, *, is_text: bool) -> tuple[pa.Array, Faults]:
    """Check each distinct value once, and null if the column has any."""
    texts, faults = judge(column, array.dictionary, is_text=is_text)
    problems, codes = dict(faults), array.indices
    _, of_null = check_value(column, None)
    if problems or (of_null and codes.null_count):
        of_row = (of_null if code is None else problems.get(code) for code in codes.to_pylist())
        faults = [(row, why) for row, why in enumerate(of_row) if why]
    kept = pa.DictionaryArray.from_arrays(codes, texts, safe=False)  # the codes are Arrow's own
    if texts.null_count:  # a row is null by its code, not by the text of its code
        kept = kept.dictionary_decode().dictionary_encode()
    return kept, faults


def _without_spaces(array: pa.Array) -> pa.Array:
    """Trim the spaces around each cell, which mean nothing; an empty cell becomes null."""
    if pa.types.is_dictionary(array.type):
        texts = _without_spaces(array.dictionary)
        if texts is array.dictionary:
            return array
        return pa.DictionaryArray.from_arrays(array.indices, texts).dictionary_decode()
    if not pa.types.is_string(array.type) or not _has_spaces_around(array):
        return array
    trimmed = pc.utf8_trim(array, SPACES)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _has_spaces_around(array: pa.StringArray) -> bool:
    """Whether some cell may begin or end in a space: two bytes of each are looked at."""
    _, offsets, text = array.buffers()
    if text is None or not text.size:
        return False
    places = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    letters = np.frombuffer(text, np.uint8)
    filled = places[1:] > places[:-1]
    first, last = letters[places[:-1][filled]], letters[places[1:][filled] - 1]
    return bool(np.isin(first, _FIRST_BYTES).any() or np.isin(last, _LAST_BYTES).any())


def _without_markers(column: Column, array: pa.Array) -> pa.Array:
    """Put null for the texts that mean it and for a blank key; write ids that are whole numbers as their digits."""
    if pa.types.is_integer(array.type) and column.type == "string" and column.role == "key":
        return pc.cast(array, pa.string())
    if not pa.types.is_string(array.type) or not (column.missing or column.role == "key"):
        return array
    is_null = pc.is_in(array, pa.array(column.missing, pa.string()))
    if column.role == "key":
        is_null = pc.or_(is_null, pc.fill_null(pc.equal(pc.utf8_trim(array, SPACES), ""), False))
    return pc.if_else(is_null, pa.scalar(None, pa.string()), array) if pc.any(is_null).as_py() else array


def _settled(column: Column, verdicts: Sequence[tuple[Any, list[Problem]]]) -> tuple[pa.Array, Faults]:
    """Return what `check_value` found for each value as an array and a list of problems."""
    kept = [None if problems else value for value, problems in verdicts]
    if column.type == "timestamp":
        kept = [value and parse_timestamp(value) for value in kept]
    faults = [(index, problems) for index, (_, problems) in enumerate(verdicts) if problems]
    return pa.array(kept, ARROW_TYPES[column.type]), faults


def _as_array(column: Column, values: list[Any]) -> pa.Array | None:
    """Return decoded JSON values as Arrow, or None if they are not all of the column's own type."""
    allowed, kind = _PYTHON_TYPES[column.type]
    if not set(map(type, values)) <= allowed | {type(None)}:
        return None
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):  # beyond int64 or float64, or half a surrogate pair
        return None


def _as_row_values(column: Column, array: pa.Array) -> pa.Array:
    """Return the values as a row holds them: in a timestamp column, timestamps are text."""
    return pc.cast(array, pa.string()) if column.type == "timestamp" and pa.types.is_timestamp(array.type) else array


def _without_nan(array: pa.Array) -> pa.Array:
    """Put null for NaN, as `check_value` does."""
    if pa.types.is_floating(array.type):
        return pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    return array
