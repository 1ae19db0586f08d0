"""Recorded requests, sent to both endpoints of a replay again at the pace at which they came.

A job scores rows faster than any application asks; here an endpoint meets the pauses and the rushes of a real minute.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple, TypedDict

from domain.timestamps import parse_timestamp

MOST = 500  # requests that are sent
LEAST = 100  # with fewer, a hundredth of them is none


class Recorded(NamedTuple):
    """A row that was answered."""

    made_at: str  # timestamp, which the rows of a request share
    contract_hash: str
    features: Mapping[str, Any]


class Paced(TypedDict):
    """A request to send again."""

    after_s: float  # since the first
    contract_hash: str
    rows: list[Mapping[str, Any]]


class Side(TypedDict):
    """What a release's endpoint took for the requests; one without an answer counts as long as the deadline."""

    p50_ms: float
    p99_ms: float
    failed: int


class Timed(TypedDict):
    """What both endpoints took, in one run; without sides it was not measured, and `why` is the reason."""

    requests: int
    seconds: float  # from the first request to the last
    champion: Side | None
    release: Side | None
    why: str


def not_timed(why: str) -> Timed:
    return {"requests": 0, "seconds": 0.0, "champion": None, "release": None, "why": why}


def busiest(recorded: Iterable[Recorded], span_s: float) -> list[Paced]:
    """Return the requests of the span that has most of them, MOST at most; the earliest of several."""
    requests = _requests(recorded)
    start, best = 0, slice(0, 0)
    for end, (at, _, _) in enumerate(requests, 1):
        while (at - requests[start][0]).total_seconds() > span_s or end - start > MOST:
            start += 1
        if end - start > best.stop - best.start:
            best = slice(start, end)
    found = requests[best]
    return [
        {"after_s": (at - found[0][0]).total_seconds(), "contract_hash": contract, "rows": rows}
        for at, contract, rows in found
    ]


def _requests(recorded: Iterable[Recorded]) -> list[tuple[datetime, str, list[Mapping[str, Any]]]]:
    """Join the rows that were answered at the same moment under the same contract, in the order of time."""
    dated = [(at, one) for one in recorded if (at := parse_timestamp(one.made_at))]
    dated.sort(key=lambda each: (each[0], each[1].contract_hash))
    return [
        (at, contract, [one.features for _, one in rows])
        for (at, contract), rows in groupby(dated, key=lambda each: (each[0], each[1].contract_hash))
    ]


def side(took_ms: Sequence[float | None], *, deadline_ms: float) -> Side:
    """Sum up what the requests took; None of one without an answer."""
    ordered = sorted(deadline_ms if one is None else one for one in took_ms)
    return {
        "p50_ms": _quantile(ordered, 0.5),
        "p99_ms": _quantile(ordered, 0.99),
        "failed": sum(one is None for one in took_ms),
    }


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def breach(timed: Timed | None, p99_ms: float) -> str:
    """Return why the release is too slow behind its endpoint; empty where it is not, or nothing says so.

    Where the champion misses the limit too, the way to the endpoints is slow and not the release.
    """
    if timed is None or timed["release"] is None or timed["champion"] is None or timed["requests"] < LEAST:
        return ""
    ours, theirs = timed["release"]["p99_ms"], timed["champion"]["p99_ms"]
    if not p99_ms or ours <= p99_ms or theirs > p99_ms:
        return ""
    return (
        f"p99 {ours:.3g} ms at the endpoint, the champion's {theirs:.3g} in the same run of {timed['requests']:,} "
        f"requests; at most {p99_ms:g} ms may be (benchmarks.p99_ms)"
    )


def in_words(timed: Timed) -> str:
    """Describe the run in a sentence."""
    ours, theirs = timed["release"], timed["champion"]
    if ours is None or theirs is None:
        return f"endpoints at the recorded pace: not measured, {timed['why']}"
    few = "" if timed["requests"] >= LEAST else f", too few to judge p99 by ({LEAST})"
    return (
        f"{timed['requests']:,} requests at their own pace in {timed['seconds']:.0f} s, p50 and p99: {_told(ours)}, "
        f"the champion's beside it {_told(theirs)}{few}"
    )


def _told(one: Side) -> str:
    failed = f" ({one['failed']:,} without an answer)" if one["failed"] else ""
    return f"{one['p50_ms']:.3g} and {one['p99_ms']:.3g} ms{failed}"
