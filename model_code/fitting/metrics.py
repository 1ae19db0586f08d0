"""What a model's scores are worth against what happened: quality, calibration, and how sure the quality is.

Scores are (rows,) P(positive) for a binary task, (rows, classes) for a multiclass one, (rows,) values for a regression.
"""

from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn import metrics as sk

from domain.contract.schema import Contract

BINS = 15
RESAMPLES = 200
CHANCES = 2000
RESAMPLED_ROWS = 10_000
LEAST_PROBABILITY = 1e-15


def measure(task: str, actual: np.ndarray, scores: np.ndarray, classes: list) -> dict[str, float]:
    """Every metric of the task. `actual` holds 0 and 1, labels of `classes`, or values."""
    found = {name: float(metric(actual, scores, classes)) for name, metric in METRICS[task].items()}
    if task != "regression":
        found["calibration_error"] = calibration_error(*confidences(task, actual, scores, classes))
    return found


def chance(task: str, actual: np.ndarray, scores: np.ndarray, classes: list) -> float | None:
    """Return the calibration error that chance alone makes at so many rows; None for a regression, which has none."""
    if task == "regression":
        return None
    confidence, _ = confidences(task, actual, scores, classes)
    return calibration_by_chance(confidence)


def decisions(actual: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, int]:
    """How often yes (P(positive) from the threshold on) and no were right and wrong; what each is worth is
    [business]'s.
    """
    said, true = scores >= threshold, actual == 1
    counts = {
        "true_positive": said & true,
        "false_positive": said & ~true,
        "true_negative": ~said & ~true,
        "false_negative": ~said & true,
    }
    return {cell: int(rows.sum()) for cell, rows in counts.items()}


def standard_error(task: str, metric: str, actual: np.ndarray, scores: np.ndarray, classes: list) -> float:
    """Of the metric, by a seeded bootstrap (Efron, 1979). Large tables are resampled in samples of m rows out of n,
    and the spread scaled by sqrt(m/n) (Bickel, Goetze, van Zwet, 1997).
    """
    random, rows = np.random.default_rng(0), len(actual)
    drawn = min(rows, RESAMPLED_ROWS)
    values = []
    for _ in range(RESAMPLES):
        chosen = random.integers(0, rows, drawn)
        if task == "regression" or len(np.unique(actual[chosen])) > 1:
            values.append(METRICS[task][metric](actual[chosen], scores[chosen], classes))
    return float(np.std(values, ddof=1) * np.sqrt(drawn / rows)) if len(values) > 1 else 0.0


def prior_scores(contract: Contract, rows: int, classes: list) -> np.ndarray:
    """What answering every row with the contract's prior scores."""
    prior: Any = contract.prior  # for multiclass the share of each class, else one number
    if contract.task == "multiclass":
        shares = np.array([prior.get(str(name), 0.0) for name in classes])
        return np.tile(shares / (shares.sum() or 1.0), (rows, 1))
    return np.full(rows, float(prior))


# ---- calibration


def calibration_error(confidence: np.ndarray, came_true: np.ndarray) -> float:
    """Expected calibration error over bins of equally many rows (Naeini et al., 2015; equal-mass bins: Nixon et al.,
    2019).
    """
    order = np.argsort(confidence, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [abs(confidence[part].mean() - came_true[part].mean()) * len(part) for part in bins]
    return float(sum(gaps) / len(confidence))


def calibration_by_chance(confidence: np.ndarray) -> float:
    """The calibration error that a perfectly calibrated model with these probabilities exceeds in one evaluation of a
    hundred: outcomes are drawn from them, seeded, bin by bin.
    """
    bins = [part for part in np.array_split(np.sort(confidence), BINS) if len(part)]
    rows, means = np.array([len(part) for part in bins]), np.array([part.mean() for part in bins])
    means = np.clip(means, 0.0, 1.0)  # a mean of ones may be a bit above one
    came_true = np.random.default_rng(0).binomial(rows, means, (CHANCES, len(bins)))
    errors = (abs(came_true / rows - means) * rows).sum(axis=1) / len(confidence)
    return float(np.quantile(errors, 0.99))


def confidences(task: str, actual: np.ndarray, scores: np.ndarray, classes: list) -> tuple[np.ndarray, np.ndarray]:
    """(probability, whether it came true): of the positive class, or of the likeliest class (Guo et al., 2017)."""
    if task == "binary":
        return scores, actual
    return scores.max(axis=1), (np.array(classes)[scores.argmax(axis=1)] == actual).astype(float)


# ---- each metric (actual: np.ndarray, scores: np.ndarray, classes: list) -> float


def roc_auc(actual: np.ndarray, scores: np.ndarray, classes: list) -> float:
    """The Mann-Whitney statistic: how often a positive scores above a negative, ties counting half."""
    positives = int(actual.sum())
    negatives = len(actual) - positives
    ranks = rankdata(scores)[actual == 1].sum()
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(actual: np.ndarray, scores: np.ndarray, classes: list) -> float:
    return sk.average_precision_score(actual, scores)


def log_loss(actual: np.ndarray, scores: np.ndarray, classes: list) -> float:
    clipped = np.clip(scores, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return -np.mean(np.where(actual == 1, np.log(clipped), np.log1p(-clipped)))


def brier(actual: np.ndarray, scores: np.ndarray, classes: list) -> float:
    return np.mean((scores - actual) ** 2)


def accuracy(actual: np.ndarray, scores: np.ndarray, classes: list) -> float:
    return np.mean(np.array(classes)[scores.argmax(axis=1)] == actual)


def macro_f1(actual: np.ndarray, scores: np.ndarray, classes: list) -> float:
    return sk.f1_score(actual, np.array(classes)[scores.argmax(axis=1)], average="macro", zero_division=0)


def multiclass_log_loss(actual: np.ndarray, scores: np.ndarray, classes: list) -> float:
    """A class that training never saw has no column; it counts as the least probability."""
    hit = actual[:, None] == np.array(classes)[None, :]
    given = np.where(hit.any(axis=1), (scores * hit).sum(axis=1), 0.0)
    return -np.mean(np.log(np.clip(given, LEAST_PROBABILITY, 1.0)))


def r2(actual: np.ndarray, scores: np.ndarray, classes: list) -> float:
    return sk.r2_score(actual, scores) if len(actual) > 1 else 0.0


def mae(actual: np.ndarray, scores: np.ndarray, classes: list) -> float:
    return np.mean(np.abs(scores - actual))


def rmse(actual: np.ndarray, scores: np.ndarray, classes: list) -> float:
    return np.sqrt(np.mean((scores - actual) ** 2))


METRICS = {
    "binary": {"roc_auc": roc_auc, "average_precision": average_precision, "log_loss": log_loss, "brier": brier},
    "multiclass": {"accuracy": accuracy, "macro_f1": macro_f1, "log_loss": multiclass_log_loss},
    "regression": {"r2": r2, "mae": mae, "rmse": rmse},
}
