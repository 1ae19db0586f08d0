"""Curves read back from their counts."""

import pytest

from domain.train.curves import drawn, precision_at, recall_at

BINS = {"rows": [3, 3], "predicted": [0.2, 0.6], "happened": [1 / 3, 2 / 3]}
# Scores .9 and .8 are positive, .5 one of each, .1 two that are not.
CUTS = {"threshold": [0.9, 0.8, 0.5, 0.1], "true_positive": [1, 2, 3, 3], "false_positive": [0, 0, 1, 3]}


def test_a_binary_task_has_three_curves():
    assert drawn({"cuts": CUTS, "calibration": BINS}) == (
        [(0.0, 0.0), (0.0, 1 / 3), (0.0, 2 / 3), (1 / 3, 1.0), (1.0, 1.0)],
        [(1 / 3, 1.0), (2 / 3, 1.0), (1.0, 3 / 4), (1.0, 1 / 2)],
        [(0.2, 1 / 3), (0.6, 2 / 3)],
    )


def test_another_task_has_its_calibration_alone():
    assert drawn({"calibration": BINS}) == ([], [], [(0.2, 1 / 3), (0.6, 2 / 3)])


@pytest.mark.parametrize(("rate", "recall"), [(0.0, 2 / 3), (1 / 6, 5 / 6), (1 / 3, 1.0), (0.9, 1.0), (1.0, 1.0)])
def test_recall_is_read_between_the_points(rate, recall):
    roc, _, _ = drawn({"cuts": CUTS, "calibration": BINS})
    assert recall_at(roc, rate) == pytest.approx(recall)


@pytest.mark.parametrize(("recall", "precision"), [(0.0, 1.0), (0.5, 1.0), (0.7, 0.75), (1.0, 0.75)])
def test_precision_is_that_of_the_strictest_threshold_that_reaches_the_recall(recall, precision):
    _, points, _ = drawn({"cuts": CUTS, "calibration": BINS})
    assert precision_at(points, recall) == precision
