"""Requests while the local AWS is killed every so often: what was answered is stored, and answers come again soon."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.faults import looks
from bench.faults.place import SCORED, Place
from fairway.client import Fairway, FairwayError
from flights.demo import sample

THREADS = 2
PAUSE_S = 0.05


@dataclass
class Found:
    """What the requests came to."""

    answered: int = 0
    without_reason: int = 0
    not_stored: int = 0
    kills: int = 0
    recovered_s: list[float] = field(default_factory=list)


def run(place: Place, *, seconds: float, every_s: float) -> Found:
    """`seconds` of requests, with a kill -9 of the local AWS every `every_s` of them."""
    found, ids, ending = Found(), [], threading.Event()
    rows = [
        {name: value for name, value in row.items() if name != "late"}
        for row in sample(Path(f"{place.folder.parent}/data/flights-{SCORED[0]}.csv"), 200)
    ]
    threads = [threading.Thread(target=_ask, args=(place, rows, ids, ending)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(every_s)
        killed = time.monotonic()
        place.kill_server()
        place.fairway("up")
        before = len(ids)
        while len(ids) == before:
            time.sleep(0.005)
        found.recovered_s.append(time.monotonic() - killed)
        found.kills += 1
    ending.set()
    for thread in threads:
        thread.join()
    place.kill_server()
    place.fairway("up")
    found.answered = len(ids)
    found.without_reason = sum(not answer.get("reason") for answer in ids)
    found.not_stored = looks.missing(place, [answer["id"] for answer in ids])
    return found


def _ask(place: Place, rows: list[dict], answers: list[dict], ending: threading.Event) -> None:
    """One request after the other; one that got no answer is just not counted."""
    api, at = Fairway(project=place.folder, timeout_s=10), 0
    while not ending.is_set():
        at += 1
        try:
            answers.append(dict(api.predict(rows[at % len(rows)])))
        except FairwayError:
            time.sleep(PAUSE_S)
        else:
            time.sleep(PAUSE_S)
