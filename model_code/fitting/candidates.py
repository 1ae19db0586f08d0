"""The recipes that compete, each a scikit-learn estimator built from the contract alone: none knows a column."""

from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from domain.contract.schema import Contract
from model_code.rows.features import model_columns
from model_code.settings import JobRefused

MOST_CATEGORIES = 250  # histogram gradient boosting holds a category in a byte
RAREST = 20  # rows; a rarer category is treated like one never seen


def prior(contract: Contract, used: list[int], seed: int, **parameters: Any) -> Any:
    """Answers every row alike; what any model has to beat."""
    return (
        DummyRegressor(**parameters)
        if contract.task == "regression"
        else DummyClassifier(strategy="prior", **parameters)
    )


def logistic_regression(contract: Contract, used: list[int], seed: int, **parameters: Any) -> Any:
    """The linear model of the task: for a regression it is ridge regression."""
    numbers, categories = places(contract, used, "number", "boolean"), places(contract, used, "category")
    fill = SimpleImputer(strategy="median", add_indicator=True)
    one_hot = OneHotEncoder(min_frequency=RAREST, handle_unknown="infrequent_if_exist", sparse_output=False)
    encode = ColumnTransformer(
        [("numbers", make_pipeline(fill, StandardScaler()), numbers), ("categories", one_hot, categories)],
        sparse_threshold=0,
    )
    if contract.task == "regression":
        return make_pipeline(encode, Ridge(**{"alpha": 1.0, **parameters}))
    return make_pipeline(encode, LogisticRegression(**{"C": 0.1, "max_iter": 1000, "random_state": seed, **parameters}))


BOOSTING = {
    "learning_rate": 0.05,
    "max_iter": 200,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 20,
    "l2_regularization": 5.0,
}


def gradient_boosting(contract: Contract, used: list[int], seed: int, **parameters: Any) -> Any:
    """Histogram gradient boosting; categories and missing values are its own splits."""
    numbers, categories = places(contract, used, "number", "boolean"), places(contract, used, "category")
    ordinal = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=float("nan"),
        encoded_missing_value=float("nan"),
        min_frequency=RAREST,
        max_categories=MOST_CATEGORIES,
    )
    encode = ColumnTransformer([("categories", ordinal, categories), ("numbers", "passthrough", numbers)])
    settings = {**BOOSTING, "early_stopping": False, "random_state": seed, **parameters}
    settings["categorical_features"] = list(range(len(categories))) or None
    boosting = HistGradientBoostingRegressor if contract.task == "regression" else HistGradientBoostingClassifier
    return make_pipeline(encode, boosting(**settings))


CANDIDATES = {"prior": prior, "logistic_regression": logistic_regression, "gradient_boosting": gradient_boosting}


def build(candidate: str, contract: Contract, *, used: list[int], parameters: dict, seed: int) -> Any:
    """An estimator that is still to be fitted. `used` are the places of the features that it may look at; `parameters`
    go to the model itself, over the recipe's own.
    """
    if candidate not in CANDIDATES:
        raise JobRefused(f"candidate {candidate!r} is not known; candidates: {', '.join(CANDIDATES)}")
    try:
        return CANDIDATES[candidate](contract, used, seed, **parameters)
    except TypeError as error:
        raise JobRefused(f"training.parameters.{candidate} = {parameters!r}: {error}") from None


def places(contract: Contract, used: list[int], *kinds: str) -> list[int]:
    return [place for place, column in enumerate(model_columns(contract)) if column["kind"] in kinds and place in used]
