"""The risk-coverage curve: how often a model is wrong if it answers only the rows of which it is surest."""

import numpy as np

from domain.train.curves import Risk

WINDOW = 500  # rows in the order of time
_POINTS = 20
_LEAST_ANSWERED = 50  # rows of a window, of which a share can be said


def risk(sureness: np.ndarray, wrong: np.ndarray) -> Risk:
    """Compute the curve (El-Yaniv and Wiener, 2010) of rows in the order of time.

    `sureness` (rows,) is larger for an answer that is surer, `wrong` (rows,) whether it was wrong. Equally sure rows
    are answered together, so that a point may lie further on than the next twentieth.
    """
    descending = np.sort(sureness)[::-1]
    places = np.ceil(np.arange(1, _POINTS + 1) / _POINTS * len(descending)).astype(int) - 1
    window = max(1, min(WINDOW, len(wrong) // 2))
    curve: Risk = {"answered": [], "wrong": [], "worst": [], "window": window}
    for least in np.unique(descending[places])[::-1]:
        answered = sureness >= least
        curve["answered"].append(float(answered.mean()))
        curve["wrong"].append(float(wrong[answered].mean()))
        curve["worst"].append(_worst(answered, wrong & answered, window))
    return curve


def _worst(answered: np.ndarray, wrong: np.ndarray, window: int) -> float | None:
    rows, errors = in_windows(answered, window), in_windows(wrong, window)
    enough = rows >= _LEAST_ANSWERED
    return float((errors[enough] / rows[enough]).max()) if enough.any() else None


def in_windows(marked: np.ndarray, window: int) -> np.ndarray:
    """Count the marked rows of every `window` rows in a row."""
    counted = np.append(0, np.cumsum(marked))
    return counted[window:] - counted[:-window]
