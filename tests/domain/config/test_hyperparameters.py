"""Hyperparameters are checked by name and value against scikit-learn's own constraints, without scikit-learn."""

import json
import math
import subprocess
import sys

import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils._param_validation import InvalidParameterError

from domain.config.hyperparameters import ESTIMATORS, FIXED, INF, Number, Range, estimator_of, hyperparameter_problems
from model_code.fitting.candidates import build
from tests.model_code.projects import PROJECTS

OURS = {
    one.__name__: one
    for one in (
        DummyClassifier,
        DummyRegressor,
        LogisticRegression,
        Ridge,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )
}
CANDIDATES = ["prior", "logistic_regression", "gradient_boosting"]
TRIED = [-1, 0, 1, 2, 255, 256, 2**32, -0.5, 0.0, 0.5, 1.0, 1.5, math.inf, [], "balanced"]


@pytest.mark.parametrize("name", OURS)
def test_the_names_are_those_of_the_estimator(name):
    assert {*ESTIMATORS[name], *FIXED.get(name, ())} == set(OURS[name]().get_params())


@pytest.mark.parametrize("name", OURS)
def test_a_value_is_refused_exactly_when_the_estimator_refuses_it(name):
    candidate, task = next(
        (each, task) for each in CANDIDATES for task in ("binary", "regression") if estimator_of(each, task) == name
    )
    for parameter, alternatives in ESTIMATORS[name].items():
        for value in tried(alternatives):
            refused = bool(hyperparameter_problems(candidate, task, {parameter: value}))
            assert refused == is_refused(OURS[name], parameter, value), (parameter, value)


def tried(alternatives: tuple) -> list:
    """Values within and beyond the alternatives. Left out is what scikit-learn only happens to take: true as a number,
    and a table as a list.
    """
    texts = [each for each in alternatives if isinstance(each, str)]
    limits = [limit for each in alternatives if isinstance(each, Range) for limit in (each.low, each.high)]
    booleans = [True] if bool in alternatives or not limits else []
    tables = [{}] if dict in alternatives or list not in alternatives else []
    return [*TRIED, *texts, *limits, *booleans, *tables]


def is_refused(estimator: type, parameter: str, value: object) -> bool:
    try:
        estimator(**{parameter: value})._validate_params()
    except InvalidParameterError:
        return True
    return False


@pytest.mark.parametrize("task", PROJECTS)
@pytest.mark.parametrize("candidate", CANDIDATES)
def test_a_recipe_builds_the_estimator_that_its_hyperparameters_are_checked_for(candidate, task):
    contract, _ = PROJECTS[task]()
    built = build(candidate, contract, used=list(range(len(contract.features))), parameters={}, seed=0)
    last = built.steps[-1][1] if hasattr(built, "steps") else built
    assert type(last).__name__ == estimator_of(candidate, task)


@pytest.mark.parametrize(
    ("candidate", "values", "problem"),
    [
        (
            "gradient_boosting",
            {"max_itr": 5},
            "max_itr = 5: is not a hyperparameter of HistGradientBoostingClassifier; did you mean max_iter?",
        ),
        ("gradient_boosting", {"max_iter": 0}, "max_iter = 0: must be a whole number at least 1"),
        ("gradient_boosting", {"max_bins": 500}, "max_bins = 500: must be a whole number at least 2 and at most 255"),
        ("gradient_boosting", {"early_stopping": 3}, "early_stopping = 3: must be 'auto' or true or false"),
        (
            "gradient_boosting",
            {"categorical_features": []},
            "categorical_features = []: must be left out; the recipe sets categorical_features itself",
        ),
        (
            "prior",
            {"x": 1},
            "x = 1: must be a hyperparameter of DummyClassifier: random_state, constant",
        ),
    ],
)
def test_a_problem_names_the_setting_the_value_and_the_way_out(candidate, values, problem):
    assert hyperparameter_problems(candidate, "binary", values) == [f"training.parameters.{candidate}.{problem}"]


def test_a_number_is_described_by_its_limits():
    assert Range(Number.ANY, 0, INF, "right") in ESTIMATORS["LogisticRegression"]["C"]
    (problem,) = hyperparameter_problems("logistic_regression", "binary", {"C": 0})
    assert problem == "training.parameters.logistic_regression.C = 0: must be a number above 0"


def test_the_check_needs_no_scikit_learn():
    code = "import sys, domain.config.hyperparameters; import json; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60))
    assert not any(name.partition(".")[0] in ("sklearn", "numpy") for name in loaded)
