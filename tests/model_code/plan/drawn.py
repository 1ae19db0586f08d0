"""Pipelines that hypothesis draws: any transformer, estimator and parameter that a plan takes, over a small table of
any shape.
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from hypothesis import assume
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from tests.model_code.pipelines import BOOLEANS, CATEGORIES, NAMES, NUMBERS, table

LINEAR = (LogisticRegression, Ridge, LinearRegression)
SHAPES = ["as they are", "whole", "mostly one value", "tiny", "huge"]


class Fitted(NamedTuple):
    pipeline: object
    framed: bool
    linear: bool


class Wish(NamedTuple):
    """What a pipeline is fitted for."""

    classes: int  # 0 for a number
    framed: bool  # fitted on a data frame, where a missing category is NaN
    missing: float
    complete: bool  # the estimator takes no NaN, so all of it is filled

    @property
    def none(self):
        return np.nan if self.framed else None


# -- tables


def matrix_and_target(wish, seed, rows, shape):
    matrix, _, _, score = table(seed, rows)
    numbers = shaped(matrix[:, NUMBERS].astype(float), shape)
    if not wish.missing:
        numbers = np.nan_to_num(numbers, nan=7.0)
        matrix[:, CATEGORIES] = np.where(matrix[:, CATEGORIES] == None, "UA", matrix[:, CATEGORIES])  # noqa: E711
        matrix[:, BOOLEANS] = np.nan_to_num(matrix[:, BOOLEANS].astype(float))
    elif wish.missing > 0.3:
        lost = np.random.default_rng(seed).random(matrix.shape) < wish.missing
        lost[:2] = False
        numbers[lost[:, NUMBERS]] = np.nan
        matrix[lost] = None
        matrix[:, BOOLEANS] = matrix[:, BOOLEANS].astype(float)
    matrix[:, NUMBERS] = numbers
    if not wish.classes:
        return matrix, score
    edges = np.quantile(score, np.arange(1, wish.classes) / wish.classes)
    return matrix, np.digitize(score, edges)


def shaped(numbers, shape):
    if shape == "whole":
        return np.round(numbers / 10)
    if shape == "mostly one value":
        return np.where(np.abs(numbers) > 20, 3.0, numbers)
    return numbers * {"tiny": 1e-310, "huge": 1e30}.get(shape, 1.0)


def framed(matrix):
    """Numbers and booleans as float64, texts as objects; NaN where there is none, as pandas reads files."""
    columns = {
        name: pd.Series(matrix[:, j], dtype=object if j in CATEGORIES else float) for j, name in enumerate(NAMES)
    }
    return pd.DataFrame({name: column.where(column.notna(), np.nan) for name, column in columns.items()})


# -- transformers


def some_of(**choices):
    """Any of the parameters, each with any of its values; the others at their defaults."""
    return st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in choices.items()})


@st.composite
def imputers(draw, wish):
    settings = draw(
        some_of(
            strategy=["mean", "median", "most_frequent", "constant"], add_indicator=[True], keep_empty_features=[True]
        )
    )
    if settings.get("strategy") == "constant":
        settings["fill_value"] = draw(st.sampled_from([0.0, -0.0, -1.0, 1e6]))
    if not wish.missing and not draw(st.integers(0, 3)):
        settings["missing_values"] = draw(st.sampled_from([0.0, 7.0]))
    return SimpleImputer(**settings)


def scalers():
    min_max = st.builds(MinMaxScaler, feature_range=st.sampled_from([(0, 1), (-1, 1), (0.1, 0.7)]), clip=st.booleans())
    return st.builds(StandardScaler, with_mean=st.booleans(), with_std=st.booleans()) | min_max


@st.composite
def number_steps(draw, wish):
    encoders = ["one-hot", "ordinal", "target"] if wish.missing or draw(st.booleans()) else []
    kind = draw(
        st.sampled_from(["imputed", "scaled", "imputed and scaled", "scaled and imputed", "passthrough", *encoders])
    )
    imputer = draw(imputers(wish)) if wish.complete or kind.count("imputed") else None
    if kind in encoders:
        # what an encoder is given after an indicator would be a category as well
        before = [] if imputer is None else [imputer.set_params(add_indicator=False, keep_empty_features=False)]
        before = [step for step in before if isinstance(step.missing_values, float) and np.isnan(step.missing_values)]
        return chain([*before, draw(encoder(kind, wish))])
    scaler = draw(scalers()) if kind.count("scaled") else None
    steps = [scaler, imputer] if kind == "scaled and imputed" else [imputer, scaler]
    return chain([step for step in steps if step is not None])


def chain(steps):
    return make_pipeline(*steps) if len(steps) > 1 else steps[0] if steps else "passthrough"


@st.composite
def encoder(draw, kind, wish):
    if kind == "target":
        smooth = draw(st.sampled_from(["auto", 0.0, 10.0]))
        return TargetEncoder(cv=2, smooth=smooth, shuffle=draw(st.booleans()), random_state=None if not smooth else 0)
    rare = draw(some_of(min_frequency=[2, 10, 0.1], max_categories=[2, 3, 5]))
    return draw(one_hots(rare) if kind == "one-hot" else ordinals(rare, wish))


@st.composite
def one_hots(draw, rare):
    drop = draw(st.sampled_from([None, None, "first", "if_binary"]))
    unknown = draw(st.sampled_from(["error", "ignore", "infrequent_if_exist"]))
    return OneHotEncoder(drop=drop, handle_unknown=unknown, sparse_output=draw(st.booleans()), **rare)


@st.composite
def ordinals(draw, rare, wish):
    settings = {} if not wish.complete else {"encoded_missing_value": draw(st.sampled_from([-2, 500]))}
    if draw(st.integers(0, 3)):
        settings |= {
            "handle_unknown": "use_encoded_value",
            "unknown_value": draw(st.sampled_from([-1, 300] if wish.complete else [-1, 300, np.nan])),
        }
    return OrdinalEncoder(**settings, **rare)


@st.composite
def category_steps(draw, wish):
    filled = draw(
        st.sampled_from(
            [
                [],
                [],
                [SimpleImputer(missing_values=wish.none, strategy="constant", fill_value="(none)")],
                [SimpleImputer(missing_values=wish.none, strategy="most_frequent")],
            ]
        )
    )
    return chain([*filled, draw(encoder(draw(st.sampled_from(["one-hot", "ordinal", "target"])), wish))])


@st.composite
def boolean_steps(draw, wish):
    kind = draw(st.sampled_from(["filled", "one-hot", "ordinal", "drop", *([] if wish.complete else ["passthrough"])]))
    if kind in ("drop", "passthrough"):
        return kind
    filled = SimpleImputer(strategy="most_frequent", add_indicator=draw(st.booleans()))
    return filled if kind == "filled" else draw(encoder(kind, wish))


@st.composite
def column_transformers(draw, wish, dense):
    cut = draw(st.integers(0, 3))
    parts = [("n", draw(number_steps(wish)), NUMBERS[:cut]), ("m", draw(number_steps(wish)), NUMBERS[cut:])]
    parts += [
        ("c", draw(category_steps(wish)), CATEGORIES[:1]),
        ("d", draw(category_steps(wish)), CATEGORIES[draw(st.integers(0, 1)) :]),
    ]
    parts += [("b", draw(boolean_steps(wish)), BOOLEANS)]
    kept = draw(st.permutations(parts))[: draw(st.integers(2, 5))]
    if wish.framed:
        kept = [(name, steps, [NAMES[j] for j in columns]) for name, steps, columns in kept]
    return ColumnTransformer(kept, sparse_threshold=0 if dense else draw(st.sampled_from([0, 0.3, 1.0])))


# -- estimators


@st.composite
def histograms(draw, wish, width):
    settings = draw(
        some_of(
            max_leaf_nodes=[2, 5, 32, 33, 60, None],
            min_samples_leaf=[1, 2, 10],
            learning_rate=[0.1, 1.0],
            max_depth=[1, 4],
            l2_regularization=[0.0, 3.0],
            max_bins=[4, 30, 255],
            max_features=[0.5],
            interaction_cst=["no_interactions"],
        )
    )
    settings |= {
        "max_iter": draw(st.integers(1, 6)),
        "random_state": 0,
        "early_stopping": draw(st.sampled_from([False, False, True])),
    }
    if wish.classes < 3:
        settings |= draw(some_of(monotonic_cst=[[1] + [0] * (width - 1), [0] * (width - 1) + [-1]]))
    if wish.classes:
        return HistGradientBoostingClassifier(**settings, **draw(some_of(class_weight=["balanced"])))
    loss = draw(st.sampled_from(["squared_error", "absolute_error", "gamma", "poisson", "quantile"]))
    return HistGradientBoostingRegressor(loss=loss, quantile=0.3, **settings)


@st.composite
def grown(draw, wish):
    kinds = [RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier]
    criteria = ["gini", "entropy", "log_loss"]
    if not wish.classes:
        kinds = [RandomForestRegressor, ExtraTreesRegressor, DecisionTreeRegressor]
        criteria = ["squared_error", "absolute_error", "poisson"]
    kind = draw(st.sampled_from(kinds))
    settings = draw(
        some_of(
            max_depth=[1, 3, 6],
            max_leaf_nodes=[2, 32, 33],
            min_samples_leaf=[2, 5],
            max_features=[0.5, "sqrt"],
            criterion=criteria,
        )
    )
    settings |= draw(some_of(class_weight=["balanced"])) if wish.classes else {}
    if kind is kinds[2]:
        settings |= draw(some_of(splitter=["random"], ccp_alpha=[0.01]))
    else:
        settings |= {"n_estimators": draw(st.integers(1, 9))} | draw(some_of(bootstrap=[True, False]))
    return kind(random_state=0, **settings)


@st.composite
def boosted(draw, wish):
    settings = {"n_estimators": draw(st.integers(1, 8)), "random_state": 0}
    settings |= draw(
        some_of(max_depth=[1, 4, 7], subsample=[0.6], learning_rate=[0.1, 1.0], init=["zero"], max_leaf_nodes=[32, 40])
    )
    if wish.classes:
        return GradientBoostingClassifier(
            **settings, **(draw(some_of(loss=["exponential"])) if wish.classes == 2 else {})
        )
    return GradientBoostingRegressor(**settings, **draw(some_of(loss=["absolute_error", "huber", "quantile"])))


@st.composite
def linear(draw, wish):
    if wish.classes:
        return LogisticRegression(max_iter=60, C=draw(st.sampled_from([0.01, 1.0])), fit_intercept=draw(st.booleans()))
    kind = draw(st.sampled_from([Ridge, LinearRegression]))
    return kind(fit_intercept=draw(st.booleans()), positive=draw(st.booleans()))


@st.composite
def dummies(draw, wish):
    if wish.classes:
        return DummyClassifier(strategy=draw(st.sampled_from(["prior", "most_frequent", "uniform"])))
    return DummyRegressor(strategy=draw(st.sampled_from(["mean", "median"])))


KINDS_OF_ESTIMATOR = {"histogram": histograms, "grown": grown, "boosted": boosted, "linear": linear, "dummy": dummies}
TAKES_NAN = ("histogram", "grown", "dummy")


@st.composite
def native(draw, wish):
    """Numbers and booleans as they are, categories as ordinals that the estimator treats as categories; or texts of its
    own.
    """
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": draw(st.sampled_from([np.nan, -1, 200]))}
    ordinal = OrdinalEncoder(
        encoded_missing_value=draw(st.sampled_from([np.nan, -1])),
        **unknown,
        **draw(some_of(max_categories=[3], min_frequency=[10])),
    )
    chosen = draw(st.lists(st.sampled_from([3, 4, 5]), min_size=1, unique=True))
    names = NAMES if wish.framed else range(6)
    parts = [
        ("n", "passthrough", list(names[:3])),
        ("c", ordinal, list(names[3:5])),
        ("b", "passthrough", list(names[5:])),
    ]
    estimator = draw(histograms(wish, 6))
    cst = getattr(estimator, "monotonic_cst", None)
    if cst is not None and any(cst[j] for j in chosen):
        estimator.set_params(monotonic_cst=None)
    if draw(st.booleans()):
        # its own encoder takes every text, so all columns of texts are its categories
        return estimator.set_params(categorical_features=sorted({3, 4, *chosen}), max_bins=255, monotonic_cst=None)
    estimator.set_params(categorical_features=chosen, max_bins=max(estimator.max_bins, 30))
    return make_pipeline(ColumnTransformer(parts), estimator)


@st.composite
def fitted(draw):
    """A pipeline of any kind, fitted on a table of any shape."""
    kind = draw(st.sampled_from([*KINDS_OF_ESTIMATOR, "native"]))
    classes = draw(st.sampled_from([0, 2, 2, 3, 5, 8, 9]))
    wish = Wish(classes, draw(st.booleans()), draw(st.sampled_from([0.0, 0.1, 0.4])), kind in ("boosted", "linear"))
    matrix, target = matrix_and_target(
        wish, draw(st.integers(0, 99)), draw(st.integers(60, 150)), draw(st.sampled_from(SHAPES))
    )
    before = None if kind == "native" else draw(column_transformers(wish, dense=kind == "histogram"))
    if kind == "histogram":
        estimator = draw(histograms(wish, width_of(before, wish, matrix, target)))
    else:
        estimator = draw(native(wish) if kind == "native" else KINDS_OF_ESTIMATOR[kind](wish))
    last = estimator.steps[-1][1] if kind == "native" and hasattr(estimator, "steps") else estimator
    if getattr(last, "loss", None) in ("gamma", "poisson") or getattr(last, "criterion", None) == "poisson":
        target = np.exp(target)
    pipeline = estimator if before is None else make_pipeline(before, estimator)
    if classes and kind != "dummy" and not draw(st.integers(0, 2)):
        pipeline = calibrated(draw, before, estimator, pipeline)
    return Fitted(fit(pipeline, wish, matrix, target), wish.framed, isinstance(estimator, LINEAR))


def calibrated(draw, before, estimator, pipeline):
    settings = {"method": draw(st.sampled_from(["sigmoid", "isotonic"])), "cv": 2, "ensemble": draw(st.booleans())}
    if before is None or draw(st.booleans()):
        return CalibratedClassifierCV(pipeline, **settings)
    return make_pipeline(before, CalibratedClassifierCV(estimator, **settings))


def width_of(before, wish, matrix, target):
    return fit(before, wish, matrix, target).transform(framed(matrix) if wish.framed else matrix).shape[1]


def fit(pipeline, wish, matrix, target):
    # threads that wait for each other on a shared machine cost more than they bring
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        try:
            return pipeline.fit(framed(matrix) if wish.framed else matrix, target)
        except (ValueError, TypeError):
            # not every parameter goes with every table, or with a sparse matrix: nothing is fitted, so there is nothing
            # to agree on
            assume(False)
