"""What the rows of an evaluation say of how sure a model's answers are: a release's confidence table.

The rows are later than all that the model has learnt from, so that coming rows differ from them as little as can be
had. The table is a few kilobytes, whatever their number; `domain/request/confidence.py` reads it for each answer.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NotRequired, TypedDict

LEAST_GROUP = 500  # rows: an answer that is given less often shares the quantile of all rows
MOST_GROUPS = 100  # answers with a quantile of their own, and classes in the set of the fallback
MOST_SCORES = 100  # in the table of probabilities; neighbouring scores are put together
BINS = 10  # of similar cases


class Cases(TypedDict):
    """Rows, and those of them for which it happened: the positive outcome, a right class, a value in the interval."""

    cases: int
    happened: int


class Quantile(TypedDict):
    """Largest distance between answer and outcome at the coverage; None if the rows are too few for any limit."""

    rows: int
    distance: float | None


class Doubt(TypedDict):
    """Venn-Abers probabilities by ascending ranges of scores, from `bottom` to `top`. Lists of equal length."""

    bottom: list[float]
    top: list[float]
    low: list[float]  # probability if one more row with such a score did not happen
    high: list[float]  # and if it did


class Segment(TypedDict):
    """Rows with one value of a column; `total` is the sum of their targets, of a binary task the positive ones."""

    cases: int
    total: float
    prior: float  # drawn towards that of all rows if they are few


class Segments(TypedDict):
    """Priors by the values of the column that tells most, for the fallback."""

    column: str
    priors: dict[str, Segment]  # by `segment_key`


class ConfidenceTable(TypedDict):
    """confidence/<candidate>.json of a run, and part of the release; confidence/<release>.json of its champion.

    The distance is 1 - P(what happened) for a class, and that of the values for a regression.
    """

    task: str
    coverage: float  # confidence.coverage
    rows: int
    threshold: float  # serving.threshold of the evaluation
    all: Quantile
    by_answer: dict[str, Quantile]  # by `answer_key`, if given to at least LEAST_GROUP rows
    edges: list[float]  # regression: ascending answers between the bins of similar cases
    similar: list[Cases]  # by bin: of the probability, or of the answer
    doubt: NotRequired[Doubt]  # of P(positive), or of the likeliest class being right; not of a regression
    without_model: Cases  # all rows: positive, of the prior's class, or within `prior_interval`
    prior_set: NotRequired[list[Any] | None]  # most frequent classes that reach the coverage; None if too many do not
    prior_interval: NotRequired[list[float] | None]  # of a regression
    segments: NotRequired[Segments]  # missing if no column gives better priors than one for all rows


def rank(rows: int, coverage: float) -> int:
    """Return the rank ceil((rows + 1) * coverage) of the conformal quantile; the coverage counts as it is written."""
    return math.ceil((rows + 1) * Decimal(repr(coverage)))


def quantile(distances: Sequence[float], coverage: float) -> float | None:
    """Return the split conformal quantile of ascending distances (Vovk et al., 2005; Lei et al., 2018).

    The distance of one more row that is exchangeable with them is at most this with a probability of at least
    `coverage`. None, which is infinity, if the rows are too few.
    """
    place = rank(len(distances), coverage)
    return distances[place - 1] if place <= len(distances) else None


def middle_interval(values: Sequence[float], coverage: float) -> list[float] | None:
    """Return the order statistics of ascending values between which one more lies at the coverage; None if too few."""
    outside = int((len(values) + 1) * (1 - Decimal(repr(coverage))) / 2)  # at each end
    return [values[outside - 1], values[-outside]] if outside else None


def venn_abers(cases: Sequence[Cases]) -> tuple[list[float], list[float]]:
    """Return the lower and upper probability at each ascending score, of which `cases` has the rows.

    The isotonic fit of all rows and one more with that score, which did not happen or did (inductive Venn-Abers: Vovk,
    Petej and Fedorova, 2015). Each takes time proportional to the scores, so all take its square.
    """
    places = range(len(cases))
    return [_isotonic_at(cases, place, 0) for place in places], [_isotonic_at(cases, place, 1) for place in places]


def _isotonic_at(cases: Sequence[Cases], place: int, happened: int) -> float:
    """Return the isotonic fit at one score after one more row there, by pooling adjacent violators."""
    blocks: list[tuple[int, int, int]] = []  # rows, happened, last place
    for at, each in enumerate(cases):
        more = at == place
        rows, true = each["cases"] + more, each["happened"] + more * happened
        while blocks and blocks[-1][1] * rows >= true * blocks[-1][0]:
            before = blocks.pop()
            rows, true = rows + before[0], true + before[1]
        blocks.append((rows, true, at))
    return next(true / rows for rows, true, last in blocks if last >= place)


def between(doubt: Doubt, score: float) -> tuple[float, float]:
    """Return the lower and upper probability of a score; between two ranges, those of its neighbours."""
    below, above = bisect_right(doubt["bottom"], score), bisect_left(doubt["top"], score)
    low = doubt["low"][below - 1] if below else 0.0
    high = doubt["high"][above] if above < len(doubt["high"]) else 1.0
    return low, high


def merged(low: float, high: float) -> float:
    """Return the one probability that loses least by log loss, whichever of the two was right."""
    return high / (1 - low + high)


def probability_bin(low: float, high: float) -> int:
    return min(int(BINS * merged(low, high)), BINS - 1)


def answer_bin(edges: Sequence[float], value: float) -> int:
    return bisect_right(edges, value)


def answer_key(task: str, answer: Any) -> str:
    """Return the key of an answer's quantile: a decision, a class, or the bin of a value."""
    return str(bool(answer)).lower() if task == "binary" else str(answer)


def segment_key(value: Any) -> str:
    return str(value)


def segment_of(table: ConfidenceTable | None, row: Mapping[str, Any]) -> tuple[str, Segment] | None:
    """Return the segment of a row with its name, such as `carrier = UA`; None if nothing is known of the row's."""
    segments = table.get("segments") if table else None
    if segments is None:
        return None
    value = row.get(segments["column"])
    found = segments["priors"].get(segment_key(value)) if value is not None else None
    return None if found is None else (f"{segments['column']} = {shown(value)}", found)


def shown(value: Any) -> str:
    """Write a value as sentences do."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def prior_set(counts: Sequence[tuple[Any, int]], coverage: float) -> list[Any] | None:
    """Return the most frequent classes that together reach the coverage. None if all do not, or too many would."""
    needed, found = rank(sum(count for _, count in counts), coverage), list[Any]()
    for name, count in sorted(counts, key=lambda each: -each[1])[:MOST_GROUPS]:
        found.append(name)
        needed -= count
        if needed <= 0:
            return found
    return None
