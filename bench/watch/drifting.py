"""Windows of features: the rule of domain/watch/drift.py and a PSI above 0.2, on the same counts.

A feature is normal; its bins are the deciles of a reference of 5,000 rows, and the rows of a window fall into them with
the very probabilities that values of the normal distribution have.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from scipy.stats import norm

from domain.watch import drift
from domain.watch.bins import NumberBins, bins_of
from domain.watch.drift import Counts

REFERENCE_ROWS, FEATURES = 5_000, 20
PSI_LIMIT = 0.2  # of the anchors: above it a feature "moved"
MOVED = "feature 0"


class Feature(NamedTuple):
    bins: NumberBins
    reference: list[int]


class Named(NamedTuple):
    """Features that either rule names in a window."""

    ours: list[str]
    theirs: list[str]


def windows(
    random: Generator, *, rows: int, many: int, shift: float = 0.0, reference_rows: int = REFERENCE_ROWS
) -> Iterator[Named]:
    """Draw windows beside one reference; one feature is shifted by so many standard deviations from the first on."""
    features = {f"feature {number}": feature(random, reference_rows) for number in range(FEATURES)}
    shares = {name: chances(one.bins, shift if name == MOVED else 0.0) for name, one in features.items()}
    before: dict[str, list[int]] = {}
    for _ in range(many):
        now: dict[str, list[int]] = {name: random.multinomial(rows, share).tolist() for name, share in shares.items()}
        yield Named(_ours(features, before, now), _theirs(features, now))
        before = now


def feature(random: Generator, reference_rows: int = REFERENCE_ROWS) -> Feature:
    values = random.normal(size=reference_rows).tolist()
    bins = bins_of(values)
    assert isinstance(bins, NumberBins), "the values are numbers"
    within = np.histogram(values, bins.edges)[0].tolist()  # as domain/watch/bins.py counts them, faster
    return Feature(bins, [*within, 0, 0])


def chances(bins: NumberBins, shift: float) -> list[float]:
    """Return the probability of each bin: spans, values beyond them, missing ones."""
    spans = np.diff(norm.cdf(np.array(bins.edges) - shift))
    return [*spans.tolist(), max(0.0, 1 - float(spans.sum())), 0.0]


def _ours(features: dict[str, Feature], before: dict[str, list[int]], now: dict[str, list[int]]) -> list[str]:
    p_values = {
        name: drift.latest(one.reference, [*([before[name]] if before else []), now[name]], ordered=one.bins.ordered)
        for name, one in features.items()
    }
    return drift.drifted(p_values, drift.level())


def _theirs(features: dict[str, Feature], now: dict[str, list[int]]) -> list[str]:
    return [name for name, one in features.items() if drift.psi(Counts(one.reference, now[name])) > PSI_LIMIT]
