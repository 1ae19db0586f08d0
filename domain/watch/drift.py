"""Whether a window differs from the reference by more than chance and by more than matters.

The population stability index alone alarms on half of all stable windows of 100 rows, and on no relevant shift in 1,000
rows. Here it is tested against a tolerance with its sampling error, and one budget of false alarms holds for all
features and all windows of a year (`level`). The bins are those of the reference (domain/watch/bins.py).
"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeVar

from domain.watch.tails import noncentral_chi_square

TOLERANCE = 0.005  # PSI that does not matter: a shift by a tenth of a standard deviation is 0.0096
FALSE_ALARMS = 0.05  # probability of any false alarm in so many windows
WINDOWS = 100
FEWEST = 5.0  # expected rows of a bin, or it is pooled
Name = TypeVar("Name")  # by which a feature is known


class Counts(NamedTuple):
    """Rows by bin, of the reference and of the window, in the same order."""

    reference: Sequence[int]
    window: Sequence[int]


class Move(NamedTuple):
    """The bin whose share changed most."""

    label: str
    before: float  # share of the reference
    after: float  # share of the window


def level(*, false_alarms: float = FALSE_ALARMS, windows: int = WINDOWS) -> float:
    """Return the level of one window for all features together: `false_alarms` over so many windows."""
    return false_alarms / windows


def drifted(p_values: Mapping[Name, float], level: float) -> list[Name]:
    """Select the features that moved (Benjamini and Hochberg, 1995), the surest first: of those, at most the share
    `level` is expected to be false; where none moved, any is selected with at most that chance.
    """
    ranked = sorted(p_values, key=lambda name: p_values[name])
    found = [rank for rank, name in enumerate(ranked, 1) if p_values[name] <= level * rank / len(ranked)]
    return ranked[: max(found, default=0)]


def latest(reference: Sequence[int], windows: Sequence[Sequence[int]], *, ordered: int = 0) -> float:
    """Return the p-value of the newest window: alone or together with the one before, whichever is smaller, doubled.

    `windows` are counts by bin, the newest last; `ordered` as in `p_value`. Two windows together find what one was too
    small for; doubling pays for testing twice.
    """
    found = [p_value(Counts(reference, windows[-1]), ordered=ordered)]
    if len(windows) > 1:
        both = [sum(rows) for rows in zip(*windows[-2:], strict=True)]
        found.append(p_value(Counts(reference, both), ordered=ordered))
    return min(1.0, len(found) * min(found))


def p_value(counts: Counts, *, ordered: int = 0, tolerance: float = TOLERANCE) -> float:
    """Return the probability of so large a difference if the true PSI is at most the tolerance; 1 without rows.

    Near the reference PSI is the chi-square distance, so x² of the two samples has a noncentral chi-square
    distribution. The first `ordered` bins are spans of a number: there the shift of the mean rank is tested too. It is
    a part of the same distance with one degree of freedom, so it finds shifts that the whole leaves in doubt.
    """
    bins, allowed = pooled(counts), _weight(counts) * tolerance
    if len(bins.window) < 2:
        return 1.0
    whole = noncentral_chi_square(distance(bins), len(bins.window) - 1, allowed)
    if not ordered:
        return whole
    part = Counts(counts.reference[:ordered], counts.window[:ordered])
    return min(1.0, 2 * min(whole, noncentral_chi_square(rank_shift(part), 1, allowed)))


def psi(counts: Counts) -> float:
    """Compute the population stability index; an empty bin counts as half a row."""
    before, after = (_shares([max(count, 0.5) for count in side]) for side in counts)
    return math.fsum((p - q) * math.log(p / q) for p, q in zip(before, after, strict=True))


def distance(counts: Counts) -> float:
    """Compute x², m Σ (p-q)² / pooled share."""
    rows = sum(counts.reference) + sum(counts.window)
    pairs = zip(_shares(counts.reference), _shares(counts.window), counts.reference, counts.window, strict=True)
    return _weight(counts) * sum((p - q) ** 2 * rows / (a + b) for p, q, a, b in pairs if a + b)


def rank_shift(counts: Counts) -> float:
    """Compute z² between the mean ranks of ordered bins, ties in the middle of theirs (Wilcoxon); 0 without rows."""
    both = [a + b for a, b in zip(*counts, strict=True)]
    rows = sum(both)
    ranks = [(end - own / 2) / rows for end, own in zip(accumulate(both), both, strict=True)] if rows else []
    means = [math.fsum(share * rank for share, rank in zip(_shares(side), ranks, strict=False)) for side in counts]
    middle = math.fsum(own * rank for own, rank in zip(both, ranks, strict=False)) / max(rows, 1)
    spread = math.fsum(own * (rank - middle) ** 2 for own, rank in zip(both, ranks, strict=False)) / max(rows, 1)
    return _weight(counts) * (means[0] - means[1]) ** 2 / spread if spread else 0.0


def pooled(counts: Counts) -> Counts:
    """Join the two bins with the fewest rows until the window expects FEWEST in each; a window that is too small keeps
    one bin.
    """
    rows, share = sum(counts.window), sum(counts.window) / max(sum(counts.reference) + sum(counts.window), 1)
    bins = sorted((a + b, a, b) for a, b in zip(*counts, strict=True) if a + b)
    while len(bins) > 1 and (bins[0][0] * share < FEWEST or not rows):
        (_, a, b), (_, c, d) = bins[:2]
        bins = sorted([(a + b + c + d, a + c, b + d), *bins[2:]])
    return Counts([a for _, a, _ in bins], [b for _, _, b in bins])


def move(labels: Sequence[str], counts: Counts) -> Move:
    """Return the bin whose share changed most, to describe a finding in words."""
    moves = map(Move, labels, _shares(counts.reference), _shares(counts.window))
    return max(moves, key=lambda each: abs(each.after - each.before))


def _weight(counts: Counts) -> float:
    """Return m = n n_ref / (n + n_ref)."""
    reference, window = sum(counts.reference), sum(counts.window)
    return reference * window / (reference + window) if reference and window else 0.0


def _shares(side: Sequence[float]) -> list[float]:
    rows = sum(side)
    return [count / rows if rows else 0.0 for count in side]


# ---- slow drifts: evidence accumulated over windows (Shin, Ramdas, Rinaldo, 2022, arXiv 2203.03532)


def e_value(p: float) -> float:
    """Convert a p-value to an e-value: the mixture of all powers, whose mean is 1 if p is uniform."""
    if not 0 <= p <= 1:
        raise ValueError(f"p = {p}: must be from 0 to 1")
    if p == 0:
        return math.inf
    short = 1 - p
    if short < 1e-4:  # the quotient of two numbers near 0
        return 0.5 + short / 6
    return (short + p * math.log(p)) / (p * math.log(p) ** 2)


def accumulated(evidence: float, p_values: Sequence[float]) -> float:
    """Add a window to the evidence of all windows since the last alarm; None adds nothing.

    An alarm is due at `alarm_at`; the evidence then starts again at 0.
    """
    if not p_values:
        return evidence
    return (1 + evidence) * sum(map(e_value, p_values)) / len(p_values)


def alarm_at(*, false_alarms: float = FALSE_ALARMS, windows: int = WINDOWS) -> float:
    """Return the evidence that stable windows reach with at most that probability in so many of them."""
    return windows / false_alarms
