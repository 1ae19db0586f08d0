"""What a window held: counts.json in the lake's windows/, which `model_code/monitor.py` writes and the watch judges by.

It has the reference's counts beside the window's, so that it can be judged, and drawn, by itself. It names no entity.
"""

from typing import NotRequired, TypedDict

NO_RELEASE = "none"  # in the place of a release: nobody was to answer


class ColumnCounts(TypedDict):
    """Rows by bin, of a release's reference and of the window; the first `ordered` bins are spans of a number."""

    labels: list[str]
    ordered: int
    reference: list[int]
    window: list[int]


class Latency(TypedDict):
    """Milliseconds from the checked row to the answer, to a fifth: each is the end of a span."""

    p50: float
    p99: float


class Scores(TypedDict):
    """Answers of a binary model by span of P(positive) (SPANS of happened.py), those that said yes and no."""

    yes: list[int]
    no: list[int]


class ReleaseCounts(TypedDict):
    """Answers of one release. Without a reference, which releases before this one had not, nothing is compared."""

    rows: int
    fallbacks: dict[str, int]  # answers by the prior, by what caused it (domain/reasons.py)
    features: dict[str, ColumnCounts]
    prediction: NotRequired[ColumnCounts]  # of the answers that its model gave
    scores: NotRequired[Scores]
    latency_ms: Latency | None


class SetAside(TypedDict):
    """A captured file that cannot be read; none of its rows is counted."""

    key: str
    reason: str


class WindowCounts(TypedDict):
    """`releases` by name, those without any under NO_RELEASE; `unparsed` rows have features that are no JSON."""

    window: str
    start: str
    end: str
    as_of: str
    rows: int
    unparsed: int
    set_aside: list[SetAside]
    releases: dict[str, ReleaseCounts]
