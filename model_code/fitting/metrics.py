"""A model's scores against the outcomes: quality and calibration.

Scores are (rows,) P(positive) for a binary task, (rows, classes) for a multiclass one, (rows,) values for a regression.
"""

from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn import metrics as sk

from domain.contract.schema import Contract

_BINS = 15
_CHANCES = 2000
_LEAST_PROBABILITY = 1e-15


def measure(task: str, actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> dict[str, float]:
    """Compute every metric of the task. `actual` holds 0 and 1, labels of `classes`, or values."""
    values = {name: float(metric(actual, scores, classes)) for name, metric in METRICS[task].items()}
    if task != "regression":
        values["calibration_error"] = calibration_error(*confidences(task, actual, scores, classes))
    return values


def chance(task: str, actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float | None:
    """Return the calibration error that chance alone makes at so many rows; None for a regression, which has none."""
    if task == "regression":
        return None
    confidence, _ = confidences(task, actual, scores, classes)
    return calibration_by_chance(confidence)


def prior_scores(contract: Contract, rows: int, classes: list[Any]) -> np.ndarray:
    """Return the scores of answering every row with the contract's prior."""
    prior: Any = contract.prior  # for multiclass the share of each class, else one number
    if contract.task == "multiclass":
        shares = np.array([prior.get(str(name), 0.0) for name in classes])
        return np.tile(shares / (shares.sum() or 1.0), (rows, 1))
    return np.full(rows, float(prior))


# ---- calibration


def calibration_error(confidence: np.ndarray, came_true: np.ndarray) -> float:
    """Compute the expected calibration error over bins of equally many rows (Naeini et al., 2015; equal-mass bins:
    Nixon et al., 2019).
    """
    bins = calibration_bins(confidence)
    gaps = [abs(confidence[part].mean() - came_true[part].mean()) * len(part) for part in bins]
    return float(sum(gaps) / len(confidence))


def calibration_bins(confidence: np.ndarray) -> list[np.ndarray]:
    """Split the rows into bins of equally many, by their order: the places of each bin's rows."""
    order = np.argsort(confidence, kind="stable")
    return [part for part in np.array_split(order, _BINS) if len(part)]


def calibration_by_chance(confidence: np.ndarray) -> float:
    """Return the calibration error that a perfectly calibrated model with these probabilities exceeds in one evaluation
    of a hundred: outcomes are drawn from them, seeded, bin by bin.
    """
    bins = [part for part in np.array_split(np.sort(confidence), _BINS) if len(part)]
    rows, means = np.array([len(part) for part in bins]), np.array([part.mean() for part in bins])
    means = np.clip(means, 0.0, 1.0)  # rounding puts a mean of ones above one
    came_true = np.random.default_rng(0).binomial(rows, means, (_CHANCES, len(bins)))
    errors = (abs(came_true / rows - means) * rows).sum(axis=1) / len(confidence)
    return float(np.quantile(errors, 0.99))


def confidences(task: str, actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of the positive or of the likeliest class, and whether it came true (Guo et al., 2017)."""
    if task == "binary":
        return scores, actual
    return scores.max(axis=1), (np.array(classes)[scores.argmax(axis=1)] == actual).astype(float)


# ---- each metric (actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float


def _roc_auc(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float:
    """Compute the Mann-Whitney statistic: how often a positive scores above a negative, ties counting half."""
    positives = int(actual.sum())
    negatives = len(actual) - positives
    ranks = rankdata(scores)[actual == 1].sum()
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def _average_precision(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float:
    return sk.average_precision_score(actual, scores)


def _log_loss(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float:
    return np.mean(row_log_loss(actual, scores))


def row_log_loss(actual: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the log loss (rows,) of each row."""
    clipped = np.clip(scores, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    return -np.where(actual == 1, np.log(clipped), np.log1p(-clipped))


def _brier(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float:
    return np.mean((scores - actual) ** 2)


def _accuracy(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float:
    return np.mean(np.array(classes)[scores.argmax(axis=1)] == actual)


def _macro_f1(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float:
    return sk.f1_score(actual, np.array(classes)[scores.argmax(axis=1)], average="macro", zero_division=0)


def _multiclass_log_loss(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float:
    return np.mean(row_multiclass_log_loss(actual, scores, classes))


def row_multiclass_log_loss(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    """Return the log loss (rows,) of each row; a class that training never saw has no column and counts as the least
    probability.
    """
    hit = actual[:, None] == np.array(classes)[None, :]
    probabilities = np.where(hit.any(axis=1), (scores * hit).sum(axis=1), 0.0)
    return -np.log(np.clip(probabilities, _LEAST_PROBABILITY, 1.0))


def _r2(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float:
    return sk.r2_score(actual, scores) if len(actual) > 1 else 0.0


def _mae(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float:
    return np.mean(np.abs(scores - actual))


def _rmse(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> float:
    return np.sqrt(np.mean((scores - actual) ** 2))


METRICS = {
    "binary": {"roc_auc": _roc_auc, "average_precision": _average_precision, "log_loss": _log_loss, "brier": _brier},
    "multiclass": {"accuracy": _accuracy, "macro_f1": _macro_f1, "log_loss": _multiclass_log_loss},
    "regression": {"r2": _r2, "mae": _mae, "rmse": _rmse},
}
