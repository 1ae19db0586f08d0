"""The reference of a release: its features and answers on the evaluation's rows, counted in bins made on them."""

from typing import Any

import numpy as np
import pyarrow as pa

from domain.config.sections import Business
from domain.contract.schema import Contract
from domain.money.worth import CELLS
from domain.release.evaluation import Measured
from domain.watch import bins as bin_rules
from domain.watch.reference import ColumnReference, Reference
from model_code.watch.counting import bins_of_column, count_column, rounded


def feature_references(contract: Contract, table: pa.Table) -> dict[str, ColumnReference]:
    """Count each feature of checked rows, but for timestamps."""
    return {
        column.name: _counted(column.type, table.column(column.name))
        for column in contract.features
        if column.type != "timestamp"
    }


def reference_of(
    contract: Contract,
    business: Business,
    *,
    features: dict[str, ColumnReference],
    answers: pa.Array,
    measured: Measured,
) -> Reference:
    """Join what was counted of a model: features that it takes, its answers, and how many of them were wrong."""
    kind = contract.target.type if contract.task == "multiclass" else "float"
    return {
        "rows": len(answers),
        "features": {column.name: features[column.name] for column in contract.features if column.name in features},
        "prediction": _counted(kind, answers),
        "wrong": _wrong(measured),
        "value_usd": _value_usd(business, measured),
    }


def answers_of(task: str, scores: np.ndarray, classes: list[Any]) -> pa.Array:
    """Return each row's answer as it is counted: P(positive), the likeliest class, or the value."""
    if task == "multiclass":
        return pa.array(np.array(classes)[scores.argmax(axis=1)])
    return rounded(pa.array(scores)) if task == "binary" else pa.array(scores)


def _counted(kind: str, values: pa.Array | pa.ChunkedArray) -> ColumnReference:
    bins = bins_of_column(values)
    return {"type": kind, "bins": bin_rules.as_dict(bins), "counts": count_column(bins, values).tolist()}


def _wrong(measured: Measured) -> int | None:
    if "decisions" in measured:
        return measured["decisions"]["false_positive"] + measured["decisions"]["false_negative"]
    if "classes" in measured:
        return sum(each["actual"] - each["right"] for each in measured["classes"].values())
    return None


def _value_usd(business: Business, measured: Measured) -> float | None:
    if "decisions" not in measured:
        return None
    counts = measured["decisions"]
    return sum(getattr(business, f"{cell}_usd") * counts[cell] for cell in CELLS) / sum(counts.values())
