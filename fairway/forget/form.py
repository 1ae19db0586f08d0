"""Forms of files: how to find an entity's rows in one, and how to write it without them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fairway.forget.entity import Entity


class Unreadable(Exception):
    """Report that the file cannot be searched; the message says why."""


@dataclass(frozen=True)
class Found:
    """What a file holds of the entity: rows, out of so many others; ids of answers, and event times of training
    rows.
    """

    rows: int
    others: int
    ids: tuple[str, ...] = ()
    times: tuple[datetime, ...] = ()


class Form(NamedTuple):
    """A form; `look` reads an open file.

    Raises Unreadable. `write` copies it to a new one without the entity's rows.
    """

    look: Callable[[BinaryIO, Entity], Found]
    write: Callable[[BinaryIO, Entity, Path], None]
