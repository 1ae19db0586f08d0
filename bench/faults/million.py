"""Stored predictions, by batches; then how long `fairway up` takes with all of them, and how much memory it needs."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.faults import looks
from bench.faults.place import Place, rows

ROWS = 200_000  # of one batch


@dataclass
class Found:
    """What the restarts came to: seconds of `fairway up` after a stop and after a kill, and the memory by then."""

    stored: int
    after_stop_s: float
    after_kill_s: float
    memory_mb: float
    lost: int


def run(place: Place, *, number: int, progress: Callable[[str], None]) -> Found:
    before = stored = looks.stored(place)
    while stored < number:
        size = min(ROWS, number - before)
        place.fairway(
            "batch", str(rows(size)), "--as-of", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1420070400 + stored))
        )
        stored = looks.stored(place)
        progress(f"{stored:,} predictions stored, {place.memory_mb():,.0f} MB at most")
    place.fairway("down")
    after_stop_s = _up(place)
    place.kill_server()
    after_kill_s = _up(place)
    there = looks.stored(place)
    return Found(there, after_stop_s, after_kill_s, place.memory_mb(), stored - there)


def _up(place: Place) -> float:
    began = time.monotonic()
    place.fairway("up")
    return time.monotonic() - began
