"""Calibration: the newest part of the training rows turns a candidate's scores into probabilities."""

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from domain.contract.schema import Contract

_CALIBRATED = {"gradient_boosting"}  # a logistic regression is calibrated as it is
_CALIBRATION_SHARE = 0.2  # the newest part of the training rows
_FEWEST_TO_CALIBRATE = 50  # rows of each class in that part


def calibration_cut(candidate: str, contract: Contract, labels: np.ndarray) -> int:
    """Return the number of rows to fit on; the rows after them calibrate. All rows, if those would be too few."""
    if candidate not in _CALIBRATED or contract.task == "regression":
        return len(labels)
    cut = int(len(labels) * (1 - _CALIBRATION_SHARE))
    counts = [np.unique(part, return_counts=True)[1] for part in (labels[:cut], labels[cut:])]
    classes = len(np.unique(labels))
    enough = all(len(count) == classes and count.min() >= _FEWEST_TO_CALIBRATE for count in counts)
    return cut if enough else len(labels)


def calibrated(estimator: Any, features: np.ndarray, labels: np.ndarray) -> CalibratedClassifierCV:
    """Return the fitted estimator with a sigmoid over each class's score, fitted on (rows, features) and labels."""
    return CalibratedClassifierCV(FrozenEstimator(estimator), method="sigmoid").fit(features, labels)
