"""How much each row moves a metric: from that the standard error of the metric, and of a gain on the same rows.

The influence of a row is the metric's derivative in the weight of that row (Hampel, 1974). The metric of n rows varies
like the mean of n influences; a gain varies like the mean of their differences, which are small where two models are
right and wrong on the same rows. ROC AUC has the components of DeLong et al. (1988), by the midranks of Sun and Xu
(2014). Sorting is the most that any of it costs.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import rankdata

from model_code.fitting.metrics import row_log_loss, row_multiclass_log_loss


def influence(task: str, metric: str, actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    """Return the influence (rows,) of each row on the metric; arguments are those of `metrics.measure`."""
    return _INFLUENCES[task][metric](actual, scores, classes)


def standard_error(influences: np.ndarray) -> float:
    """Return the standard error of what the influences are of: a metric, or the difference of two on the same rows."""
    rows = len(influences)
    return float(np.std(influences, ddof=1) / np.sqrt(rows)) if rows > 1 else 0.0


# ---- each metric (actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray


def _roc_auc(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    """Return DeLong's components, scaled so that their standard error is DeLong's to the last digit."""
    rows, true = len(actual), actual == 1
    positives = int(true.sum())
    negatives = rows - positives
    ranks = rankdata(scores)
    wins = np.empty(rows)  # of a positive over the negatives, or of the positives over a negative, as a share
    wins[true] = (ranks[true] - rankdata(scores[true])) / negatives
    wins[~true] = 1 - (ranks[~true] - rankdata(scores[~true])) / positives
    moved = wins - wins[true].mean()
    for group, size in ((true, positives), (~true, negatives)):
        moved[group] *= rows / size * np.sqrt(size / max(size - 1, 1) * (rows - 1) / rows)
    return moved


def _average_precision(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    """Return the derivative of E[precision at the positive's score]: by its own precision, and by that of each lower
    positive, which every row above it changes.
    """
    rows, order = len(actual), np.argsort(-scores, kind="stable")
    is_last = np.append(np.diff(scores[order]) != 0, True)  # of the rows with the same score
    ends = np.flatnonzero(is_last)
    group = np.cumsum(is_last) - is_last
    hits = np.cumsum(actual[order] == 1)[ends]
    precision, share_above = hits / (ends + 1), (ends + 1) / rows
    positives = np.diff(hits, prepend=0) / rows
    by_a_positive, by_any = (
        np.cumsum((positives * weight / share_above)[::-1])[::-1] for weight in (np.ones(len(ends)), precision)
    )
    share, total = hits[-1] / rows, float(positives @ precision)
    true = actual[order] == 1
    moved = true * (precision[group] + by_a_positive[group]) - by_any[group] - total - total / share * (true - share)
    unsorted = np.empty(rows)
    unsorted[order] = moved / share
    return unsorted


def _log_loss(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    return _of_a_mean(row_log_loss(actual, scores))


def _brier(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    return _of_a_mean((scores - actual) ** 2)


def _accuracy(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    return _of_a_mean((np.array(classes)[scores.argmax(axis=1)] == actual).astype(float))


def _macro_f1(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    """Return the mean over the labels, each of whose F1 is a ratio of two means."""
    answered = np.array(classes)[scores.argmax(axis=1)]
    labels = sorted({*actual.tolist(), *answered.tolist()})
    moved = np.zeros(len(actual))
    for label in labels:
        real, said = actual == label, answered == label
        moved += _of_a_ratio(2.0 * (real & said), real.astype(float) + said)
    return moved / len(labels)


def _multiclass_log_loss(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    return _of_a_mean(row_multiclass_log_loss(actual, scores, classes))


def _r2(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    around_mean = (actual - actual.mean()) ** 2
    return -_of_a_ratio((scores - actual) ** 2, around_mean) if around_mean.any() else np.zeros(len(actual))


def _mae(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    return _of_a_mean(np.abs(scores - actual))


def _rmse(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> np.ndarray:
    squares = (scores - actual) ** 2
    error = np.sqrt(squares.mean())
    return _of_a_mean(squares) / (2 * error) if error else np.zeros(len(actual))


def _of_a_mean(values: np.ndarray) -> np.ndarray:
    return values - values.mean()


def _of_a_ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return (above - above.mean() / below.mean() * below) / below.mean()


_INFLUENCES: dict[str, dict[str, Callable[[np.ndarray, np.ndarray, list[Any]], np.ndarray]]] = {
    "binary": {"roc_auc": _roc_auc, "average_precision": _average_precision, "log_loss": _log_loss, "brier": _brier},
    "multiclass": {"accuracy": _accuracy, "macro_f1": _macro_f1, "log_loss": _multiclass_log_loss},
    "regression": {"r2": _r2, "mae": _mae, "rmse": _rmse},
}
