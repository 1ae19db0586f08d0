"""One JSON line for each request that failed or was slow, and every few seconds one for all others: how long each stage
took.

A line for each request would cost as much as its reply. Never what was in a request.
"""

import json
import sys

SUMMARY_SECONDS = 10
SAMPLED = 8  # each so many requests one is timed
MOST_LINES = 100  # of single requests between two summaries; further ones are only counted
SLOW_SECONDS = 1  # from a request's first byte to its answer: who takes longer has a line of its own


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
            if seen >= wanted > 0:
                return 2**power / 1000
        return 0.0

    def summary(self) -> dict:
        return {"p50": self.within_ms(0.5), "p99": self.within_ms(0.99)}


class RequestLog:
    def __init__(self, write=log):
        self.write, self.since = write, None
        self.clear()

    def clear(self) -> None:
        self.requests = self.rows = self.refused_rows = self.turned_away = self.refused = self.slow = 0
        self.read, self.wait, self.score = Stage(), Stage(), Stage()

    def answered(self, request, reply, started: float, ended: float) -> None:
        if reply.status == 200:
            self.requests += 1
            self.rows += reply.rows
            self.refused_rows += reply.refused
            if self.requests % SAMPLED == 1:
                self.read.add(request.whole_at - request.since)
                self.wait.add(started - request.whole_at)
                self.score.add(ended - started)
            if ended - request.since > SLOW_SECONDS:
                self.slow += 1
                self.line(request, started, ended, event="slow", rows=reply.rows)
        elif reply.status == 429:  # never so many lines as when there is least time for them
            self.turned_away += 1
        else:
            self.refused += 1
            self.line(request, started, ended, event="refused", status=reply.status, error=reply.error)

    def line(self, request, started: float, ended: float, **about) -> None:
        if self.slow + self.refused <= MOST_LINES:
            self.write(**about, **where_time_went(request, started, ended))

    def summarise(self, now: float) -> None:
        if self.since is None:
            self.since = now
        if now - self.since >= SUMMARY_SECONDS:
            self.since = now
            self.close()

    def close(self) -> None:
        """Writes what is not written yet."""
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
        self.clear()


def where_time_went(request, started: float, ended: float) -> dict:
    """`read`: from the first byte to the last; `wait`: for those before it and for a thread; `score`: until the answer
    is there.
    """
    spans = {"ms": ended - request.since, "read_ms": request.whole_at - request.since}
    spans |= {"wait_ms": started - request.whole_at, "score_ms": ended - started}
    path = request.path.decode("latin-1")[:100]
    return {"path": path, "bytes": len(request.body), **{name: round(1000 * span, 3) for name, span in spans.items()}}
