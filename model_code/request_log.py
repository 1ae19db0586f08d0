"""One JSON line for each request that failed, and every few seconds one for all that did not: how long each stage took.

A line for each request would cost as much as its reply. Never what was in a request.
"""

import json
import sys

SUMMARY_SECONDS = 10
SAMPLED = 8  # each so many requests one is timed


def log(**fields) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Stage:
    """Counts by powers of two of a microsecond: enough for a percentile, one addition a request."""

    def __init__(self):
        self.counts = [0] * 32

    def add(self, seconds: float) -> None:
        self.counts[int(seconds * 1e6).bit_length()] += 1

    def within_ms(self, share: float) -> float:
        """The time that `share` of the requests did not exceed, rounded up to a power of two of a microsecond."""
        wanted, seen = share * sum(self.counts), 0
        for power, count in enumerate(self.counts):
            seen += count
            if seen >= wanted:
                return 2**power / 1000
        return 0.0

    def summary(self) -> dict:
        return {"p50": self.within_ms(0.5), "p99": self.within_ms(0.99)}


class RequestLog:
    def __init__(self, write=log):
        self.write, self.since = write, None
        self.clear()

    def clear(self) -> None:
        self.requests = self.rows = self.refused_rows = self.turned_away = 0
        self.read, self.score = Stage(), Stage()

    def answered(self, request, reply, started: float, ended: float) -> None:
        if reply.status == 200:
            self.requests += 1
            self.rows += reply.rows
            self.refused_rows += reply.refused
            if self.requests % SAMPLED == 1:
                self.read.add(started - request.since)
                self.score.add(ended - started)
        elif reply.status == 429:  # never so many lines as when there is least time for them
            self.turned_away += 1
        else:
            path = request.path.decode("latin-1")[:100]
            error = json.loads(reply.body)["error"]
            milliseconds = round(1000 * (ended - request.since), 3)
            self.write(event="refused", status=reply.status, error=error, path=path, ms=milliseconds)

    def summarise(self, now: float) -> None:
        if self.since is None:
            self.since = now
        if now - self.since >= SUMMARY_SECONDS:
            self.since = now
            self.close()

    def close(self) -> None:
        """Writes what is not written yet."""
        if self.requests or self.turned_away:
            self.write(
                event="answered",
                requests=self.requests,
                rows=self.rows,
                refused_rows=self.refused_rows,
                turned_away=self.turned_away,
                read_ms=self.read.summary(),  # from a request's first byte to its last
                score_ms=self.score.summary(),  # from there to its answer
            )
        self.clear()
