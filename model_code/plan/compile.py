"""A fitted scikit-learn pipeline -> the bytes of its plan, checked against the pipeline before they are returned."""

import warnings
from typing import Any

import numpy as np

from model_code.plan.check import check
from model_code.plan.estimators import members
from model_code.plan.format import (
    MOST_FEATURES,
    MOST_SILENT,
    Coding,
    Column,
    FeatureSet,
    Member,
    NumberFeature,
    Plan,
    Step,
    Steps,
    encode,
)
from model_code.plan.guards import guarded
from model_code.plan.read import decode
from model_code.plan.signals import Levels, Signal, Taken, sources
from model_code.refusals import PlanRefused
from model_code.rows.features import ModelColumn


def compile_plan(pipeline: Any, columns: list[ModelColumn]) -> bytes:
    """Return the bytes of the plan file of a fitted pipeline whose columns have this order. Raises PlanRefused.

    Kinds are number (float64), boolean (0, 1 or NaN) and category (text or None; NaN where the pipeline was fitted on a
    data frame). PlanRefused names the estimator or parameter that no plan can express, or the first row whose answer
    differs.
    """
    order = fitted_order(pipeline, columns)
    missing = missing_value(pipeline)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = _plan(pipeline, columns, order, missing)
        data = encode(plan)
        check(data, decode(data), pipeline, order, missing)
    return data


def fitted_order(pipeline: Any, columns: list[ModelColumn]) -> list[int]:
    """Return the index of each column that the pipeline was fitted on. Raises PlanRefused."""
    names = [column["name"] for column in columns]
    fitted = list(getattr(pipeline, "feature_names_in_", names))
    count = getattr(pipeline, "n_features_in_", len(fitted))
    if sorted(fitted) != sorted(names) or count != len(names):
        raise PlanRefused(
            f"the pipeline was fitted on {count} columns {fitted}, the contract has {len(names)}: {names}"
        )
    return [names.index(name) for name in fitted]


def missing_value(pipeline: Any) -> float | None:
    """Return a missing category as the pipeline saw it at training: data frames have NaN."""
    return np.nan if hasattr(pipeline, "feature_names_in_") else None


def _plan(pipeline: Any, columns: list[ModelColumn], order: list[int], missing: float | None) -> Plan:
    levels = Levels(columns)
    known = -1
    # the encoders' categories become the levels, and then the walk is done again with them
    while known < (known := sum(map(len, levels.values()))):
        inputs = sources(columns, levels, missing)
        levels.guards.clear()
        parts = members(pipeline, [inputs[index] for index in order], levels)
    feature_sets: list[tuple[str, FeatureSet]] = []
    made: list[Member] = []
    for taken, model, links in (guarded(*part, levels.guards) for part in parts):
        features = _lowered(taken)
        key = _key(features)
        if key not in [k for k, _ in feature_sets]:
            feature_sets.append((key, features))
        made.append(Member([k for k, _ in feature_sets].index(key), model, links))
    _check_widths([features for _, features in feature_sets])
    classes = tuple(map(_label, getattr(pipeline, "classes_", ())))
    return Plan(
        task="classification" if classes else "regression",
        classes=classes,
        columns=tuple(Column(c["name"], c["kind"], tuple(levels.get(i, ()))) for i, c in enumerate(columns)),
        feature_sets=tuple(features for _, features in feature_sets),
        members=tuple(made),
    )


def _label(label: Any) -> str | int | float:
    plain = label.item() if isinstance(label, np.generic) else label
    if not isinstance(plain, str | int | float):
        raise PlanRefused(f"the class {plain!r}: a plan takes text, numbers and truths")
    return plain


def _check_widths(feature_sets: list[FeatureSet]) -> None:
    """Refuse widths that `read.py` takes for corrupt."""
    widest, silent = max(features.width for features in feature_sets), sum(features.silent for features in feature_sets)
    if widest > MOST_FEATURES:
        raise PlanRefused(
            f"{widest:,} features: a plan takes up to {MOST_FEATURES:,}; set max_categories or min_frequency"
        )
    if silent > MOST_SILENT:
        raise PlanRefused(
            f"{silent:,} features that are zero for every row: a plan takes up to {MOST_SILENT:,}; leave them out"
        )


def _key(features: FeatureSet) -> str:
    codings = [
        (c.column, *(None if a is None else a.tobytes() for a in (c.keys, c.starts, c.features, c.values, c.allowed)))
        for c in features.codings
    ]
    return repr((features.width, features.numbers, codings))


def _lowered(taken: Taken) -> FeatureSet:
    """Turn (signal, last steps) into numbers, as chains of steps, and one coding for all features of a coded column."""
    numbers: list[NumberFeature] = []
    groups: dict[tuple[int, tuple[float, ...] | None], list[tuple[int, np.ndarray, np.ndarray]]] = {}
    for feature, (signal, last) in enumerate(taken):
        if signal.is_number:
            numbers.append(NumberFeature(feature, signal.column, _plain_steps((*signal.steps, *last))))
        else:
            table, refused = _finished(signal, last)
            groups.setdefault((signal.column, signal.keys), []).append((feature, table, refused))
    codings = [_coding(column, keys, features) for (column, keys), features in groups.items()]
    return FeatureSet(len(taken), tuple(numbers), tuple(codings))


def _plain_steps(steps: Steps) -> Steps:
    """Remove checks that can no longer fail: the same one twice in a row."""
    out: list[Step] = []
    for step in steps:
        if not out or out[-1] != step:
            out.append(step)
    return tuple(out)


def _finished(signal: Signal, last: Steps) -> tuple[np.ndarray, np.ndarray]:
    """Apply the model's own checks and its float32 to a table; return its values, and the codes that are refused."""
    try:
        table = np.array(signal.table, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PlanRefused(f"the text of column {signal.column} reaches the model: encode it first ({error})") from error
    refused = np.zeros(len(table), dtype=bool)
    refused[list(signal.refused)] = True
    for name, _, _ in last:
        if name == "float32":
            table = table.astype(np.float32).astype(np.float64)
        refused |= {"finite": np.isinf, "present": np.isnan}.get(name, np.zeros_like)(table).astype(bool)
    return np.where(refused, 0.0, table), refused


def _coding(column: int, keys: tuple[float, ...] | None, features: list[tuple[int, np.ndarray, np.ndarray]]) -> Coding:
    tables = np.array([table for _, table, _ in features])
    stored = (tables != 0) | np.signbit(tables)
    code, place = np.nonzero(stored.T)
    refused = np.any([refused for *_, refused in features], axis=0)
    return Coding(
        column=column,
        keys=None if keys is None else np.array(keys),
        starts=np.concatenate([[0], np.cumsum(stored.sum(axis=0))]),
        features=np.array([feature for feature, *_ in features])[place],
        values=tables.T[code, place],
        allowed=~refused,
    )
