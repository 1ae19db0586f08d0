"""Metrics over outcomes are those that evaluation measures, to the last digits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.watch.quality import measure
from model_code.fitting.metrics import METRICS

SCORES = st.integers(0, 20).map(lambda number: number / 20)  # with ties
VALUES = st.integers(-50, 50).map(float)


@pytest.mark.parametrize("metric", METRICS["binary"])
@given(rows=st.lists(st.tuples(st.booleans(), SCORES), min_size=2, max_size=60))
def test_of_a_binary_task_it_is_that_of_evaluation(metric, rows):
    actual, scores = zip(*rows, strict=True)
    found = measure(metric, actual, scores)
    if len(set(actual)) < 2 and metric in ("roc_auc", "average_precision"):
        assert found is None or metric == "average_precision"
        return
    expected = METRICS["binary"][metric](np.array(actual, dtype=float), np.array(scores), [])
    assert found.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@given(rows=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=60))
def test_of_a_multiclass_task_it_is_that_of_evaluation(metric, rows):
    actual, answered = zip(*rows, strict=True)
    one_hot = np.array([[float(answer == name) for name in "abc"] for answer in answered])
    expected = METRICS["multiclass"][metric](np.array(actual), one_hot, ["a", "b", "c"])
    assert measure(metric, actual, answered).value == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS["regression"])
@given(rows=st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=60))
def test_of_a_regression_it_is_that_of_evaluation(metric, rows):
    actual, answered = zip(*rows, strict=True)
    found = measure(metric, actual, answered)
    if metric == "r2" and len(set(actual)) == 1:
        assert found is None
        return
    assert found.value == pytest.approx(METRICS["regression"][metric](np.array(actual), np.array(answered), []))


def test_without_a_row_or_with_one_class_only_there_is_no_quality():
    assert (measure("roc_auc", [], []), measure("roc_auc", [True, True], [0.1, 0.2])) == (None, None)


def test_the_error_of_an_area_is_near_that_of_resampling():
    random = np.random.default_rng(7)
    actual = random.random(400) < 0.3
    scores = random.normal(size=400) + actual
    areas = []
    for _ in range(300):
        drawn = random.integers(0, 400, 400)
        areas.append(measure("roc_auc", actual[drawn].tolist(), scores[drawn].tolist()).value)
    found = measure("roc_auc", actual.tolist(), scores.tolist())
    assert found.standard_error == pytest.approx(np.std(areas), rel=0.25)
