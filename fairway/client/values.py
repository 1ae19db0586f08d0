"""Values of Python, numpy and pandas as JSON; values that JSON cannot hold are refused with the name of their column.

Neither numpy nor pandas is imported: their values are recognised by the names of their types.
"""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from fairway.client.errors import Refused

Row = Mapping[str, Any]
MISSING = ("NAType", "NaTType")  # pandas.NA and pandas.NaT


def as_body(rows: Row | Sequence[Row]) -> bytes:
    """Return the body of a request: one row as an object, several as a list. Missing values of any kind become null."""
    one = isinstance(rows, Mapping)
    plain = [_row(row, None if one else number) for number, row in enumerate([rows] if one else rows)]
    return json.dumps(plain[0] if one else plain, ensure_ascii=False, allow_nan=False).encode()


def checked_text(name: str, text: Any, *, header: bool = False) -> str:
    """Return text for a URL or a header. Refused if they cannot hold it."""
    if not isinstance(text, str) or not text:
        raise Refused("value", f"{name} = {_shown(text)}: must be text of at least one character")
    if header and not (len(text) <= 255 and text.isascii() and text.isprintable()):
        raise Refused("value", f"{name} = {_shown(text)}: must be 1 to 255 printable ASCII characters, as a header is")
    return _unicode(name, text)


def _row(row: Any, number: int | None) -> dict[str, Any]:
    where = "" if number is None else f"row {number}: "
    if not isinstance(row, Mapping):
        raise Refused("value", f"{where}{_shown(row)}: must be an object of column names to values, such as a dict")
    return {_unicode(f"{where}a column's name", _name(where, name)): _value(where, name, row[name]) for name in row}


def _name(where: str, name: Any) -> str:
    if not isinstance(name, str):
        raise Refused("value", f"{where}a column's name = {_shown(name)}: must be text")
    return name


def _value(where: str, name: str, value: Any) -> Any:
    what = f"{where}{name}"
    if value is None or isinstance(value, bool):
        return value
    if type(value).__name__ in MISSING:
        return None
    if isinstance(value, str):
        return _unicode(what, str(value))
    if isinstance(value, (date, time)):  # datetime and pandas.Timestamp are dates
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (int, float, Decimal)):
        return _number(what, value)
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        return _of_numpy(where, name, value)
    if isinstance(value, (list, dict)):
        return _nested(what, value)
    raise Refused(
        "value",
        f"{what} = {_shown(value)} ({type(value).__name__}): must be a number, text, boolean, timestamp or None",
    )


def _number(what: str, value: int | float | Decimal) -> int | float | None:
    if isinstance(value, int):
        return int(value)
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise Refused("value", f"{what} = {value}: must be finite; JSON has no infinity")
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else float(value)


def _of_numpy(where: str, name: str, value: Any) -> Any:
    """Return a numpy scalar as Python's own; a datetime64 through microseconds, as nanoseconds would be a number."""
    if value.dtype.kind == "M":
        return None if value != value else _value(where, name, value.astype("datetime64[us]").item())
    return _value(where, name, value.item())


def _nested(what: str, value: Any) -> Any:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise Refused("value", f"{what} = {_shown(value)}: must be what JSON can hold; {error}") from None
    return value


def _unicode(what: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(
            "value", f"{what} = {_shown(text)}: must be text that UTF-8 can hold; it has a half pair"
        ) from None
    return text


def _shown(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 80 else f"{shown[:80]}..."
