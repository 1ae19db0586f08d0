"""The form of a file: how what it holds of an entity is found, and how it is written without that."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fairway.forget.entity import Entity


class Unreadable(Exception):
    """The file cannot be looked into; the message says why."""


@dataclass(frozen=True)
class Found:
    """What a file holds of the entity: rows, out of so many others; ids of answers, and event times of rows to learn
    from.
    """

    rows: int
    others: int
    ids: tuple[str, ...] = ()
    times: tuple[datetime, ...] = ()


class Form(NamedTuple):
    """`look` reads an open file. Raises Unreadable. `write` copies it into a new one without the entity's rows."""

    look: Callable[[BinaryIO, Entity], Found]
    write: Callable[[BinaryIO, Entity, Path], None]
