"""Count correct and wrong answers: decisions of a binary task, classes of a multiclass one, errors of a regression."""

from typing import Any

import numpy as np

from domain.release.evaluation import ClassCounts, Errors


def decisions(actual: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, int]:
    """Count right and wrong decisions: yes where P(positive) reaches the threshold, else no. [business] values them."""
    yes, true = scores >= threshold, actual == 1
    return {
        "true_positive": int((yes & true).sum()),
        "false_positive": int((yes & ~true).sum()),
        "true_negative": int((~yes & ~true).sum()),
        "false_negative": int((~yes & true).sum()),
    }


def class_counts(actual: np.ndarray, scores: np.ndarray, classes: list[Any]) -> dict[str, ClassCounts]:
    """Count each label that is there or was answered: the rows that have it, those answered so, and those right."""
    answered = np.array(classes)[scores.argmax(axis=1)]
    return {
        str(label): {
            "right": int(((actual == label) & (answered == label)).sum()),
            "answered": int((answered == label).sum()),
            "actual": int((actual == label).sum()),
        }
        for label in sorted({*actual.tolist(), *answered.tolist()})
    }


def errors(actual: np.ndarray, scores: np.ndarray) -> Errors:
    """Describe the distance of the answers from the outcomes, in the target's own unit."""
    distance = np.abs(scores - actual)
    return {
        "rows": len(actual),
        "mean": float(np.mean(scores - actual)),
        "median_absolute": float(np.median(distance)),
        "nine_of_ten": float(np.quantile(distance, 0.9)),
    }
