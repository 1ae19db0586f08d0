"""Small tables and fitted pipelines of every kind that a plan takes, and hostile rows to score with them."""

import numpy as np
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
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

COLUMNS = [
    *({"name": name, "kind": "number"} for name in ("distance", "delay", "month")),
    *({"name": name, "kind": "category"} for name in ("carrier", "città")),
    {"name": "night", "kind": "boolean"},
]
NAMES = [column["name"] for column in COLUMNS]
KINDS = {column["name"]: column["kind"] for column in COLUMNS}
NUMBERS, CATEGORIES, BOOLEANS = [0, 1, 2], [3, 4], [5]
CARRIERS, CITIES = ["UA", "AA", 'quo"ted', "1", ""], ["Zürich", "東京", "São Paulo", "a,b", "line\nbreak", "🛫"]


def table(seed=0, rows=400):
    """(matrix as the pipelines take it, two-class, three-class and number targets)."""
    random = np.random.default_rng(seed)
    matrix = np.empty((rows, len(COLUMNS)), dtype=object)
    numbers = np.column_stack(
        [random.gamma(2.0, 300.0, rows), random.normal(0, 20, rows), random.integers(1, 13, rows).astype(float)]
    )
    numbers[random.random(numbers.shape) < 0.1] = np.nan
    matrix[:, NUMBERS] = numbers
    for column, levels in ((3, CARRIERS), (4, CITIES)):
        matrix[:, column] = np.array(levels, object)[np.minimum(random.geometric(0.4, rows) - 1, len(levels) - 1)]
        matrix[random.random(rows) < 0.08, column] = None
    matrix[:, 5] = np.where(random.random(rows) < 0.05, np.nan, (random.random(rows) < 0.3).astype(float))
    score = (
        np.nan_to_num(numbers[:, 1]) / 20
        + (matrix[:, 3] == "AA")
        - (matrix[:, 4] == "東京")
        + random.normal(0, 0.5, rows)
    )
    return matrix, (score > 0.2).astype(int), np.digitize(score, [-0.5, 0.7]), score


def passed_on(**encoding):
    """Numbers as they are, categories as ordinals: for estimators that take a NaN."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan, **encoding
    )
    return ColumnTransformer(
        [("n", "passthrough", NUMBERS), ("c", encoder, CATEGORIES), ("b", "passthrough", BOOLEANS)]
    )


def one_hot(scaler=StandardScaler, **encoding):
    """Everything imputed, scaled and one-hot: for estimators that take only numbers."""
    filled = SimpleImputer(missing_values=None, strategy="constant", fill_value="(none)")
    return ColumnTransformer(
        [
            ("n", make_pipeline(SimpleImputer(strategy="median", add_indicator=True), scaler()), slice(0, 3)),
            ("c", make_pipeline(filled, OneHotEncoder(**({"handle_unknown": "ignore"} | encoding))), CATEGORIES),
            ("b", SimpleImputer(strategy="most_frequent"), BOOLEANS),
        ]
    )


def targeted():
    """Target encoding, min-max scaling, ordinals with numbers of their own for unknown and missing."""
    ordinal = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2, min_frequency=5
    )
    return ColumnTransformer(
        [
            ("n", make_pipeline(SimpleImputer(strategy="constant", fill_value=-1.0), MinMaxScaler(clip=True)), [0, 1]),
            ("m", make_pipeline(SimpleImputer(strategy="most_frequent"), ordinal), [2]),
            ("t", TargetEncoder(cv=2), [3]),
            (
                "o",
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=99, encoded_missing_value=-5),
                [4, 5],
            ),
        ]
    )


def histogram(cls=HistGradientBoostingClassifier, **settings):
    return cls(**({"max_iter": 12, "max_leaf_nodes": 15, "random_state": 0, "early_stopping": False} | settings))


def _estimators():
    """name -> (pipeline, which target: 0 two classes, 1 three classes, 2 a number)"""
    trees = {"n_estimators": 12, "random_state": 0}
    native = {"categorical_features": [3, 4]}
    return {
        "logistic": (make_pipeline(one_hot(), LogisticRegression(max_iter=500)), 0),
        "logistic, three classes": (make_pipeline(one_hot(), LogisticRegression(max_iter=500)), 1),
        # on a sparse matrix scikit-learn adds in the order of the features, as a plan does
        "sparse logistic": (
            make_pipeline(one_hot().set_params(sparse_threshold=1.0), LogisticRegression(max_iter=500)),
            1,
        ),
        "sparse ridge": (make_pipeline(one_hot().set_params(sparse_threshold=1.0), Ridge()), 2),
        "ridge": (make_pipeline(one_hot(MinMaxScaler), Ridge()), 2),
        "least squares": (make_pipeline(targeted(), LinearRegression()), 2),
        "histogram": (make_pipeline(passed_on(), histogram()), 0),
        "histogram, native categories": (make_pipeline(passed_on(), histogram(**native)), 0),
        "histogram, a number as category": (make_pipeline(passed_on(), histogram(categorical_features=[2, 5])), 0),
        "histogram, texts of its own": (histogram(**native), 0),
        "histogram, monotone": (make_pipeline(passed_on(), histogram(monotonic_cst=[0, 1, 0, 0, 0, 0])), 0),
        "histogram, three classes": (make_pipeline(passed_on(max_categories=4), histogram(**native)), 1),
        "histogram, one-hot": (
            make_pipeline(
                one_hot(min_frequency=40, handle_unknown="infrequent_if_exist", sparse_output=False), histogram()
            ),
            0,
        ),
        "histogram, large trees": (make_pipeline(targeted(), histogram(max_leaf_nodes=None, min_samples_leaf=2)), 0),
        "histogram, large native trees": (
            make_pipeline(passed_on(), histogram(max_leaf_nodes=60, min_samples_leaf=2, **native)),
            0,
        ),
        "histogram regression": (make_pipeline(passed_on(), histogram(HistGradientBoostingRegressor, **native)), 2),
        "histogram, gamma": (make_pipeline(passed_on(), histogram(HistGradientBoostingRegressor, loss="gamma")), 3),
        "forest": (make_pipeline(one_hot(), RandomForestClassifier(**trees)), 0),
        "forest with missing": (make_pipeline(passed_on(), RandomForestClassifier(**trees)), 1),
        "forest regression": (make_pipeline(targeted(), RandomForestRegressor(**trees)), 2),
        "small forest regression": (make_pipeline(targeted(), RandomForestRegressor(max_depth=5, **trees)), 2),
        "small extra trees regression": (make_pipeline(one_hot(), ExtraTreesRegressor(max_leaf_nodes=32, **trees)), 2),
        "extra trees": (make_pipeline(one_hot(drop="if_binary"), ExtraTreesClassifier(**trees)), 1),
        "extra trees regression": (make_pipeline(one_hot(), ExtraTreesRegressor(**trees)), 2),
        "boosting": (make_pipeline(one_hot(), GradientBoostingClassifier(**trees)), 0),
        "boosting, three classes": (make_pipeline(one_hot(), GradientBoostingClassifier(init="zero", **trees)), 1),
        "boosting, exponential": (make_pipeline(one_hot(), GradientBoostingClassifier(loss="exponential", **trees)), 0),
        "boosting regression": (
            make_pipeline(one_hot(), GradientBoostingRegressor(loss="huber", max_depth=7, **trees)),
            2,
        ),
        "tree": (make_pipeline(passed_on(), DecisionTreeClassifier(random_state=0)), 1),
        "tree regression": (make_pipeline(one_hot(), DecisionTreeRegressor(random_state=0, max_depth=4)), 2),
        "sigmoid": (make_pipeline(passed_on(), CalibratedClassifierCV(histogram(**native), cv=2)), 0),
        "sigmoid, frozen": (CalibratedClassifierCV(FrozenEstimator(_fitted_forest()), cv=2), 0),
        "isotonic": (CalibratedClassifierCV(make_pipeline(passed_on(), histogram()), method="isotonic", cv=2), 0),
        "isotonic, three classes": (
            make_pipeline(one_hot(), CalibratedClassifierCV(RandomForestClassifier(**trees), method="isotonic", cv=2)),
            1,
        ),
        "isotonic, one model": (
            make_pipeline(
                one_hot(),
                CalibratedClassifierCV(GradientBoostingClassifier(**trees), method="isotonic", ensemble=False, cv=2),
            ),
            0,
        ),
        "prior": (DummyClassifier(strategy="prior"), 1),
        "mean": (DummyRegressor(), 2),
    }


def _fitted_forest():
    matrix, two, *_ = table(1)
    return make_pipeline(one_hot(), RandomForestClassifier(n_estimators=5, random_state=1)).fit(matrix, two)


class _Fitted(dict):
    """{name: fitted pipeline}, each fitted when it is first asked for."""

    def __missing__(self, name):
        matrix, *targets = table()
        targets.append(np.exp(targets[2]))
        pipeline, target = _estimators()[name]
        # threads that wait for each other on a shared machine cost more than they bring
        with threadpool_limits(1):
            self[name] = pipeline.fit(matrix, targets[target])
        return self[name]


FITTED = _Fitted()
CASES = list(_estimators())
LINEAR = [name for name in CASES if name.startswith(("logistic", "ridge", "least"))]

# Values that a request may bring: zeros of both signs, denormals, the ends of float32 and float64, whole numbers beyond
# 2**53, None.
HOSTILE = [
    None,
    0.0,
    -0.0,
    5e-324,
    -2.2e-308,
    1.1754942e-38,
    3.4028234e38,
    3.4028236e38,
    -1e39,
    1.7976931348623157e308,
    0.1,
    12.0,
    7.0,
    float(2**53 + 2),
    -123456789012345678901234567890.0,
    1e-7,
    999999.5,
]
TEXTS = [
    None,
    *CARRIERS,
    *CITIES,
    "never seen",
    "ua",
    " UA",
    "nan",
    "None",
    "(none)",
    "1.0",
    "é" * 40,
    "\u0000",
    "\\",
    "Zu\u0308rich",
]


def hostile_rows(seed=0, rows=300):
    """[{column: value}] as a request would bring them: columns left out, out of order, with every hostile value."""
    random = np.random.default_rng(seed)
    usual = table(seed + 1, rows)[0].tolist()
    return [_hostile_row(random, values) for values in usual]


def _hostile_row(random, values):
    row = {}
    for place in random.permutation(len(NAMES)):
        name, value = NAMES[place], values[place]
        if value is None or (isinstance(value, float) and np.isnan(value)):
            value = None
        elif KINDS[name] == "boolean":
            value = bool(value)
        if random.random() < 0.15:
            value = {"number": HOSTILE, "category": TEXTS, "boolean": [None, True, False]}[KINDS[name]][
                random.integers(3 if place == 5 else 17)
            ]
        if value is not None or random.random() < 0.7:
            row[name] = value
    return row


def matrix_of(rows):
    """The same rows as scikit-learn takes them."""
    matrix = np.empty((len(rows), len(NAMES)), dtype=object)
    for i, row in enumerate(rows):
        for j, name in enumerate(NAMES):
            value = row.get(name)
            matrix[i, j] = value if KINDS[name] == "category" else np.nan if value is None else float(value)
    return matrix


def expected(pipeline, matrix):
    """scikit-learn's answers, (rows, classes or 1)."""
    if hasattr(pipeline, "classes_"):
        return pipeline.predict_proba(matrix)
    return pipeline.predict(matrix).reshape(-1, 1)


def is_refused(pipeline, row):
    """Whether scikit-learn itself refuses the row."""
    try:
        expected(pipeline, matrix_of([row]))
    except ValueError:
        return True
    return False
