"""A release by what really happened."""

import pytest

from domain.config.sections import Benchmarks
from domain.watch.observed import Observed, breaks, observe

AGREED = Benchmarks(metric="roc_auc", quality=0.65)


def outcome(prediction: bool, correct: bool, probability: float) -> dict:
    return {"prediction": prediction, "correct": correct, "probability": probability}


def test_outcomes_are_counted_and_measured():
    right, wrong = outcome(True, True, 0.8), outcome(False, False, 0.3)
    calm, alarm = outcome(False, True, 0.2), outcome(True, False, 0.6)
    assert observe("binary", "roc_auc", [right, wrong, calm, alarm] * 25) == Observed(
        outcomes=100,
        metric="roc_auc",
        quality=0.75,  # of the pairs of one that happened and one that did not, .8 > .2, .8 > .6, .3 > .2, but .3 < .6
        standard_error=pytest.approx(0.0489, abs=1e-4),
        decisions={"true_positive": 25, "false_positive": 25, "true_negative": 25, "false_negative": 25},
    )


def test_too_few_outcomes_have_counts_and_no_quality():
    observed = observe("binary", "roc_auc", [outcome(True, True, 0.8), outcome(False, True, 0.1)] * 10)
    assert (observed.outcomes, observed.is_enough, observed.quality) == (20, False, None)
    assert observed.decisions == {"true_positive": 10, "false_positive": 0, "true_negative": 10, "false_negative": 0}


def test_a_regression_and_a_multiclass_task_are_measured_by_what_was_answered():
    values = [{"prediction": 2.0, "outcome": 1.0, "error": 1.0}] * 100
    assert observe("regression", "mae", values).quality == 1.0
    labels = [{"prediction": "a", "outcome": "a", "correct": True}] * 150
    assert observe("multiclass", "accuracy", labels).quality == 1.0
    assert observe("multiclass", "log_loss", labels).quality is None  # outcomes hold no probability of each class


@pytest.mark.parametrize(
    ("quality", "error", "said"),
    [
        (0.64, 0.01, ""),  # which chance alone may do
        (0.60, 0.01, "roc_auc 0.6000 of 500 outcomes, at least 0.65 was agreed"),
        (0.66, 0.01, ""),
        (None, None, ""),
    ],
)
def test_quality_is_broken_beyond_what_chance_does(quality, error, said):
    assert breaks(AGREED, Observed(500, "roc_auc", quality, error)) == said


def test_where_smaller_is_better_the_limit_is_the_most():
    assert breaks(Benchmarks(metric="mae", quality=3.0), Observed(500, "mae", 4.0, 0.1)) == (
        "mae 4.0000 of 500 outcomes, at most 3 was agreed"
    )
