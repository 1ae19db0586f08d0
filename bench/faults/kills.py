"""Batches under kill -9: of the command, of a job, a function, the whole local AWS, before the end or after it."""

import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.faults import looks
from bench.faults.place import Place, kill, rows

TRIES = 6  # of one batch after its kill
POLL_S = 0.02


@dataclass
class Found:
    """What the rounds came to."""

    rounds: int = 0
    killed: dict[str, int] = field(default_factory=dict)
    stored: int = 0
    wrong: list[str] = field(default_factory=list)


def run(place: Place, *, rounds: int, number: int, seed: int, progress: Callable[[str], None]) -> Found:
    """Each round is a new batch of `number` rows; after it the table has just the rows of all batches."""
    chance, found = random.Random(seed), Found()
    file = str(rows(number))
    expected = looks.stored(place)
    began = time.monotonic()
    expected += place.fairway("batch", file, "--as-of", "2014-01-01")["written"]
    usual_s = time.monotonic() - began
    for at in range(rounds):
        kind = list(KINDS)[at % len(KINDS)]
        as_of = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1388620800 + 60 * at))
        hit, written = KINDS[kind](place, [file, "--as-of", as_of], chance, usual_s)
        expected += written
        there = looks.stored(place)
        if there != expected:
            found.wrong.append(f"round {at}, {kind} killed: {there:,} rows stored, {expected:,} said to be")
            expected = there
        found.rounds, found.stored = found.rounds + 1, there
        found.killed[kind] = found.killed.get(kind, 0) + hit
        progress(
            f"round {at + 1} of {rounds}: {kind} {'killed' if hit else 'was through before'}, {there:,} rows stored"
        )
    return found


def _written(place: Place, batch: list[str]) -> int:
    """The batch, asked for again until it is through: how many rows it says are stored."""
    for _ in range(TRIES - 1):
        process = place.start("batch", *batch)
        process.communicate()
        if process.returncode == 0:
            break
    return place.fairway("batch", *batch)["written"]


def _after(process: subprocess.Popen, wait_s: float) -> bool:
    """Whether the command still runs after this time."""
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        return True
    return False


def _command(place: Place, batch: list[str], chance: random.Random, usual_s: float) -> tuple[bool, int]:
    process = place.start("batch", *batch)
    hit = _after(process, chance.uniform(0.5, usual_s))
    process.kill()
    process.communicate()
    return hit, _written(place, batch)


def _inner(*words: str) -> Callable:
    """Kills the processes that have these words, at a moment while there are any."""

    def kill_inner(place: Place, batch: list[str], chance: random.Random, usual_s: float) -> tuple[bool, int]:
        process = place.start("batch", *batch)
        hit = _after(process, chance.uniform(0.2, usual_s / 3))
        there: list[int] = []
        while hit and process.poll() is None and not (there := place.processes(*words)):
            time.sleep(POLL_S)
        for number in there:
            kill(number)
        process.communicate()
        return bool(there), _written(place, batch)

    return kill_inner


def _server(place: Place, batch: list[str], chance: random.Random, usual_s: float) -> tuple[bool, int]:
    process = place.start("batch", *batch)
    hit = _after(process, chance.uniform(0.5, usual_s))
    place.kill_server()
    process.communicate()
    place.fairway("up")
    return hit, _written(place, batch)


def _server_afterwards(place: Place, batch: list[str], chance: random.Random, usual_s: float) -> tuple[bool, int]:
    """The moment after the command said that all is stored."""
    written = place.fairway("batch", *batch)["written"]
    place.kill_server()
    place.fairway("up")
    return True, written


KINDS = {
    "command": _command,
    "job": _inner("model_code", "score"),
    "function": _inner("awslambdaric"),
    "local AWS": _server,
    "local AWS after its answer": _server_afterwards,
}
