"""Load by threads of one process, and two ways to ask compared request for request."""

import statistics
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any, TypedDict

Row = dict[str, Any]
Ask = Callable[[Row], object]  # raises whatever it likes where there is no good answer


class Level(TypedDict):
    """What a number of clients measured; the times are of the requests that were answered."""

    requests: int
    failed: int
    p50_ms: float
    p99_ms: float
    per_second: float


class NothingAnswered(Exception):
    """Every request failed, so there is no time to report; the message is that of the last failure."""


def measure(connect: Callable[[], Ask], rows: list[Row], *, clients: int, seconds: float) -> Level:
    """Let each client send its next request when the last one is answered, until the time is over."""
    times: list[float] = []
    failures: list[Exception] = []
    began = time.perf_counter()

    def work(first: int) -> None:
        ask = connect()
        for turn in count(first):
            sent = time.perf_counter()
            try:
                ask(rows[turn % len(rows)])
            except Exception as error:  # noqa: BLE001 any failure is counted and its message shown
                failures.append(error)
            else:
                times.append(time.perf_counter() - sent)
            if time.perf_counter() - began >= seconds:
                return

    threads = [threading.Thread(target=work, args=(number * 7,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not times:
        raise NothingAnswered(repr(failures[-1]))
    return _level(sorted(times), len(failures), time.perf_counter() - began)


def _level(times: list[float], failed: int, seconds: float) -> Level:
    """`times` in seconds, the shortest first."""
    return {
        "requests": len(times) + failed,
        "failed": failed,
        "p50_ms": 1000 * times[len(times) // 2],
        "p99_ms": 1000 * times[int(len(times) * 0.99)],
        "per_second": len(times) / seconds,
    }


class Added(TypedDict):
    """By how much one way to ask is above another, in milliseconds."""

    quick: float  # of the quickest tenth of either: requests that nothing else on the machine held up
    median: float
    processor: float  # the median, of the processor in the client's thread


def alternating(one: Callable[[], Ask], other: Callable[[], Ask], rows: list[Row], *, times: int) -> Added:
    """Ask in turn by one client, and compare `one` with `other`."""
    first, second = spent = _Spent(one()), _Spent(other())
    for number in range(times):
        for its in spent:
            its.ask(rows[number % len(rows)])
    return {
        "quick": 1000 * (_tenth(first.wall) - _tenth(second.wall)),
        "median": 1000 * (statistics.median(first.wall) - statistics.median(second.wall)),
        "processor": 1000 * (statistics.median(first.processor) - statistics.median(second.processor)),
    }


def _tenth(times: list[float]) -> float:
    return sorted(times)[len(times) // 10]


class _Spent:
    """Seconds that each request took, and of the processor in this thread."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.wall: list[float] = []
        self.processor: list[float] = []

    def ask(self, row: Row) -> None:
        wall, processor = time.perf_counter(), time.thread_time()
        self._ask(row)
        self.wall.append(time.perf_counter() - wall)
        self.processor.append(time.thread_time() - processor)
