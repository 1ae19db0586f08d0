"""Metrics of benchmarks over joined outcomes, in the standard library (in jobs: model_code/fitting/metrics.py)."""

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

LEAST_PROBABILITY = 1e-15


class Quality(NamedTuple):
    """A metric over rows; `standard_error` is None for metrics without a known one."""

    value: float
    standard_error: float | None


def measure(metric: str, actual: Sequence[Any], answered: Sequence[Any]) -> Quality | None:
    """Measure answers: P(positive) and booleans (binary), labels and labels (multiclass), or values and values.

    None if the rows do not determine it: no rows, one class only, or a metric that needs more than outcomes have.
    """
    if not actual or metric not in METRICS:
        return None
    return METRICS[metric](actual, answered)


def _mean(losses: list[float]) -> Quality:
    mean = math.fsum(losses) / len(losses)
    spread = math.fsum((loss - mean) ** 2 for loss in losses) / len(losses)
    return Quality(mean, math.sqrt(spread / len(losses)))


def _roc_auc(actual: Sequence[bool], scores: Sequence[float]) -> Quality | None:
    """Return the Mann-Whitney statistic, ties counting half, with the error of Hanley and McNeil (1982)."""
    positives, negatives = sum(actual), len(actual) - sum(actual)
    if not positives or not negatives:
        return None
    below, wins = 0, 0.0
    for _, tied in groupby(sorted(zip(scores, actual, strict=True)), key=lambda pair: pair[0]):
        hits = [hit for _, hit in tied]
        wins += sum(hits) * (below + (len(hits) - sum(hits)) / 2)
        below += len(hits) - sum(hits)
    area = wins / (positives * negatives)
    of_positives, of_negatives = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (
        area * (1 - area) + (positives - 1) * (of_positives - area**2) + (negatives - 1) * (of_negatives - area**2)
    ) / (positives * negatives)
    return Quality(area, math.sqrt(max(variance, 0.0)))


def _average_precision(actual: Sequence[bool], scores: Sequence[float]) -> Quality | None:
    """Return the sum of precisions weighted by the gain in recall, ties taken together."""
    positives, seen, hits, total = sum(actual), 0, 0, 0.0
    if not positives:
        return None
    for _, tied in groupby(sorted(zip(scores, actual, strict=True), reverse=True), key=lambda pair: pair[0]):
        group = [hit for _, hit in tied]
        seen, hits = seen + len(group), hits + sum(group)
        total += sum(group) / positives * hits / seen
    return Quality(total, None)


def _log_loss(actual: Sequence[bool], scores: Sequence[float]) -> Quality:
    clipped = [min(max(score, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY) for score in scores]
    return _mean([-math.log(share if hit else 1 - share) for hit, share in zip(actual, clipped, strict=True)])


def _brier(actual: Sequence[bool], scores: Sequence[float]) -> Quality:
    return _mean([(score - hit) ** 2 for hit, score in zip(actual, scores, strict=True)])


def _accuracy(actual: Sequence[Any], answered: Sequence[Any]) -> Quality:
    return _mean([float(label == answer) for label, answer in zip(actual, answered, strict=True)])


def _macro_f1(actual: Sequence[Any], answered: Sequence[Any]) -> Quality:
    """Return the mean over every label that occurs or was answered; a label that was never right counts 0."""
    pairs = list(zip(actual, answered, strict=True))
    labels = {label for pair in pairs for label in pair}
    shares = []
    for label in labels:
        right = sum(pair == (label, label) for pair in pairs)
        either = sum(label in pair for pair in pairs) + right
        shares.append(2 * right / either)
    return Quality(math.fsum(shares) / len(shares), None)


def _mae(actual: Sequence[float], answered: Sequence[float]) -> Quality:
    return _mean([abs(value - answer) for value, answer in zip(actual, answered, strict=True)])


def _rmse(actual: Sequence[float], answered: Sequence[float]) -> Quality:
    return Quality(math.sqrt(_squares(actual, answered) / len(actual)), None)


def _r2(actual: Sequence[float], answered: Sequence[float]) -> Quality | None:
    mean = math.fsum(actual) / len(actual)
    around_mean = _squares(actual, [mean] * len(actual))
    return Quality(1 - _squares(actual, answered) / around_mean, None) if around_mean else None


def _squares(actual: Sequence[float], answered: Sequence[float]) -> float:
    return math.fsum((value - answer) ** 2 for value, answer in zip(actual, answered, strict=True))


METRICS: dict[str, Callable[..., Quality | None]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "r2": _r2,
    "mae": _mae,
    "rmse": _rmse,
}
