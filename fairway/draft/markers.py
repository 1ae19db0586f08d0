"""Texts that mean null in a table, and the notation its numbers are written in."""

import re
import unicodedata

from domain.contract.schema import Column
from domain.contract.values import check_value

SURE = frozenset(
    ["\\N", "?", "NULL", "null", "#N/A", "N/A", "n/a", "NaN", "nan", "<NA>", "0000-00-00", "0000-00-00 00:00:00"]
)
WORDS = frozenset(["NA", "None", "none", "-", "--", "."])  # also classes, unless numbers of the table lack theirs so
CURRENCIES = frozenset(
    [
        "EUR",
        "USD",
        "GBP",
        "CHF",
        "JPY",
        "CNY",
        "SEK",
        "NOK",
        "DKK",
        "PLN",
        "CZK",
        "HUF",
        "INR",
        "AUD",
        "CAD",
        "NZD",
        "BRL",
        "MXN",
        "ZAR",
        "KRW",
        "SGD",
        "HKD",
        "TRY",
        "kr",
    ]
)
NOTATIONS = ((",", "."), (".", ","), (" ", "."), (" ", ","), ("'", "."))  # thousands, decimal
_SIGNED = re.compile(
    r"[(+-]?\s?(?P<front>[^\d\s+\-.,()']{1,5})?\s?[+-]?[\d.,' \u00a0\u202f]*\d[\d.,]*"
    r"\s?(?P<back>[^\d\s+\-.,()']{1,5})?\)?"
)


def unit_of(text: str) -> str | None:
    """The sign beside a number, such as $ or %; empty if there is none, None if the text is not a number
    with one."""
    match = _SIGNED.fullmatch(text)
    if not match or (match["front"] and match["back"]):
        return None
    unit = match["front"] or match["back"] or ""
    is_money = unit in CURRENCIES or any(unicodedata.category(character) == "Sc" for character in unit)
    return unit if not unit or unit in "%\u2030" or is_money else None


def number_in(text: str, thousands: str, decimal: str, unit: str) -> float | None:
    """The number that a text is in a notation, or None."""
    column = Column("", "float", thousands=thousands, decimal=decimal, unit=unit)
    value, problems = check_value(column, text)
    return value if isinstance(value, float) and not problems else None
