"""The values of one column of a block in the contract's Arrow type, as far as Arrow reads them for sure.

A reader returns (values, which of them are read or null); the domain judges the others one by one.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.schema import Column
from domain.contract.text import FALSE, TRUE
from domain.contract.values import LARGEST_INTEGER
from model_code.light import without_pandas

with without_pandas():
    pa.scalar(0)  # pyarrow looks for pandas at its first value, and never again

TIMESTAMP = pa.timestamp("us", "UTC")
FIRST, LAST = (pa.scalar(limit.replace(tzinfo=UTC), TIMESTAMP) for limit in (datetime.min, datetime.max))  # Python's
ARROW_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": TIMESTAMP,
}

Read = tuple[pa.Array, pa.Array]
Reader = Callable[[pa.Array], Read]


def reader_of(column: Column, *, is_text: bool) -> Reader:
    """Return the reader of the column's values; where its numbers have a notation, the domain reads them all."""
    if column.has_notation and is_text:
        return lambda array: _nothing(array, ARROW_TYPES[column.type])
    return (_OF_TEXT if is_text else _OF_VALUES)[column.type]


# ---- values that have a type already


def _read_string(array: pa.Array) -> Read:
    return (array, _everything(array)) if pa.types.is_string(array.type) else _nothing(array, pa.string())


def _read_integer(array: pa.Array) -> Read:
    if not _is_number(array):
        return _nothing(array, pa.int64())
    fits = pc.less_equal(array, pa.scalar(LARGEST_INTEGER, array.type))
    if array.type != pa.uint64():
        fits = pc.and_(fits, pc.greater_equal(array, -LARGEST_INTEGER))
    if pa.types.is_floating(array.type):
        fits = pc.and_(fits, pc.equal(pc.floor(array), array))
    fits = pc.fill_null(fits, True)
    return pc.cast(_only(array, fits), pa.int64()), fits


def _read_float(array: pa.Array) -> Read:
    if not _is_number(array):
        return _nothing(array, pa.float64())
    kept = pc.cast(array, pa.float64(), safe=False)
    finite = pc.fill_null(pc.is_finite(kept), True)
    return _only(kept, finite), finite


def _read_boolean(array: pa.Array) -> Read:
    return (array, _everything(array)) if pa.types.is_boolean(array.type) else _nothing(array, pa.bool_())


def _read_timestamp(array: pa.Array) -> Read:
    if pa.types.is_string(array.type):
        return _text_to_timestamp(array)
    if not pa.types.is_timestamp(array.type):
        return _nothing(array, TIMESTAMP)
    fits = pc.fill_null(pc.and_(pc.greater_equal(array, FIRST), pc.less_equal(array, LAST)), True)
    return _only(array, fits), fits


def _is_number(array: pa.Array) -> bool:
    return pa.types.is_integer(array.type) or pa.types.is_floating(array.type)


def _everything(array: pa.Array) -> pa.Array:
    return pa.array(np.ones(len(array), dtype=bool))


def _nothing(array: pa.Array, kind: pa.DataType) -> Read:
    """Read only nulls: no value is of the column's type."""
    return pa.nulls(len(array), kind), array.is_null()


def _only(array: pa.Array, chosen: pa.Array) -> pa.Array:
    return pc.if_else(chosen, array, pa.scalar(None, array.type))


# ---- cells of a text file: each pattern matches a part of what `domain.contract.text` reads, the rest is left to it

_WHOLE = r"^-?\d{1,15}$"
_ZERO_FRACTION = r"^\+|\.0*$"
_DECIMAL = r"^-?\d{1,17}(\.\d{1,20})?([eE][+-]?\d{1,2})?$"
_ISO_TIMESTAMP = r"^[1-9]\d{3}-\d\d-\d\d([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?Z?)?$"


def _text_to_integer(array: pa.Array) -> Read:
    whole = _matches(array, _WHOLE)
    if not pc.all(whole).as_py():
        array = pc.replace_substring_regex(array, _ZERO_FRACTION, "")  # 5.0, as pandas writes integers beside nulls
        whole = _matches(array, _WHOLE)
    return pc.cast(_only(array, whole), pa.int64()), whole


def _text_to_float(array: pa.Array) -> Read:
    decimal = _matches(array, _DECIMAL)
    return pc.cast(_only(array, decimal), pa.float64()), decimal


def _text_to_boolean(array: pa.Array) -> Read:
    lower = pc.ascii_lower(array)
    known = pc.fill_null(pc.if_else(pc.is_valid(lower), pc.is_in(lower, pa.array(TRUE + FALSE)), True), True)
    return _only(pc.if_else(pc.is_valid(lower), pc.is_in(lower, pa.array(TRUE)), None), known), known


def _text_to_timestamp(array: pa.Array) -> Read:
    plain = _matches(array, _ISO_TIMESTAMP)
    text = pc.replace_substring_regex(_only(array, plain), "Z$", "")
    try:
        timestamps = pc.cast(text, pa.timestamp("us"))
    except pa.ArrowInvalid:  # such as the 30th of February: the domain looks at every value
        return _nothing(array, TIMESTAMP)
    return timestamps.cast(TIMESTAMP), plain


def _matches(array: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(array, pattern), True)


_OF_VALUES: dict[str, Reader] = {
    "string": _read_string,
    "integer": _read_integer,
    "float": _read_float,
    "boolean": _read_boolean,
    "timestamp": _read_timestamp,
}
_OF_TEXT: dict[str, Reader] = {
    "string": _read_string,
    "integer": _text_to_integer,
    "float": _text_to_float,
    "boolean": _text_to_boolean,
    "timestamp": _text_to_timestamp,
}
