"""Quality before outcomes come: what the answers' own probabilities say of their decisions, or why nobody can know.

Probabilities are calibrated on the newest outcomes, and right and wrong decisions are added up as they are then
expected (confidence-based performance estimation). That is blind to a change of what follows from the features. So an
estimate is refused where the window is unlike the rows of the release, or where the last one missed its truth; and
nothing is retrained by an estimate.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple, TypedDict

from domain.config.sections import Business
from domain.money.worth import CELLS
from domain.watch.counts import ColumnCounts, ReleaseCounts
from domain.watch.drift import Counts, psi
from domain.watch.happened import SPANS, Happened, total

LEAST_CALIBRATED = 200  # outcomes that a calibration rests on
ENOUGH_CALIBRATED = 2_000  # outcomes; with so many, older windows are left out
LEAST_EFFECTIVE = 0.1  # of the reference's rows, once they are weighted as the window's answers are
MOST_PSI = 0.25  # of the answers
MOST_UNSEEN = 0.05  # of the rows, in any feature
MOST_MISSED = 3.0  # standard errors, by which the last estimate may have missed its truth


class Scored(NamedTuple):
    """Rows that were answered alike: their score, P(positive) by it, and the decision."""

    score: float
    probability: float
    rows: float
    yes: bool


class Expected(NamedTuple):
    """Decisions as they are expected to turn out; the ranking is None where only one class is expected."""

    cells: dict[str, float]  # by CELLS
    accuracy: float
    standard_error: float  # of the accuracy, by chance of the outcomes
    roc_auc: float | None


class Estimated(TypedDict, total=False):
    """An estimate as it is kept; where nobody can know, only `refused`, in words."""

    refused: str
    accuracy: float
    standard_error: float
    roc_auc: float
    value_usd: float  # an answer
    calibrated_on: int  # outcomes


class Truth(NamedTuple):
    """An estimate, and what outcomes later said of its window."""

    estimated: Estimated
    wrong: int
    outcomes: int


def estimate(
    counted: ReleaseCounts, windows: Sequence[Happened], *, business: Business, last: Truth | None
) -> Estimated | None:
    """Estimate the quality of a release's answers in a window; None where they have no probabilities.

    `windows` are those of the release whose outcomes have come, the earliest first; `last` is the newest of them that
    was estimated.
    """
    if "scores" not in counted:
        return None
    known = _newest(windows)
    if refused := _refusal(counted, known.outcomes, last):
        return {"refused": refused}
    probabilities = calibrate(known)
    scored = [
        Scored(span, probabilities[span], rows, yes)
        for yes, spans in ((True, counted["scores"]["yes"]), (False, counted["scores"]["no"]))
        for span, rows in enumerate(spans)
        if rows
    ]
    found = expected(scored)
    estimated: Estimated = {
        "accuracy": round(found.accuracy, 6),
        "standard_error": round(found.standard_error, 6),
        "value_usd": round(value_usd(found.cells, business), 6),
        "calibrated_on": known.outcomes,
    }
    return estimated if found.roc_auc is None else {**estimated, "roc_auc": round(found.roc_auc, 6)}


def expected(scored: Sequence[Scored]) -> Expected:
    """Add up right and wrong decisions of at least one row, as their probabilities say."""
    cells = dict.fromkeys(CELLS, 0.0)
    for each in scored:
        hit, miss = ("true_positive", "false_positive") if each.yes else ("false_negative", "true_negative")
        cells[hit] += each.rows * each.probability
        cells[miss] += each.rows * (1 - each.probability)
    rows = math.fsum(each.rows for each in scored)
    spread = math.fsum(each.rows * each.probability * (1 - each.probability) for each in scored)
    accuracy = (cells["true_positive"] + cells["true_negative"]) / rows
    return Expected(cells, accuracy, math.sqrt(spread) / rows, _roc_auc(scored))


def value_usd(cells: dict[str, float], business: Business) -> float:
    """Return the expected value of an answer."""
    total_usd: float = sum(getattr(business, f"{cell}_usd") * count for cell, count in cells.items())
    return total_usd / sum(cells.values())


def calibrate(known: Happened) -> list[float]:
    """Return P(positive) by span of the score: never falling, and closest to what happened (Ayer et al., 1955).

    A span without outcomes has the probability of the next one below that has some, or else above.
    """
    blocks: list[tuple[float, float, int]] = []  # positives, outcomes, and the first span
    for span in range(SPANS):
        hits, rest = (known.sums.get(f"{kind}_{span}", 0) for kind in ("happened", "not"))
        if hits + rest:
            blocks.append((hits, hits + rest, span))
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            (hits, rows, _), (earlier, before, first) = blocks.pop(), blocks.pop()
            blocks.append((earlier + hits, before + rows, first))
    starts = {first: hits / rows for hits, rows, first in blocks}
    share, shares = blocks[0][0] / blocks[0][1] if blocks else 0.5, []
    for span in range(SPANS):
        share = starts.get(span, share)
        shares.append(share)
    return shares


def _newest(windows: Sequence[Happened]) -> Happened:
    """Add up the newest windows, until they have enough outcomes."""
    taken: list[Happened] = []
    for each in reversed(windows):
        if sum(one.outcomes for one in taken) >= ENOUGH_CALIBRATED:
            break
        taken.append(each)
    return total(taken, "newest")


def _roc_auc(scored: Iterable[Scored]) -> float | None:
    """Return the expected Mann-Whitney statistic; rows of one score count half."""
    wins = below = above = 0.0
    for _, tied in groupby(sorted(scored), key=lambda each: each.score):
        group = list(tied)
        hits = math.fsum(each.rows * each.probability for each in group)
        rest = math.fsum(each.rows * (1 - each.probability) for each in group)
        wins += hits * (below + rest / 2)
        below, above = below + rest, above + hits
    return wins / (below * above) if below and above else None


# ---- when it is not to be believed


def _refusal(counted: ReleaseCounts, calibrated_on: int, last: Truth | None) -> str:
    """Return why an estimate would not be worth the name; empty where it is."""
    if calibrated_on < LEAST_CALIBRATED:
        return f"{calibrated_on:,} outcomes to calibrate on, {LEAST_CALIBRATED:,} are needed"
    if "prediction" not in counted:
        return "the release has no reference to compare the answers with"
    answers = counted["prediction"]
    moved, share = psi(Counts(answers["reference"], answers["window"])), _effective_share(answers)
    if share < LEAST_EFFECTIVE:
        return f"only {100 * share:.1f} % of the release's rows are like the answers of the window"
    if moved > MOST_PSI:
        return f"the answers moved (PSI {moved:.2f}, at most {MOST_PSI:g})"
    for name, column in counted["features"].items():
        if (unseen := _unseen_share(column)) > MOST_UNSEEN:
            return f"{name}: {100 * unseen:.1f} % of rows have values that were not there at release"
    return _missed(last) if last else ""


def _effective_share(column: ColumnCounts) -> float:
    """Return the share of the reference's rows that is left once they are weighted as the window's (Kish, 1965).

    A bin that the reference has no row in counts as half a row.
    """
    before, after = sum(column["reference"]), sum(column["window"])
    if not before or not after:
        return 0.0
    pairs = zip(column["reference"], column["window"], strict=True)
    return 1 / sum((q / after) ** 2 / (max(p, 0.5) / before) for p, q in pairs)


def _unseen_share(column: ColumnCounts) -> float:
    rows = sum(column["window"])
    return column["window"][column["labels"].index("unseen")] / rows if rows else 0.0


def _missed(last: Truth) -> str:
    """Return how the last estimate missed its truth by more than chance; empty where it did not."""
    if "accuracy" not in last.estimated or not last.outcomes:
        return ""
    guess, truth = last.estimated["accuracy"], 1 - last.wrong / last.outcomes
    by_chance = truth * (1 - truth) / last.outcomes + guess * (1 - guess) / last.estimated["calibrated_on"]
    if abs(guess - truth) <= MOST_MISSED * math.sqrt(last.estimated["standard_error"] ** 2 + by_chance):
        return ""
    return f"the last estimate was {100 * guess:.1f} % right answers, outcomes said {100 * truth:.1f} %"


def in_words(estimated: Estimated) -> str:
    """Write an estimate for people."""
    if "refused" in estimated:
        return f"cannot know: {estimated['refused']}"
    accuracy = f"{100 * estimated['accuracy']:.1f} % right ± {196 * estimated['standard_error']:.1f}"
    ranking = f", roc_auc {estimated['roc_auc']:.4f}" if "roc_auc" in estimated else ""
    worth = f", ${estimated['value_usd']:,.2f} an answer"
    return f"{accuracy}{ranking}{worth}, calibrated on {estimated['calibrated_on']:,} outcomes"
