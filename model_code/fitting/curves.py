"""Curves of a model from its scores, in bounded size: at most 202 cuts and 15 bins for any number of rows."""

from typing import Any

import numpy as np

from domain.train.curves import Calibration, Curve, Cuts
from model_code.fitting.metrics import calibration_bins, confidences

# Of the way from no yes to all rows, in recall and false positive rate together. The vertices on either side of each
# step are kept, so the area under the kept ROC curve differs from that under all vertices by at most 0.005.
_STEPS = 100


def curve(task: str, actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> Curve:
    """Compute the curves of scores, shaped as in metrics.py. `actual` has both classes where the task is binary."""
    if task == "regression":
        return {"calibration": _calibration(scores, actual)}
    calibration = _calibration(*confidences(task, actual, scores, classes))
    if task == "multiclass":
        return {"calibration": calibration}
    return {"cuts": _cuts(actual, scores), "calibration": calibration}


def _calibration(predicted: np.ndarray, happened: np.ndarray) -> Calibration:
    bins = calibration_bins(predicted)
    return {
        "rows": [len(part) for part in bins],
        "predicted": [float(predicted[part].mean()) for part in bins],
        "happened": [float(happened[part].mean()) for part in bins],
    }


def _cuts(actual: np.ndarray, scores: np.ndarray) -> Cuts:
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # the last row of each distinct score
    true = np.cumsum(actual[order] == 1)[ends]
    false = ends + 1 - true
    kept = _vertices(true / true[-1] + false / false[-1])
    return {
        "threshold": scores[order][ends[kept]].tolist(),
        "true_positive": true[kept].tolist(),
        "false_positive": false[kept].tolist(),
    }


def _vertices(travelled: np.ndarray) -> np.ndarray:
    """Choose the first vertex that reaches each step of the way, and the one before it."""
    reached = np.searchsorted(travelled, np.linspace(0, travelled[-1], _STEPS + 1))
    return np.unique(np.concatenate([reached, np.maximum(reached - 1, 0)]))
