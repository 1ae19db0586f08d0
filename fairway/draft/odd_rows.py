"""Lines of a table that are not rows: repeated headers of concatenated files, and totals of spreadsheets."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.text import SPACES
from model_code.rows.tables import like_the_header

TOTAL = r"(?i)^(grand |sub-?)?(totals?|sums?|summe|gesamt|insgesamt|somme|totale)( [0-9]+)?\s*:?$"
LABELS = 2  # first columns in which a total is labelled
_LABEL = re.compile(TOTAL)


def without_odd_rows(block: pa.RecordBatch | list) -> tuple[pa.RecordBatch | list, int, int]:
    """Return the other rows of a block, and the numbers of repeated headers and totals. JSON Lines have none."""
    if isinstance(block, list):
        return block, 0, 0
    headers = set(like_the_header(block))
    totals = {index for index in _called_total(block) if _is_total(block.slice(index, 1).to_pylist()[0])}
    odd = headers | totals
    rows = block.take([index for index in range(len(block)) if index not in odd]) if odd else block
    return rows, len(headers), len(totals)


def _called_total(block: pa.RecordBatch) -> list[int]:
    found: set[int] = set()
    for column in block.columns[:LABELS]:
        if pa.types.is_string(column.type):
            called = pc.match_substring_regex(pc.utf8_trim(column, SPACES), TOTAL)
            found.update(pc.indices_nonzero(pc.fill_null(called, False)).to_pylist())
    return sorted(found)


def _is_total(row: dict[str, object]) -> bool:
    """Return whether the first filled cell is a total's label and others are empty; the row of a shop named Total is
    filled.
    """
    cells = [str(value).strip(SPACES) if value is not None else "" for value in row.values()]
    filled = [cell for cell in cells if cell]
    return bool(filled and len(filled) < len(cells) and _LABEL.fullmatch(filled[0]))
