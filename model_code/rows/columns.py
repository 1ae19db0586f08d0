"""One column of a block against its contract: Arrow proves what is plainly right, the domain judges every other
distinct value.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.schema import Column
from domain.contract.text import FALSE, SPACES, TRUE, from_text
from domain.contract.values import LARGEST_INTEGER, LONGEST_TEXT, Problem, check_value
from domain.timestamps import parse_timestamp

TIMESTAMP = pa.timestamp("us", "UTC")
FIRST, LAST = (
    pa.scalar(moment.replace(tzinfo=UTC), TIMESTAMP) for moment in (datetime.min, datetime.max)
)  # of Python's
ARROW_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": TIMESTAMP,
}

Found = list[tuple[int, list[Problem]]]  # row of the block, what is wrong with its value


def judge(column: Column, values: pa.Array | list, *, is_text: bool) -> tuple[pa.Array, Found]:
    """The column in the contract's Arrow type, and the problems of the rows that have any (their value there is null).

    `is_text`: the values are cells of a text file, which `from_text` reads.
    """
    array = values if isinstance(values, pa.Array) else as_array(column, values)
    if array is None:
        return settled(column, [check_value(column, value) for value in values])
    array = _without_markers(column, without_spaces(array) if is_text else array)
    if pa.types.is_dictionary(array.type):
        return judge_coded(column, array, is_text=is_text)
    if is_text and repeats(array):
        kept, found = judge_coded(column, array.dictionary_encode(), is_text=True)
        return kept.dictionary_decode(), found
    if not is_text and is_plainly_right(column, array):
        return array, []
    array = without_nan(array)
    kept, is_read = _reader(column, is_text=is_text)(array)
    proven = pc.and_(is_read, pc.fill_null(within_limits(column, kept), column.nullable))
    doubtful = np.flatnonzero(~proven.to_numpy(zero_copy_only=False))
    if not len(doubtful):
        return kept, []
    distinct = as_row_values(column, array.take(pa.array(doubtful))).dictionary_encode(null_encoding="encode")
    values = distinct.dictionary.to_pylist()
    fine, problems = settled(column, [check_value(column, from_text(column, v) if is_text else v) for v in values])
    codes = distinct.indices
    mask = np.zeros(len(array), dtype=bool)
    mask[doubtful] = True
    kept = pc.replace_with_mask(kept, pa.array(mask), fine.take(codes))
    of_code = dict(problems)
    rows = zip(doubtful.tolist(), codes.to_pylist(), strict=True)
    return kept, [(row, of_code[code]) for row, code in rows if code in of_code]


def repeats(array: pa.Array) -> bool:
    """Whether a column's first cells are there twice on average: to read each text once then costs half."""
    first = array.slice(0, SAMPLE)
    return len(array) > SAMPLE and 2 * pc.count_distinct(first).as_py() <= SAMPLE


def judge_coded(column: Column, array: pa.DictionaryArray, *, is_text: bool) -> tuple[pa.Array, Found]:
    """Each text once, and the nothing between them."""
    texts, found = judge(column, array.dictionary, is_text=is_text)
    problems, codes = dict(found), array.indices
    _, of_nothing = check_value(column, None)
    if problems or (of_nothing and codes.null_count):
        of_row = (of_nothing if code is None else problems.get(code) for code in codes.to_pylist())
        found = [(row, why) for row, why in enumerate(of_row) if why]
    kept = pa.DictionaryArray.from_arrays(codes, texts, safe=False)  # the codes are Arrow's own
    if texts.null_count:  # a row is null by its code, not by the text of its code
        kept = kept.dictionary_decode().dictionary_encode()
    return kept, found


def without_spaces(array: pa.Array) -> pa.Array:
    """Cells without the spaces around them, which mean nothing; an empty cell is null."""
    if pa.types.is_dictionary(array.type):
        texts = without_spaces(array.dictionary)
        if texts is array.dictionary:
            return array
        return pa.DictionaryArray.from_arrays(array.indices, texts).dictionary_decode()
    if not pa.types.is_string(array.type) or not _has_spaces_around(array):
        return array
    trimmed = pc.utf8_trim(array, SPACES)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


FIRST_BYTES = np.frombuffer(b" \t\xc2", np.uint8)  # of a space, or of a no-break space
LAST_BYTES = np.frombuffer(b" \t\xa0", np.uint8)


def _has_spaces_around(array: pa.StringArray) -> bool:
    """Whether some cell may begin or end in a space: two bytes of each are looked at."""
    _, offsets, text = array.buffers()
    if text is None or not text.size:
        return False
    places = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    letters = np.frombuffer(text, np.uint8)
    filled = places[1:] > places[:-1]
    first, last = letters[places[:-1][filled]], letters[places[1:][filled] - 1]
    return bool(np.isin(first, FIRST_BYTES).any() or np.isin(last, LAST_BYTES).any())


def _without_markers(column: Column, array: pa.Array) -> pa.Array:
    """Null for the texts that mean it, and for a blank key; ids that a file has as whole numbers become their
    digits.
    """
    if pa.types.is_integer(array.type) and column.type == "string" and column.role == "key":
        return pc.cast(array, pa.string())
    if not pa.types.is_string(array.type) or not (column.missing or column.role == "key"):
        return array
    is_null = pc.is_in(array, pa.array(column.missing, pa.string()))
    if column.role == "key":
        is_null = pc.or_(is_null, pc.fill_null(pc.equal(pc.utf8_trim(array, SPACES), ""), False))
    return pc.if_else(is_null, pa.scalar(None, pa.string()), array) if pc.any(is_null).as_py() else array


def _reader(column: Column, *, is_text: bool) -> Callable:
    """What proves the plain values of a column; a notation of numbers is left to the domain."""
    if column.has_notation and is_text:
        return lambda array: nothing(array, ARROW_TYPES[column.type])
    return (READ_TEXT if is_text else READ)[column.type]


def settled(column: Column, verdicts: list) -> tuple[pa.Array, Found]:
    """What check_value said of each value, as an array and a list of problems."""
    kept = [None if problems else value for value, problems in verdicts]
    if column.type == "timestamp":
        kept = [value and parse_timestamp(value) for value in kept]
    found = [(index, problems) for index, (_, problems) in enumerate(verdicts) if problems]
    return pa.array(kept, ARROW_TYPES[column.type]), found


SAMPLE = 1024
PYTHON_TYPES = {
    "string": ({str}, pa.string()),
    "timestamp": ({str}, pa.string()),
    "boolean": ({bool}, pa.bool_()),
    "integer": ({int}, pa.int64()),
    "float": ({float, int}, pa.float64()),
}


def as_array(column: Column, values: list) -> pa.Array | None:
    """Decoded JSON values as Arrow, or None when they are not all of the column's own type."""
    allowed, kind = PYTHON_TYPES[column.type]
    if not set(map(type, values)) <= allowed | {type(None)}:
        return None
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):  # beyond int64 or float64, or half a surrogate pair
        return None


def as_row_values(column: Column, array: pa.Array) -> pa.Array:
    """As a row would hold them: moments are text, in a timestamp column."""
    return pc.cast(array, pa.string()) if column.type == "timestamp" and pa.types.is_timestamp(array.type) else array


def without_nan(array: pa.Array) -> pa.Array:
    """NaN is nothing, as in `check_value`."""
    if pa.types.is_floating(array.type):
        return pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    return array


# ---- limits


def is_plainly_right(column: Column, array: pa.Array) -> bool:
    """Texts the longest of which is short enough, or numbers whose least and greatest keep the limits: one or two
    values are looked at instead of all.
    """
    if array.type != ARROW_TYPES[column.type] or column.categories is not None:
        return False
    if array.null_count and not column.nullable:
        return False
    if column.type == "string":
        return (pc.max(pc.binary_length(array)).as_py() or 0) <= LONGEST_TEXT  # no text has more characters than bytes
    if column.type not in ("integer", "float"):
        return False
    values = (array.drop_null() if array.null_count else array).to_numpy()
    if not len(values):
        return True
    # numpy's, which take a sixth of Arrow's, and as Python's own, which compare exactly; NaN keeps no limit
    least, greatest = values.min().item(), values.max().item()
    widest = LARGEST_INTEGER if column.type == "integer" else sys.float_info.max
    low = -widest if column.minimum is None else max(column.minimum, -widest)
    high = widest if column.maximum is None else min(column.maximum, widest)
    return low <= least and greatest <= high


def within_limits(column: Column, kept: pa.Array) -> pa.Array:
    """Proven to keep minimum, maximum, categories and the longest text; null where there is no value."""
    checks = [pc.is_valid(kept)]
    if column.type == "string":
        checks.append(pc.less_equal(pc.utf8_length(kept), LONGEST_TEXT))
    if column.minimum is not None:
        checks.append(pc.greater_equal(kept, limit_of(kept, column.minimum)))
    if column.maximum is not None:
        checks.append(pc.less_equal(kept, limit_of(kept, column.maximum)))
    if column.categories is not None:
        checks.append(pc.is_in(kept, categories_of(column, kept)))
    proven = checks[0]
    for check in checks[1:]:
        proven = pc.and_(proven, check)
    return pc.if_else(checks[0], pc.fill_null(proven, False), None)


def limit_of(kept: pa.Array, limit: float) -> pa.Scalar:
    """The limit for a comparison in float64; null, which proves nothing, where float64 cannot hold it."""
    exact = abs(limit) <= LARGEST_INTEGER or isinstance(limit, float)
    return pa.scalar(float(limit) if exact else None, pa.float64())


def categories_of(column: Column, kept: pa.Array) -> pa.Array:
    fitting = [item for item in column.categories if column.type != "integer" or abs(item) <= LARGEST_INTEGER]
    return pa.array(fitting, kept.type)


# ---- reading values that are typed already: (values in the contract's type, which of them are right or null)


def read_string(array: pa.Array):
    return (array, everything(array)) if pa.types.is_string(array.type) else nothing(array, pa.string())


def read_integer(array: pa.Array):
    if not is_number(array):
        return nothing(array, pa.int64())
    fits = pc.less_equal(array, pa.scalar(LARGEST_INTEGER, array.type))
    if array.type != pa.uint64():
        fits = pc.and_(fits, pc.greater_equal(array, -LARGEST_INTEGER))
    if pa.types.is_floating(array.type):
        fits = pc.and_(fits, pc.equal(pc.floor(array), array))
    fits = pc.fill_null(fits, True)
    return pc.cast(only(array, fits), pa.int64()), fits


def read_float(array: pa.Array):
    if not is_number(array):
        return nothing(array, pa.float64())
    kept = pc.cast(array, pa.float64(), safe=False)
    finite = pc.fill_null(pc.is_finite(kept), True)
    return only(kept, finite), finite


def read_boolean(array: pa.Array):
    return (array, everything(array)) if pa.types.is_boolean(array.type) else nothing(array, pa.bool_())


def read_timestamp(array: pa.Array):
    if pa.types.is_string(array.type):
        return text_to_timestamp(array)
    if not pa.types.is_timestamp(array.type):
        return nothing(array, TIMESTAMP)
    fits = pc.fill_null(pc.and_(pc.greater_equal(array, FIRST), pc.less_equal(array, LAST)), True)
    return only(array, fits), fits


def is_number(array: pa.Array) -> bool:
    return pa.types.is_integer(array.type) or pa.types.is_floating(array.type)


def everything(array: pa.Array) -> pa.Array:
    return pa.array(np.ones(len(array), dtype=bool))


def nothing(array: pa.Array, kind: pa.DataType):
    """No value is of the column's type; only nulls are read."""
    return pa.nulls(len(array), kind), array.is_null()


def only(array: pa.Array, chosen: pa.Array) -> pa.Array:
    return pc.if_else(chosen, array, pa.scalar(None, array.type))


# ---- reading cells of a text file; each pattern proves a part of what `from_text` reads, the rest is left to it

WHOLE = r"^-?\d{1,15}$"
ZERO_FRACTION = r"^\+|\.0*$"
DECIMAL = r"^-?\d{1,17}(\.\d{1,20})?([eE][+-]?\d{1,2})?$"
MOMENT = r"^[1-9]\d{3}-\d\d-\d\d([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?Z?)?$"


def text_to_integer(array: pa.Array):
    whole = matches(array, WHOLE)
    if not pc.all(whole).as_py():
        array = pc.replace_substring_regex(array, ZERO_FRACTION, "")  # 5.0, as pandas writes integers beside nulls
        whole = matches(array, WHOLE)
    return pc.cast(only(array, whole), pa.int64()), whole


def text_to_float(array: pa.Array):
    decimal = matches(array, DECIMAL)
    return pc.cast(only(array, decimal), pa.float64()), decimal


def text_to_boolean(array: pa.Array):
    lower = pc.ascii_lower(array)
    known = pc.fill_null(pc.if_else(pc.is_valid(lower), pc.is_in(lower, pa.array(TRUE + FALSE)), True), True)
    return only(pc.if_else(pc.is_valid(lower), pc.is_in(lower, pa.array(TRUE)), None), known), known


def text_to_timestamp(array: pa.Array):
    plain = matches(array, MOMENT)
    text = pc.replace_substring_regex(only(array, plain), "Z$", "")
    try:
        moments = pc.cast(text, pa.timestamp("us"))
    except pa.ArrowInvalid:  # some 30th of February: the domain looks at every value
        return nothing(array, TIMESTAMP)
    return moments.cast(TIMESTAMP), plain


def matches(array: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(array, pattern), True)


READ = {
    "string": read_string,
    "integer": read_integer,
    "float": read_float,
    "boolean": read_boolean,
    "timestamp": read_timestamp,
}
READ_TEXT = {
    "string": read_string,
    "integer": text_to_integer,
    "float": text_to_float,
    "boolean": text_to_boolean,
    "timestamp": text_to_timestamp,
}
