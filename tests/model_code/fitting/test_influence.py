"""Standard errors from influences, against simulated worlds whose truth is known and against the jackknife."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from model_code.fitting.influence import influence, standard_error
from model_code.fitting.metrics import METRICS

CLASSES = {"binary": [0, 1], "multiclass": ["a", "b", "c"], "regression": []}
EVERY_METRIC = [(task, metric) for task, metrics in METRICS.items() for metric in metrics]


def world(task: str, random: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the outcomes of rows and the scores of two models that read the same signal, one with more noise."""
    signal = random.normal(size=rows)
    seen = [signal + noise * random.normal(size=rows) for noise in (0.5, 0.8)]
    if task == "regression":
        return signal + 0.3 * random.normal(size=rows), *seen
    if task == "binary":
        actual = (random.random(rows) < 1 / (1 + np.exp(-signal))).astype(int)
        return actual, *(np.round(1 / (1 + np.exp(-each)), 2) for each in seen)  # rounded: some scores are tied
    actual = np.array(CLASSES[task])[np.digitize(signal + 0.3 * random.normal(size=rows), [-0.5, 0.5])]
    return actual, *(_shares(each) for each in seen)


def _shares(seen: np.ndarray) -> np.ndarray:
    weights = np.exp(-((seen[:, None] - np.array([-1.0, 0.0, 1.0])) ** 2))
    return weights / weights.sum(axis=1, keepdims=True)


def gain_and_error(task: str, metric: str, drawn: tuple) -> tuple[float, float]:
    actual, scores, other = drawn
    qualities = [METRICS[task][metric](actual, each, CLASSES[task]) for each in (scores, other)]
    moved = [influence(task, metric, actual, each, CLASSES[task]) for each in (scores, other)]
    return qualities[0] - qualities[1], standard_error(moved[0] - moved[1])


@pytest.mark.parametrize(("task", "metric"), EVERY_METRIC)
def test_a_gain_lies_within_two_standard_errors_of_the_true_one_in_95_of_100_evaluations(task, metric):
    random = np.random.default_rng(11)
    truth, _ = gain_and_error(task, metric, world(task, random, 400_000))
    drawn = [gain_and_error(task, metric, world(task, random, 800)) for _ in range(400)]
    covered = np.mean([abs(gain - truth) <= 1.96 * error for gain, error in drawn])
    assert 0.915 <= covered <= 0.985  # 0.95 by 3.2 standard errors of a share of 400
    gains, errors = np.array(drawn).T
    assert np.mean(errors) == pytest.approx(np.std(gains), rel=0.1)


@pytest.mark.parametrize(("task", "metric"), EVERY_METRIC)
def test_a_metrics_own_standard_error_is_that_of_the_jackknife(task, metric):
    actual, scores, _ = world(task, np.random.default_rng(5), 300)
    without = np.array([np.arange(300) != row for row in range(300)])
    values = [METRICS[task][metric](actual[kept], scores[kept], CLASSES[task]) for kept in without]
    jackknife = np.sqrt(299 / 300 * np.sum((values - np.mean(values)) ** 2))
    found = standard_error(influence(task, metric, actual, scores, CLASSES[task]))
    assert found == pytest.approx(jackknife, rel=0.03)


def test_two_models_that_agree_have_a_surer_gain_than_two_that_were_measured_apart():
    actual, scores, _ = world("binary", np.random.default_rng(2), 5_000)
    slightly = np.clip(scores + np.random.default_rng(3).normal(scale=0.01, size=5_000), 0, 1)
    one, other = (influence("binary", "roc_auc", actual, each, [0, 1]) for each in (scores, slightly))
    assert standard_error(one - other) < 0.1 * standard_error(one)
    assert standard_error(one - one) == 0.0


def test_the_error_of_the_area_is_delongs_for_few_positives_too():
    actual, scores = np.array([1, 1, 1, 0, 0, 0, 0, 0]), np.array([0.9, 0.4, 0.8, 0.4, 0.3, 0.6, 0.1, 0.2])
    wins = (scores[:3, None] > scores[None, 3:]) + 0.5 * (scores[:3, None] == scores[None, 3:])
    delong = np.sqrt(np.var(wins.mean(axis=1), ddof=1) / 3 + np.var(wins.mean(axis=0), ddof=1) / 5)
    assert wins.mean() == pytest.approx(roc_auc_score(actual, scores))
    assert standard_error(influence("binary", "roc_auc", actual, scores, [0, 1])) == pytest.approx(delong)


def test_an_error_free_or_constant_table_has_no_spread_and_no_division_by_zero():
    same, values = np.ones(4), np.array([1.0, 2.0, 3.0, 4.0])
    for metric, actual, scores in (("rmse", values, values), ("r2", same, values), ("mae", values, values)):
        assert standard_error(influence("regression", metric, actual, scores, [])) == 0.0
