"""What a contract allows of each feature, as the kernel can hold a body to it while reading.

`domain/contract/values.py` is the rule: the kernel only tells a request without fault from one that may have any.
"""

import math

from domain.contract.schema import Column, Contract
from model_code.rows.features import kind_of


def limits_of(contract: Contract) -> list[tuple]:
    """[(nullable, whole, minimum, maximum, allowed texts or None)] in the order of the features."""
    return [limit(column) for column in contract.features]


def limit(column: Column) -> tuple:
    kind = kind_of(column)
    if column.type == "timestamp" or (kind == "category" and column.type != "string"):
        # JSON has these in another type than the model, so any value is for the contract to convert
        return (column.nullable, False, math.inf, -math.inf, ())
    minimum = -math.inf if column.minimum is None else -at_most(-column.minimum)
    maximum = math.inf if column.maximum is None else at_most(column.maximum)
    return (column.nullable, column.type == "integer", minimum, maximum, column.categories)


def at_most(limit: float) -> float:
    """The largest float64 that is not above the limit: a whole number may lie between two of them."""
    nearest = float(limit)
    return math.nextafter(nearest, -math.inf) if nearest > limit else nearest
