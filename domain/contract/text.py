"""Read values from text: cells of CSV files, texts that mean null, number formats."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the contract itself is checked with this module
    from domain.contract.schema import Column

SPACES = " \t\u00a0"  # ignored around a cell of CSV
WHOLE = re.compile(r"[+-]?\d{1,17}(\.0*)?")
DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
TRUE, FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")
NUMERIC = ("integer", "float")


def from_text(column: "Column", text: str | None) -> object:
    """Return the value of a cell in a text file (CSV).

    Text that does not fit is returned unchanged, for `check_value` to refuse.
    """
    text = text.strip(SPACES) if text else None
    if not text:
        return None
    return text if column.has_notation else _plain_value(column, text)


def _plain_value(column: "Column", text: str) -> object:
    if column.type == "integer" and WHOLE.fullmatch(text) and text.isascii():
        return int(text.partition(".")[0])
    if column.type == "float" and DECIMAL.fullmatch(text) and text.isascii():
        return float(text)
    if column.type == "boolean" and text.lower() in TRUE + FALSE:
        return text.lower() in TRUE
    return text


def read_written(column: "Column", value: object) -> object:
    """Return the value of a text in a column with null markers or a number format; anything else unchanged.

    A key of spaces only is null too: it names no entity.
    """
    if not isinstance(value, str):
        return value
    if value in column.missing or (column.role == "key" and not value.strip(SPACES)):
        return None
    if not column.has_notation:
        return value
    plain = _in_digits(value.strip(SPACES), column.unit, column.thousands, column.decimal or ".")
    return value if plain is None else _plain_value(column, plain)


def _in_digits(text: str, unit: str, thousands: str, decimal: str) -> str | None:
    """Rewrite a number in this format as a plain decimal: ($1,234.50) as -1234.50. None if it is not one."""
    match = _notation(unit, thousands, decimal).fullmatch(text)
    if not match or not (match["whole"] or match["fraction"]):
        return None
    signs = (match["before"] or "") + (match["after"] or "")
    if bool(match["open"]) != bool(match["close"]) or len(signs) + bool(match["open"]) > 1:
        return None
    whole = re.sub("[^0-9]", "", match["whole"]) or "0"
    return f"{'-' if match['open'] else signs}{whole}.{match['fraction'] or '0'}{match['exponent'] or ''}"


@lru_cache(maxsize=256)
def _notation(unit: str, thousands: str, decimal: str) -> re.Pattern[str]:
    between = "[ \u00a0\u202f]" if thousands == " " else re.escape(thousands)
    grouped = f"[0-9]{{1,3}}(?:{between}[0-9]{{2,3}})*{between}[0-9]{{3}}|" if thousands else ""
    named = f"(?:{re.escape(unit)})?" if unit else ""
    space = "[ \u00a0\u202f]?" if unit else ""
    return re.compile(
        rf"(?P<open>\()?(?P<before>[+-])?{named}{space}(?P<after>[+-])?(?P<whole>{grouped}[0-9]*)"
        rf"(?:{re.escape(decimal)}(?P<fraction>[0-9]*))?(?P<exponent>[eE][+-]?[0-9]{{1,4}})?{space}{named}(?P<close>\))?"
    )
