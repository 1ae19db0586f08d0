"""A place that may hold an entity's data: its task and its report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from fairway.forget.entity import Entity
from fairway.stage.aws import Stage


class NotRead(NamedTuple):
    """An object that could not be searched, and why."""

    key: str
    reason: str


class Removed(NamedTuple):
    """What was, or would be, removed from a place. Old versions of objects are removed whole, with their other rows."""

    place: str
    rows: int = 0  # or items of a table
    files: int = 0  # rewritten
    old_versions: int = 0
    not_read: tuple[NotRead, ...] = ()


@dataclass(frozen=True)
class Task:
    """What to do; `really` False only counts.

    `learnt` gets the event times of the entity's rows before they are removed.
    """

    stage: Stage
    entity: Entity
    really: bool
    learnt: Callable[[Sequence[datetime]], None]
    detail: Callable[[str], None]

    @property
    def lake(self) -> str:
        """Return the name of the lake's bucket."""
        name: str = self.stage.addresses["lake"]
        return name


Place = Callable[[Task], list[Removed]]
