"""How a command ends: values for a script, lines for a person, and what to do next."""

import json
import os
import sys
from dataclasses import dataclass

from fairway.terminal.plain import plain


@dataclass(frozen=True)
class Done:
    """`values` is what --json prints, `lines` what a person reads, `next` one line on what to do now."""

    values: dict | list
    lines: list[str]
    next: str


def show(done: Done, *, as_json: bool, following: str) -> None:
    """The answer on standard output; what to do next on standard error, so that a pipe carries only the answer."""
    try:
        print(plain(json.dumps(done.values, ensure_ascii=False) if as_json else "\n".join(done.lines)))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads it has had enough: `fairway releases | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print(plain(f"next: {following}"), file=sys.stderr)


def table(rows: list[tuple], heads: tuple) -> list[str]:
    """Rows as aligned columns of text."""
    texts = [tuple(map(str, row)) for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in texts]
