"""Blocks of rows as files give them, still to be checked."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

Rows: TypeAlias = pa.RecordBatch | list[Any]  # JSON Lines have lists of decoded lines


class Opened(NamedTuple):
    """What a reader of one kind of file returns.

    `columns` in the file's order, None where each row brings its own names (JSON Lines). `is_text`: cells are text
    still to be read (CSV).
    """

    columns: list[str] | None
    is_text: bool
    blocks: Iterator[Rows]


@dataclass(frozen=True)
class Source:
    """A file that was opened; `blocks` raises FileRefused for a fault further down."""

    file: Path
    columns: list[str] | None
    is_text: bool
    blocks: Iterator[Rows]


class Block(NamedTuple):
    """`first_row`: the place of the first row in the file, from 1."""

    rows: Rows
    first_row: int
    is_text: bool
