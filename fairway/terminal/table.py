"""Tables of text that fit the terminal: a long cell continues on the next line."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

from fairway.terminal.plain import plain

GAP = "  "
NARROWEST = 8  # least width of a column
UNLIMITED = 100_000  # width without a terminal


def table(rows: Iterable[Sequence[object]], heads: Sequence[str], *, width: int | None = None) -> list[str]:
    """Return the lines of aligned columns, at most `width` characters wide if possible."""
    texts = [[" ".join(plain(str(cell)).split("\n")) for cell in row] for row in (heads, *rows)]
    widths = _fitting([max(map(len, column)) for column in zip(*texts, strict=True)], width or _terminal_width())
    return [line for row in texts for line in _lines(row, widths)]


def _terminal_width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else UNLIMITED


def _fitting(widths: list[int], most: int) -> list[int]:
    """Narrow the widest column, character by character, until the line fits."""
    widths = list(widths)
    while sum(widths) + len(GAP) * (len(widths) - 1) > most:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _lines(row: list[str], widths: list[int]) -> list[str]:
    cells = [
        textwrap.wrap(text, width) or [""] if len(text) > width else [text]
        for text, width in zip(row, widths, strict=True)
    ]
    height = max(map(len, cells))
    filled = [cell + [""] * (height - len(cell)) for cell in cells]
    return [
        GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip(*filled, strict=True)
    ]
