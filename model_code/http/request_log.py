"""One JSON line for each request that failed or was slow, and every few seconds one for all others: how long each stage
took.

A line for each request would cost as much as its reply. Nothing of a request's content is logged.
"""

import json
import sys
from collections.abc import Callable
from typing import TypedDict

from model_code.answers.reply import Reply
from model_code.http.request import Request

MOST_LINES = 100  # of single requests between two summaries; further ones are only counted
_SUMMARY_SECONDS = 10
_SAMPLED = 8  # one of so many requests is timed
_SLOW_SECONDS = 1  # from a request's first byte to its answer; a slower one has a line of its own


class Percentiles(TypedDict):
    """Milliseconds that half of the requests, and all but one in a hundred, did not exceed."""

    p50: float
    p99: float


class WhereTimeWent(TypedDict):
    """`read_ms`: from the first byte to the last; `wait_ms`: for earlier requests and for a thread; `score_ms`: until
    the answer is there. `ms` is all of them.
    """

    path: str
    bytes: int
    ms: float
    read_ms: float
    wait_ms: float
    score_ms: float


def log(**fields: object) -> None:
    """Write one line of JSON to standard output."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Stage:
    """Count durations by powers of two of a microsecond: enough for a percentile, one addition a request."""

    def __init__(self) -> None:
        self.counts = [0] * 32

    def add(self, seconds: float) -> None:
        self.counts[int(seconds * 1e6).bit_length()] += 1

    def _within_ms(self, share: float) -> float:
        """Return the time that `share` of the requests did not exceed, rounded up to a power of two of microseconds."""
        wanted, seen = share * sum(self.counts), 0
        for power, count in enumerate(self.counts):
            seen += count
            if seen >= wanted > 0:
                return 2**power / 1000
        return 0.0

    def summary(self) -> Percentiles:
        return {"p50": self._within_ms(0.5), "p99": self._within_ms(0.99)}


class RequestLog:
    """Count the answered requests of one process; `write` takes the fields of a line."""

    def __init__(self, write: Callable[..., None] = log) -> None:
        self.write = write
        self.since: float | None = None
        self._clear()

    def _clear(self) -> None:
        self.requests = self.rows = self.refused_rows = self.turned_away = self.refused = self.slow = 0
        self.read, self.wait, self.score = Stage(), Stage(), Stage()

    def answered(self, request: Request, reply: Reply, started: float, ended: float) -> None:
        """Count one request that was worked on from `started` to `ended`, by the server's clock."""
        if reply.status == 200:
            self.requests += 1
            self.rows += reply.rows
            self.refused_rows += reply.refused
            if self.requests % _SAMPLED == 1:
                self.read.add(request.whole_at - request.since)
                self.wait.add(started - request.whole_at)
                self.score.add(ended - started)
            if ended - request.since > _SLOW_SECONDS:
                self.slow += 1
                self._line(request, started, ended, event="slow", rows=reply.rows)
        elif reply.status == 429:  # only counted: they are most when there is least time to write lines
            self.turned_away += 1
        else:
            self.refused += 1
            self._line(request, started, ended, event="refused", status=reply.status, error=reply.error)

    def _line(self, request: Request, started: float, ended: float, **about: object) -> None:
        if self.slow + self.refused <= MOST_LINES:
            self.write(**about, **_where_time_went(request, started, ended))

    def summarise(self, now: float) -> None:
        """Write the summary if the last one is long enough ago."""
        if self.since is None:
            self.since = now
        if now - self.since >= _SUMMARY_SECONDS:
            self.since = now
            self.close()

    def close(self) -> None:
        """Write the counts that are not written yet."""
        if self.requests or self.turned_away or self.refused:
            self.write(
                event="answered",
                requests=self.requests,
                rows=self.rows,
                refused_rows=self.refused_rows,
                turned_away=self.turned_away,
                refused=self.refused,
                slow=self.slow,
                read_ms=self.read.summary(),
                wait_ms=self.wait.summary(),
                score_ms=self.score.summary(),
            )
        self._clear()


def _where_time_went(request: Request, started: float, ended: float) -> WhereTimeWent:
    return {
        "path": request.path.decode("latin-1")[:100],
        "bytes": len(request.body),
        "ms": _ms(ended - request.since),
        "read_ms": _ms(request.whole_at - request.since),
        "wait_ms": _ms(started - request.whole_at),
        "score_ms": _ms(ended - started),
    }


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 3)
