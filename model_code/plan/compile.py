"""A fitted scikit-learn pipeline -> the bytes of its plan, checked against the pipeline before they are returned."""

import warnings

import numpy as np
import pyarrow as pa

from model_code.plan.estimators import members
from model_code.plan.execute import answers
from model_code.plan.format import (
    MOST_FEATURES,
    MOST_SILENT,
    Coding,
    Column,
    FeatureSet,
    Member,
    NumberFeature,
    Plan,
    encode,
)
from model_code.plan.read import decode
from model_code.plan.guards import guarded
from model_code.plan.signals import Levels, sources
from model_code.refusals import PlanRefused

CHECKED_ROWS = 256
# What is promised where scikit-learn leaves a sum to BLAS, whose order changes with the machine and the number of rows.
LINEAR_TOLERANCE = 1e-9


def compile_plan(pipeline, columns):
    """(fitted pipeline, ordered [{"name", "kind"}]) -> bytes of a plan file.

    Kinds are number (float64), boolean (0, 1 or NaN) and category (text or None; NaN where the pipeline was fitted on a data frame).
    PlanRefused names the estimator or parameter that no plan can express, or the first row whose answer differs.
    """
    order = fitted_order(pipeline, columns)
    missing = missing_value(pipeline)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = _plan(pipeline, columns, order, missing)
        data = encode(plan)
        _check(decode(data), pipeline, order, missing)
    return data


def fitted_order(pipeline, columns):
    """The index of each column that the pipeline was fitted on."""
    names = [column["name"] for column in columns]
    fitted = list(getattr(pipeline, "feature_names_in_", names))
    count = getattr(pipeline, "n_features_in_", len(fitted))
    if sorted(fitted) != sorted(names) or count != len(names):
        raise PlanRefused(
            f"the pipeline was fitted on {count} columns {fitted}, the contract has {len(names)}: {names}"
        )
    return [names.index(name) for name in fitted]


def missing_value(pipeline):
    """A missing category as the pipeline saw it at training: data frames have NaN."""
    return np.nan if hasattr(pipeline, "feature_names_in_") else None


def _plan(pipeline, columns, order, missing):
    levels = Levels(columns)
    known = -1
    # the encoders' categories become the levels, and then the walk is done again with them
    while known < (known := sum(map(len, levels.values()))):
        inputs = sources(columns, levels, missing)
        levels.guards.clear()
        parts = members(pipeline, [inputs[index] for index in order], levels)
    feature_sets, made = [], []
    for taken, model, links in (guarded(*part, levels.guards) for part in parts):
        features = _lowered(taken)
        key = _key(features)
        if key not in [k for k, _ in feature_sets]:
            feature_sets.append((key, features))
        made.append(Member([k for k, _ in feature_sets].index(key), model, links))
    _check_widths([features for _, features in feature_sets])
    classes = tuple(
        label.item() if isinstance(label, np.generic) else label for label in getattr(pipeline, "classes_", ())
    )
    return Plan(
        task="classification" if classes else "regression",
        classes=classes,
        columns=tuple(Column(c["name"], c["kind"], tuple(levels.get(i, ()))) for i, c in enumerate(columns)),
        feature_sets=tuple(features for _, features in feature_sets),
        members=tuple(made),
    )


def _check_widths(feature_sets):
    """What a reader would take for corrupt (see read.py)."""
    widest, silent = max(features.width for features in feature_sets), sum(features.silent for features in feature_sets)
    if widest > MOST_FEATURES:
        raise PlanRefused(f"{widest:,} features: a plan takes up to {MOST_FEATURES:,}; set max_categories or min_frequency")
    if silent > MOST_SILENT:
        raise PlanRefused(f"{silent:,} features that are zero for every row: a plan takes up to {MOST_SILENT:,}; leave them out")


def _key(features):
    codings = [(c.column, *(None if a is None else a.tobytes() for a in (c.keys, c.starts, c.features, c.values, c.allowed)))
               for c in features.codings]  # fmt: skip
    return repr((features.width, features.numbers, codings))


def _lowered(taken):
    """[(signal, last steps)] -> numbers as chains of steps, and one coding for all features of the same coded column."""
    numbers, groups = [], {}
    for feature, (signal, last) in enumerate(taken):
        if signal.is_number:
            numbers.append(NumberFeature(feature, signal.column, _plain_steps((*signal.steps, *last))))
        else:
            table, refused = _finished(signal, last)
            groups.setdefault((signal.column, signal.keys), []).append((feature, table, refused))
    codings = [_coding(column, keys, features) for (column, keys), features in groups.items()]
    return FeatureSet(len(taken), tuple(numbers), tuple(codings))


def _plain_steps(steps):
    """Without checks that can no longer fail: the same one twice in a row."""
    out = []
    for step in steps:
        if not out or out[-1] != step:
            out.append(tuple(step))
    return tuple(out)


def _finished(signal, last):
    """A table after the model's own checks and its float32: (values, codes that are refused)."""
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


def _coding(column, keys, features):
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


# -- the check ----------------------------------------------------------------------------------------------------------------


def _check(plan, pipeline, order, missing):
    """Rows that no test thought of: every level, missing and unknown values, numbers at and beside the thresholds."""
    columns = _checked_columns(plan)
    found, refusals = answers(plan, columns)
    scored = np.setdiff1d(np.arange(CHECKED_ROWS), [refusal.row for refusal in refusals])
    if not scored.size:
        raise PlanRefused("scikit-learn refuses every row with a missing or unknown value in it: add an imputer")
    matrix = pipeline_matrix(plan.columns, columns, missing)[scored][:, order]
    try:
        expected = pipeline_answers(pipeline, matrix)
    except ValueError as error:
        raise PlanRefused(f"scikit-learn refuses a row that the plan answers: {error}") from error
    found = found[scored]
    same = (
        (found == expected) if plan.exact else np.isclose(found, expected, rtol=LINEAR_TOLERANCE, atol=LINEAR_TOLERANCE)
    )
    if not same.all():
        row = int(np.flatnonzero(~same.all(axis=1))[0])
        raise PlanRefused(
            f"the plan answers {found[row].tolist()}, scikit-learn {expected[row].tolist()} for {matrix[row].tolist()}"
        )


def pipeline_answers(pipeline, matrix):
    """scikit-learn's own answer, (n, k), to rows in the order of the columns that the pipeline was fitted on."""
    if hasattr(pipeline, "feature_names_in_"):
        matrix = _frame(list(pipeline.feature_names_in_), matrix)
    if hasattr(pipeline, "classes_"):
        return np.asarray(pipeline.predict_proba(matrix), np.float64)
    return np.asarray(pipeline.predict(matrix), np.float64).reshape(-1, 1)


def _frame(names, matrix):
    """A pipeline that was fitted on a data frame finds its columns by name; without pandas, Arrow is frame enough."""
    columns = {name: matrix[:, j].tolist() for j, name in enumerate(names)}
    try:
        import pandas as pd
    except ImportError:
        return pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})
    return pd.DataFrame(columns)


def pipeline_matrix(columns, values, missing=None):
    """Numbers as float64, codes as the texts they stand for: the (n, columns) matrix that the pipeline takes."""
    if all(column.kind != "category" for column in columns):
        return np.column_stack([_floats(column, value) for column, value in zip(columns, values, strict=True)])
    out = np.empty((len(values[0]), len(columns)), dtype=object)
    for j, (column, value) in enumerate(zip(columns, values, strict=True)):
        texts = np.array([*column.levels, missing, "\x00 unknown"], dtype=object)
        out[:, j] = texts[value] if column.kind == "category" else _floats(column, value)
    return out


def _floats(column, value):
    return np.array([0.0, 1.0, np.nan, np.nan])[value] if column.kind == "boolean" else value


def _checked_columns(plan):
    random = np.random.default_rng(0)
    thresholds = np.concatenate([[0.0]] + [m.model.threshold for m in plan.members if hasattr(m.model, "threshold")])
    return [
        _numbers(random, thresholds) if column.kind == "number" else _codes(random, column) for column in plan.columns
    ]


def _codes(random, column):
    known, missing = column.codes - 2, column.codes - 2
    unknown = missing if column.kind == "boolean" else missing + 1
    rare = random.choice([missing, unknown], CHECKED_ROWS)
    return np.where(
        random.random(CHECKED_ROWS) < (0.06 if known else 1.0), rare, random.integers(0, max(known, 1), CHECKED_ROWS)
    )


def _numbers(random, thresholds):
    spread = random.standard_normal(CHECKED_ROWS) * 10.0 ** random.integers(-2, 5, CHECKED_ROWS)
    near = np.nextafter(random.choice(thresholds, CHECKED_ROWS), random.choice([-np.inf, 0.0, np.inf], CHECKED_ROWS))
    whole = random.integers(-5, 100, CHECKED_ROWS).astype(np.float64)
    picked = np.choose(random.integers(0, 3, CHECKED_ROWS), [spread, near, whole])
    picked[random.random(CHECKED_ROWS) < 0.05] = np.nan
    return picked
