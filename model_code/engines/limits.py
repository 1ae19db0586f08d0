"""A contract's limits for each feature, in the form in which the kernel checks a body while it reads it.

`domain/contract/values.py` is the rule: the kernel only separates requests without faults from the rest.
"""

import math

from domain.contract.schema import Column, Contract
from model_code.engines.engine import Limit
from model_code.rows.features import kind_of


def limits_of(contract: Contract) -> list[Limit]:
    """Return (nullable, whole, minimum, maximum, allowed texts or None) of each feature, in their order."""
    return [_limit(column) for column in contract.features]


def _limit(column: Column) -> Limit:
    kind = kind_of(column)
    is_text = column.type == "string"
    if column.type == "timestamp" or column.has_notation or (kind == "category" and not is_text):
        # Any value is for the contract to convert: JSON has it in another type than the model, or a text is a number.
        return (column.nullable, False, math.inf, -math.inf, ())
    minimum = -math.inf if column.minimum is None else -_at_most(-column.minimum)
    maximum = math.inf if column.maximum is None else _at_most(column.maximum)
    # Among free texts some may mean null, and the kernel knows listed ones only.
    free = () if is_text and column.missing else None
    allowed = free if column.categories is None else tuple(map(str, column.categories))
    return (column.nullable, column.type == "integer", minimum, maximum, allowed)


def _at_most(limit: float) -> float:
    """Return the largest float64 that is not above the limit: a whole number may lie between two of them."""
    nearest = float(limit)
    return math.nextafter(nearest, -math.inf) if nearest > limit else nearest
