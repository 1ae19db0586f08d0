"""Find texts that mean null in a table, and the format of its numbers."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from domain.contract.schema import Column
from domain.contract.values import check_value

ZERO_DATES = ("0000-00-00", "0000-00-00 00:00:00")
OF_SPREADSHEETS = ("#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!")
OF_PROGRAMS = ("\\N", "?", "NULL", "null", "(null)", "N/A", "n/a", "n.a.", "NaN", "nan", "-nan", "NaT", "<NA>")
SURE = frozenset([*OF_PROGRAMS, *OF_SPREADSHEETS, *ZERO_DATES])
WORDS = frozenset(["NA", "None", "none", "-", "--", "."])  # also classes, unless numbers of the table lack theirs so
YES = frozenset(
    ["yes", "y", "true", "t", "1", "positive", "pos", "on", "ja", "oui", "si", "sí", "churned", "left", "won", "fraud"]
)
NO = frozenset(["no", "n", "false", "f", "0", "negative", "neg", "off", "nein", "non", "not", "stayed", "lost", "ok"])
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
_WITH_POINT = tuple(kind for kind in NOTATIONS if kind[1] == ".")
GROUP = 3  # number of digits: 1.234 may be a thousand
_PLAIN = re.compile(r"-?[0-9]{1,17}(?:\.(?P<fraction>[0-9]+))?")
_SIGNED = re.compile(
    r"[(+-]?\s?(?P<front>[^\d\s+\-.,()']{1,5})?\s?[+-]?[\d.,' \u00a0\u202f]*\d[\d.,]*"
    r"\s?(?P<back>[^\d\s+\-.,()']{1,5})?\)?"
)


def unit_of(text: str) -> str | None:
    """Return the sign next to a number, such as $ or %; empty if there is none, None if the text is not such a
    number.
    """
    match = _SIGNED.fullmatch(text)
    if not match or (match["front"] and match["back"]):
        return None
    unit = match["front"] or match["back"] or ""
    is_money = unit in CURRENCIES or any(unicodedata.category(character) == "Sc" for character in unit)
    return unit if not unit or unit in "%\u2030" or is_money else None


def numbers_in(text: str, unit: str) -> Iterator[tuple[tuple[str, str], float]]:
    """Return ((thousands, decimal), number) for each format in which a text is a number."""
    plain = _PLAIN.fullmatch(text)
    if plain and len(plain["fraction"] or "") != GROUP:  # most texts are plain numbers, which have one meaning
        for kind in NOTATIONS if plain["fraction"] is None else _WITH_POINT:
            yield kind, float(text)
        return
    for kind in NOTATIONS:
        value, problems = check_value(_column(*kind, unit), text)
        if isinstance(value, float) and not problems:
            yield kind, value


@lru_cache(maxsize=256)
def _column(thousands: str, decimal: str, unit: str) -> Column:
    return Column("", "float", thousands=thousands, decimal=decimal, unit=unit)
