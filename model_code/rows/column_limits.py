"""The contract's limits on the values of one column: what Arrow and numpy can prove about a whole block."""

import sys

import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.schema import Column
from domain.contract.values import LARGEST_INTEGER, LONGEST_TEXT
from model_code.rows.column_values import ARROW_TYPES


def is_plainly_right(column: Column, array: pa.Array) -> bool:
    """Whether texts are all short enough, or numbers all within the limits, by looking at their extremes alone."""
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
    # numpy's take a sixth of the time of Arrow's; as Python numbers they compare exactly, and NaN is within no limits
    least, greatest = values.min().item(), values.max().item()
    widest = LARGEST_INTEGER if column.type == "integer" else sys.float_info.max
    low = -widest if column.minimum is None else max(column.minimum, -widest)
    high = widest if column.maximum is None else min(column.maximum, widest)
    return low <= least and greatest <= high


def within_limits(column: Column, kept: pa.Array) -> pa.Array:
    """Return true for each value that is proven to keep all limits, false for one that may not, null for null."""
    checks = [pc.is_valid(kept)]
    if column.type == "string":
        checks.append(pc.less_equal(pc.utf8_length(kept), LONGEST_TEXT))
    if column.minimum is not None:
        checks.append(pc.greater_equal(kept, _limit_of(kept, column.minimum)))
    if column.maximum is not None:
        checks.append(pc.less_equal(kept, _limit_of(kept, column.maximum)))
    if column.categories is not None:
        checks.append(pc.is_in(kept, _categories_of(column, kept)))
    proven = checks[0]
    for check in checks[1:]:
        proven = pc.and_(proven, check)
    return pc.if_else(checks[0], pc.fill_null(proven, False), None)


def _limit_of(kept: pa.Array, limit: float) -> pa.Scalar:
    """Return the limit for a comparison in float64; null, which proves nothing, where float64 cannot hold it."""
    exact = abs(limit) <= LARGEST_INTEGER or isinstance(limit, float)
    return pa.scalar(float(limit) if exact else None, pa.float64())


def _categories_of(column: Column, kept: pa.Array) -> pa.Array:
    listed = column.categories or ()
    return pa.array([item for item in listed if column.type != "integer" or _is_exact(item)], kept.type)


def _is_exact(item: str | int) -> bool:
    return isinstance(item, str) or abs(item) <= LARGEST_INTEGER
