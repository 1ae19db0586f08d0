"""Check hyperparameters against those of each candidate's scikit-learn estimator, without importing scikit-learn.

A test compares the tables with scikit-learn's own constraints. Parameters that a recipe sets itself (FIXED) are left
out.
"""

import math
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, NamedTuple

INF = math.inf


class Number(StrEnum):
    """Kind of a number: ANY includes whole numbers, FRACTION excludes numbers written as whole ones."""

    WHOLE = "a whole number"
    ANY = "a number"
    FRACTION = "a number with a decimal point"


class Range(NamedTuple):
    """Numbers from `low` to `high`; `closed` says which of the two are included: left, right, both or neither."""

    kind: Number
    low: float
    high: float
    closed: str


Alternative = Range | str | type  # numbers, one text, or any value of a TOML type
Alternatives = tuple[Alternative, ...]

_SEED = (Range(Number.WHOLE, 0, 2**32 - 1, "both"),)
_VERBOSE = (Range(Number.WHOLE, 0, INF, "left"), bool)
_POSITIVE_WHOLE = (Range(Number.WHOLE, 1, INF, "left"),)
_NOT_NEGATIVE = (Range(Number.ANY, 0, INF, "left"),)
_POSITIVE = (Range(Number.ANY, 0, INF, "neither"),)
_SHARE = (Range(Number.ANY, 0, 1, "both"),)
_CLASS_WEIGHT = (dict, "balanced")

_BOOSTING: dict[str, Alternatives] = {
    "learning_rate": _POSITIVE,
    "max_iter": _POSITIVE_WHOLE,
    "max_leaf_nodes": (Range(Number.WHOLE, 2, INF, "left"),),
    "max_depth": _POSITIVE_WHOLE,
    "min_samples_leaf": _POSITIVE_WHOLE,
    "l2_regularization": _NOT_NEGATIVE,
    "max_features": (Range(Number.FRACTION, 0, 1, "right"),),
    "monotonic_cst": (list, dict),
    "interaction_cst": (list, "no_interactions", "pairwise"),
    "n_iter_no_change": _POSITIVE_WHOLE,
    "validation_fraction": (Range(Number.FRACTION, 0, 1, "neither"), *_POSITIVE_WHOLE),
    "tol": _NOT_NEGATIVE,
    "max_bins": (Range(Number.WHOLE, 2, 255, "both"),),
    "warm_start": (bool,),
    "early_stopping": ("auto", bool),
    "scoring": (str,),
    "verbose": _VERBOSE,
    "random_state": _SEED,
}
ESTIMATORS: dict[str, dict[str, Alternatives]] = {
    "DummyClassifier": {
        "random_state": _SEED,
        "constant": (Range(Number.WHOLE, -INF, INF, "neither"), str, list),
    },
    "DummyRegressor": {
        "strategy": ("constant", "mean", "median", "quantile"),
        "quantile": _SHARE,
        "constant": (Range(Number.ANY, -INF, INF, "neither"), list),
    },
    "LogisticRegression": {
        "penalty": ("elasticnet", "l1", "l2"),
        "C": (Range(Number.ANY, 0, INF, "right"),),
        "l1_ratio": _SHARE,
        "dual": (bool,),
        "tol": _NOT_NEGATIVE,
        "fit_intercept": (bool,),
        "intercept_scaling": _POSITIVE,
        "class_weight": _CLASS_WEIGHT,
        "random_state": _SEED,
        "solver": ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"),
        "max_iter": (Range(Number.WHOLE, 0, INF, "left"),),
        "verbose": _VERBOSE,
        "warm_start": (bool,),
        "n_jobs": (Range(Number.WHOLE, -INF, INF, "neither"),),
    },
    "Ridge": {
        "alpha": (*_NOT_NEGATIVE, list),
        "fit_intercept": (bool,),
        "copy_X": (bool,),
        "max_iter": _POSITIVE_WHOLE,
        "tol": _NOT_NEGATIVE,
        "solver": ("auto", "cholesky", "lbfgs", "lsqr", "sag", "saga", "sparse_cg", "svd"),
        "positive": (bool,),
        "random_state": _SEED,
    },
    "HistGradientBoostingClassifier": {**_BOOSTING, "loss": ("log_loss",), "class_weight": _CLASS_WEIGHT},
    "HistGradientBoostingRegressor": {
        **_BOOSTING,
        "loss": ("absolute_error", "gamma", "poisson", "quantile", "squared_error"),
        "quantile": _SHARE,
    },
}
FIXED = {
    "DummyClassifier": ("strategy",),
    "HistGradientBoostingClassifier": ("categorical_features",),
    "HistGradientBoostingRegressor": ("categorical_features",),
}
_CLASSIFIERS = {
    "prior": "DummyClassifier",
    "logistic_regression": "LogisticRegression",
    "gradient_boosting": "HistGradientBoostingClassifier",
}
_REGRESSORS = {
    "prior": "DummyRegressor",
    "logistic_regression": "Ridge",
    "gradient_boosting": "HistGradientBoostingRegressor",
}


def estimator_of(candidate: str, task: str) -> str:
    """Name the scikit-learn estimator of a candidate's recipe."""
    return (_REGRESSORS if task == "regression" else _CLASSIFIERS)[candidate]


def hyperparameter_problems(candidate: str, task: str, values: Mapping[str, Any]) -> list[str]:
    """Describe each value that the candidate's estimator would refuse, and each parameter that it does not have."""
    estimator = estimator_of(candidate, task)
    known = ESTIMATORS[estimator]
    problems = []
    for name, value in values.items():
        where = f"training.parameters.{candidate}.{name} = {value!r}"
        if name not in known:
            problems.append(f"{where}: {_unknown(name, estimator)}")
        elif not any(_is_one_of(value, alternative) for alternative in known[name]):
            problems.append(f"{where}: must be {' or '.join(map(_in_words, known[name]))}")
    return problems


def _unknown(name: str, estimator: str) -> str:
    if name in FIXED.get(estimator, ()):
        return f"must be left out; the recipe sets {name} itself"
    near = get_close_matches(name, ESTIMATORS[estimator], n=1)
    if near:
        return f"is not a hyperparameter of {estimator}; did you mean {near[0]}?"
    return f"must be a hyperparameter of {estimator}: {', '.join(ESTIMATORS[estimator])}"


def _is_one_of(value: object, alternative: Alternative) -> bool:
    if isinstance(alternative, Range):
        return _is_within(value, alternative)
    return value == alternative if isinstance(alternative, str) else isinstance(value, alternative)


def _is_within(value: object, allowed: Range) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if allowed.kind != Number.ANY and isinstance(value, int) != (allowed.kind == Number.WHOLE):
        return False
    at_low, at_high = allowed.closed in ("left", "both"), allowed.closed in ("right", "both")
    above = value >= allowed.low if at_low else value > allowed.low
    return above and (value <= allowed.high if at_high else value < allowed.high)


_TYPES = {bool: "true or false", str: "a text", list: "a list", dict: "a table"}


def _in_words(alternative: Alternative) -> str:
    if isinstance(alternative, str):
        return repr(alternative)
    if not isinstance(alternative, Range):
        return _TYPES[alternative]
    kind, low, high, closed = alternative
    limits = [f"{'at least' if closed in ('left', 'both') else 'above'} {low}"] if low > -INF else []
    limits += [f"{'at most' if closed in ('right', 'both') else 'below'} {high}"] if high < INF else []
    return " ".join([kind.value, " and ".join(limits)]).strip()
