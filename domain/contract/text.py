"""Read the cells of a text file (CSV) as the columns of a contract."""

import re

from domain.contract.schema import Column

WHOLE = re.compile(r"[+-]?\d{1,17}(\.0*)?")
DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
TRUE, FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


def from_text(column: Column, text: str | None):
    """The value that a cell of a text file (CSV) stands for; text that does not fit is kept, for `check_value` to
    refuse.
    """
    if text is None or text == "":
        return None
    if column.type == "integer" and WHOLE.fullmatch(text) and text.isascii():
        return int(text.partition(".")[0])
    if column.type == "float" and DECIMAL.fullmatch(text) and text.isascii():
        return float(text)
    if column.type == "boolean" and text.lower() in TRUE + FALSE:
        return text.lower() in TRUE
    return text
