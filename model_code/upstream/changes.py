"""Changes that a source makes to a column without asking, each made on purpose to see what it would cost.

A change takes the checked values of a block and gives as many of the same type; it returns None where it makes no sense
for the column, such as another unit for a text.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Values: TypeAlias = pa.Array
Make: TypeAlias = Callable[[Values, np.random.Generator], Values | None]
_HOUR_US = 3_600_000_000
_TENTH = 0.1


class Change(NamedTuple):
    """A change of one column; `together`: several columns of a source can suffer it at once."""

    name: str
    make: Make
    together: bool = False


def _missing(values: Values, _: np.random.Generator) -> Values:
    return pa.nulls(len(values), values.type)


def _missing_in_a_tenth(values: Values, random: np.random.Generator) -> Values:
    return pc.if_else(pa.array(random.random(len(values)) < _TENTH), pa.scalar(None, values.type), values)


def _permuted(values: Values, random: np.random.Generator) -> Values:
    return values.take(pa.array(random.permutation(len(values))))


def _stale(values: Values, _: np.random.Generator) -> Values:
    """Repeat the first value, as a feed does that has stopped."""
    return values.take(pa.array(np.zeros(len(values), dtype=np.int64)))


def scaled(by: float, less: float = 0.0) -> Make:
    """Return a change to `(value - less) * by`; of whole numbers to the nearest."""

    def make(values: Values, _: np.random.Generator) -> Values | None:
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            return None
        scaled = pc.multiply(pc.subtract(pc.cast(values, pa.float64()), less), by)
        return pc.cast(pc.round(scaled) if pa.types.is_integer(values.type) else scaled, values.type)

    return make


def _other_case(values: Values, _: np.random.Generator) -> Values | None:
    if not pa.types.is_string(values.type):
        return None
    return pc.if_else(pc.equal(pc.utf8_upper(values), values), pc.utf8_lower(values), pc.utf8_upper(values))


def _renamed(values: Values, _: np.random.Generator) -> Values | None:
    """Give the most frequent text another name."""
    if not pa.types.is_string(values.type) or values.null_count == len(values):
        return None
    top = pc.mode(values.dictionary_encode().indices)[0].as_py()["mode"]
    most_frequent = values.dictionary_encode().dictionary[top]
    return pc.if_else(pc.equal(values, most_frequent), pa.scalar(f"{most_frequent.as_py()} (new)"), values)


def _new_in_a_tenth(values: Values, random: np.random.Generator) -> Values | None:
    if not pa.types.is_string(values.type):
        return None
    return pc.if_else(pa.array(random.random(len(values)) < _TENTH), pa.scalar("a new value"), values)


def _inverted(values: Values, _: np.random.Generator) -> Values | None:
    return pc.invert(values) if pa.types.is_boolean(values.type) else None


def _an_hour_later(values: Values, _: np.random.Generator) -> Values | None:
    if not pa.types.is_timestamp(values.type):
        return None
    return pc.add(values, pa.scalar(_HOUR_US, pa.duration("us")).cast(pa.duration(values.type.unit)))


CHANGES = (
    Change("missing", _missing, together=True),
    Change("missing in a tenth of the rows", _missing_in_a_tenth),
    Change("stale: the same value in every row", _stale, together=True),
    Change("of another row", _permuted, together=True),
    Change("1,000 times as large", scaled(1000.0)),
    Change("1 % larger", scaled(1.01)),
    Change("Celsius for Fahrenheit", scaled(5 / 9, less=32.0)),
    Change("in the other case", _other_case),
    Change("the most frequent value renamed", _renamed),
    Change("a new value in a tenth of the rows", _new_in_a_tenth),
    Change("true for false", _inverted),
    Change("an hour later", _an_hour_later),
)


def changed(rows: pa.RecordBatch, names: list[str], change: Change, *, seed: int) -> pa.RecordBatch | None:
    """Return the rows with these columns changed, the same ones for the same seed; None where no column can be."""
    random = np.random.default_rng(seed)
    made = {name: change.make(_plain(rows.column(name)), random) for name in names}
    if not any(values is not None for values in made.values()):
        return None
    columns = {name: rows.column(name) if made.get(name) is None else made[name] for name in rows.schema.names}
    return pa.RecordBatch.from_pydict(columns)


def _plain(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
