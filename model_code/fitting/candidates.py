"""The competing recipes, each a scikit-learn estimator built from the contract alone: none names a column."""

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

_MOST_CATEGORIES = 250  # histogram gradient boosting holds a category in a byte
_RAREST = 20  # rows; a rarer category is treated like an unknown one


def _prior(contract: Contract, used: list[int], seed: int, **parameters: Any) -> Any:
    """Build the estimator that answers every row alike, which every model has to beat."""
    return (
        DummyRegressor(**parameters)
        if contract.task == "regression"
        else DummyClassifier(strategy="prior", **parameters)
    )


def _logistic_regression(contract: Contract, used: list[int], seed: int, **parameters: Any) -> Any:
    """Build the linear model of the task: for a regression it is ridge regression."""
    numbers, categories = _places(contract, used, "number", "boolean"), _places(contract, used, "category")
    fill = SimpleImputer(strategy="median", add_indicator=True)
    one_hot = OneHotEncoder(min_frequency=_RAREST, handle_unknown="infrequent_if_exist", sparse_output=False)
    encode = ColumnTransformer(
        [("numbers", make_pipeline(fill, StandardScaler()), numbers), ("categories", one_hot, categories)],
        sparse_threshold=0,
    )
    if contract.task == "regression":
        return make_pipeline(encode, Ridge(**{"alpha": 1.0, **parameters}))
    return make_pipeline(encode, LogisticRegression(**{"C": 0.1, "max_iter": 1000, "random_state": seed, **parameters}))


_BOOSTING = {
    "learning_rate": 0.05,
    "max_iter": 200,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 20,
    "l2_regularization": 5.0,
}


def _gradient_boosting(contract: Contract, used: list[int], seed: int, **parameters: Any) -> Any:
    """Build histogram gradient boosting, which splits on categories and missing values itself."""
    numbers, categories = _places(contract, used, "number", "boolean"), _places(contract, used, "category")
    ordinal = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=float("nan"),
        encoded_missing_value=float("nan"),
        min_frequency=_RAREST,
        max_categories=_MOST_CATEGORIES,
    )
    encode = ColumnTransformer([("categories", ordinal, categories), ("numbers", "passthrough", numbers)])
    settings = {**_BOOSTING, "early_stopping": False, "random_state": seed, **parameters}
    settings["categorical_features"] = list(range(len(categories))) or None
    boosting = HistGradientBoostingRegressor if contract.task == "regression" else HistGradientBoostingClassifier
    return make_pipeline(encode, boosting(**settings))


CANDIDATES = {"prior": _prior, "logistic_regression": _logistic_regression, "gradient_boosting": _gradient_boosting}


def build(candidate: str, contract: Contract, *, used: list[int], parameters: dict[str, Any], seed: int) -> Any:
    """Build an unfitted estimator. Raises JobRefused.

    `used`: the places of the features that it may use. `parameters` override the recipe's own.
    """
    if candidate not in CANDIDATES:
        raise JobRefused(f"candidate = {candidate!r}: must be one of {', '.join(CANDIDATES)}")
    try:
        return CANDIDATES[candidate](contract, used, seed, **parameters)
    except TypeError as error:
        raise JobRefused(f"training.parameters.{candidate} = {parameters!r}: {error}") from None


def _places(contract: Contract, used: list[int], *kinds: str) -> list[int]:
    return [place for place, column in enumerate(model_columns(contract)) if column["kind"] in kinds and place in used]
