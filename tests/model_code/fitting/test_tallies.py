import numpy as np

from model_code.fitting import tallies


def test_the_threshold_itself_is_a_yes():
    actual, scores = np.array([1, 1, 0, 0, 1]), np.array([0.5, 0.49, 0.5, 0.1, 0.9])
    counts = {"true_positive": 2, "false_positive": 1, "true_negative": 1, "false_negative": 1}
    assert tallies.decisions(actual, scores, 0.5) == counts


def test_a_class_that_training_never_saw_and_one_that_no_row_has_are_counted_too():
    shares = np.array([[0.8, 0.2, 0.0], [0.6, 0.4, 0.0], [0.3, 0.7, 0.0], [0.1, 0.1, 0.8]])
    assert tallies.class_counts(np.array(["a", "b", "b", "new"]), shares, ["a", "b", "c"]) == {
        "a": {"right": 1, "answered": 2, "actual": 1},
        "b": {"right": 1, "answered": 1, "actual": 2},
        "c": {"right": 0, "answered": 1, "actual": 0},
        "new": {"right": 0, "answered": 0, "actual": 1},
    }


def test_errors_of_a_regression_lean_one_way_and_have_a_tail():
    actual, scores = np.zeros(11), np.array([1.0, 1, 1, 1, 1, 2, 2, 2, 2, 3, -16])
    assert tallies.errors(actual, scores) == {"rows": 11, "mean": 0.0, "median_absolute": 2.0, "nine_of_ten": 3.0}
