"""Curves in bounded size, held to scikit-learn's of all thresholds."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from domain.train.curves import drawn
from model_code.fitting import metrics, tallies
from model_code.fitting.curves import curve

SCORED = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])), min_size=2, max_size=40
).filter(lambda pairs: len({label for label, _ in pairs}) == 2)


def area(points):
    x, y = np.array(points).T
    return float(np.trapezoid(y, x))


@settings(max_examples=50, deadline=None)
@given(SCORED)
def test_few_thresholds_are_kept_whole(pairs):
    actual, scores = np.array([int(label) for label, _ in pairs]), np.array([score for _, score in pairs])
    cuts = curve("binary", actual, scores, [0, 1])["cuts"]
    rates, recalls, thresholds = sk.roc_curve(actual, scores, drop_intermediate=False)
    assert cuts["threshold"] == thresholds[1:].tolist()
    assert cuts["true_positive"] == np.rint(recalls[1:] * actual.sum()).tolist()
    assert cuts["false_positive"] == np.rint(rates[1:] * (1 - actual).sum()).tolist()


@pytest.mark.parametrize("sharpness", [0.0, 0.7, 3.0, -2.0])
@pytest.mark.parametrize("rows", [1_000, 200_000])
def test_many_thresholds_are_thinned_and_the_area_stays(rows, sharpness):
    random = np.random.default_rng(rows)
    scores = random.random(rows)
    actual = (random.random(rows) < 1 / (1 + np.exp(-sharpness * (4 * scores - 3)))).astype(int)
    found = curve("binary", actual, scores, [0, 1])
    roc, precision_recall, _ = drawn(found)
    assert len(found["cuts"]["threshold"]) <= 202
    assert len(json.dumps(found)) < 10_000
    assert area(roc) == pytest.approx(sk.roc_auc_score(actual, scores), abs=0.005)
    assert area(precision_recall) == pytest.approx(sk.average_precision_score(actual, scores), abs=0.01)
    cut = {name: values[60] for name, values in found["cuts"].items()}
    counted = tallies.decisions(actual, scores, cut["threshold"])
    assert (cut["true_positive"], cut["false_positive"]) == (counted["true_positive"], counted["false_positive"])


def test_the_bins_are_those_of_the_calibration_error():
    random = np.random.default_rng(5)
    shares = random.dirichlet([1, 2, 3], 600)
    actual = random.choice(["a", "b", "c"], 600)
    found = curve("multiclass", actual, shares, ["a", "b", "c"])
    bins = found["calibration"]
    gaps = np.abs(np.subtract(bins["predicted"], bins["happened"])) * bins["rows"]
    assert list(found) == ["calibration"] and bins["rows"] == [40] * 15
    error = metrics.measure("multiclass", actual, shares, ["a", "b", "c"])["calibration_error"]
    assert gaps.sum() / 600 == pytest.approx(error)


def test_a_regression_has_its_predictions_beside_what_happened():
    found = curve("regression", np.array([1.0, 3.0, 8.0]), np.array([2.0, 2.5, 7.0]), [])
    assert found == {"calibration": {"rows": [1, 1, 1], "predicted": [2.0, 2.5, 7.0], "happened": [1.0, 3.0, 8.0]}}
