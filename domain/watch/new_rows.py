"""How many labelled rows a training would learn from, and how many of them the newest training did not know."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from domain.runs import LoadItem, TrainItem
from domain.timestamps import parse_timestamp
from domain.train.windows import Part, rows_between


def count_rows(
    loads: Iterable[LoadItem], newest: TrainItem | None, *, now: datetime, window_days: int
) -> tuple[int, int]:
    """Return the new rows of the training window that ends now, and all of them.

    A row is new if it was loaded after the newest training began, or is about a later time; without a training all are.
    """
    start = now - timedelta(days=window_days)
    known_until = parse_timestamp(newest["as_of"]) if newest else None
    new = every = 0
    for load in loads:
        parts: list[Part] = json.loads(load["parts"])
        every += rows_between(parts, start, now)
        if newest is None or load["loaded_at"] > newest["started_at"]:
            new += rows_between(parts, start, now)
        elif known_until:
            timed = [part for part in parts if part["first"] is not None]
            new += rows_between(timed, max(start, known_until), now)
    return new, every
