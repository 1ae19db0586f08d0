"""Compare a compiled plan with its pipeline before it is returned, in numpy and, if it is built, in the kernel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from model_code import kernel
from model_code.plan.execute import answers
from model_code.plan.format import Column, Plan
from model_code.refusals import PlanRefused

_CHECKED_ROWS = 256
# What is promised where scikit-learn leaves a sum to BLAS, whose order changes with the machine and the number of rows.
_LINEAR_TOLERANCE = 1e-9
_UNKNOWN = "\x00 unknown"


def check(data: bytes, plan: Plan, pipeline: Any, order: list[int], missing: float | None) -> None:
    """Compare the plan's answers with the pipeline's on generated rows: every level, missing and unknown values,
    numbers at and beside the thresholds. Raises PlanRefused.
    """
    columns = _checked_columns(plan)
    in_numpy, refusals = answers(plan, columns)
    _check_kernel(data, plan, columns, in_numpy)
    scored = np.setdiff1d(np.arange(_CHECKED_ROWS), [refusal.row for refusal in refusals])
    if not scored.size:
        raise PlanRefused("scikit-learn refuses every row with a missing or unknown value in it: add an imputer")
    matrix = pipeline_matrix(plan.columns, columns, missing)[scored][:, order]
    try:
        expected = pipeline_answers(pipeline, matrix, [plan.columns[place].kind for place in order])
    except ValueError as error:
        raise PlanRefused(f"scikit-learn refuses a row that the plan answers: {error}") from error
    in_numpy = in_numpy[scored]
    tolerance = 0.0 if plan.exact else _LINEAR_TOLERANCE
    same = np.isclose(in_numpy, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not same.all():
        row = int(np.flatnonzero(~same.all(axis=1))[0])
        raise PlanRefused(
            f"the plan answers {in_numpy[row].tolist()}, scikit-learn {expected[row].tolist()} "
            f"for {matrix[row].tolist()}"
        )


def _check_kernel(data: bytes, plan: Plan, columns: list[np.ndarray], in_numpy: np.ndarray) -> None:
    """Refuse a plan that the two executors answer differently in one bit; they share no code but the plan."""
    if not kernel.BUILT:
        return
    from model_code.kernel.engine import KernelEngine  # lazy: it is there only if the kernel was built

    in_kernel, _ = KernelEngine(data, ()).batch(_batch(plan.columns, columns))
    differing = np.flatnonzero(~np.isclose(in_kernel, in_numpy, rtol=0.0, atol=0.0, equal_nan=True).all(axis=1))
    if differing.size:
        row = int(differing[0])
        raise PlanRefused(
            f"the kernel answers {in_kernel[row].tolist()}, numpy {in_numpy[row].tolist()} on the same plan"
        )


def _batch(columns: Sequence[Column], values: Sequence[np.ndarray]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {column.name: _arrow(column, value) for column, value in zip(columns, values, strict=True)}
    )


def _arrow(column: Column, value: np.ndarray) -> pa.Array:
    if column.kind == "number":
        return pa.array(value)
    if column.kind == "boolean":
        return pa.array([[False, True, None][code] for code in value], pa.bool_())
    texts = [*column.levels, None, _UNKNOWN]
    return pa.array([texts[code] for code in value], pa.string())


def pipeline_answers(pipeline: Any, matrix: np.ndarray, kinds: list[str]) -> np.ndarray:
    """Return scikit-learn's own answers, (rows, classes), to rows in the order of the columns that the pipeline was
    fitted on.
    """
    if hasattr(pipeline, "feature_names_in_"):
        matrix = _frame(list(pipeline.feature_names_in_), matrix, kinds)
    if hasattr(pipeline, "classes_"):
        return np.asarray(pipeline.predict_proba(matrix), np.float64)
    return np.asarray(pipeline.predict(matrix), np.float64).reshape(-1, 1)


def _frame(names: list[str], matrix: np.ndarray, kinds: list[str]) -> Any:
    """Return the rows as the data frame that a pipeline fitted on one needs: what passes through must be pandas'.

    A column of texts stays one where every text is null: left to itself it would become a column of numbers.
    """
    import pandas as pd  # lazy: takes half a second, and only such a pipeline needs it

    columns = [
        (name, matrix[:, j].tolist(), kind == "category")
        for j, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    return pd.DataFrame({name: pd.Series(values, dtype=object if texts else float) for name, values, texts in columns})


def pipeline_matrix(
    columns: Sequence[Column], values: Sequence[np.ndarray], missing: float | None = None
) -> np.ndarray:
    """Return the pipeline's (rows, columns) matrix: numbers as float64, codes as the texts that they stand for."""
    if all(column.kind != "category" for column in columns):
        return np.column_stack([_floats(column, value) for column, value in zip(columns, values, strict=True)])
    out = np.empty((len(values[0]), len(columns)), dtype=object)
    for j, (column, value) in enumerate(zip(columns, values, strict=True)):
        texts = np.array([*column.levels, missing, _UNKNOWN], dtype=object)
        out[:, j] = texts[value] if column.kind == "category" else _floats(column, value)
    return out


def _floats(column: Column, value: np.ndarray) -> np.ndarray:
    return np.array([0.0, 1.0, np.nan, np.nan])[value] if column.kind == "boolean" else value


def _checked_columns(plan: Plan) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    thresholds = np.concatenate([[0.0]] + [m.model.threshold for m in plan.members if hasattr(m.model, "threshold")])
    return [
        _numbers(random, thresholds, _keys(plan, place)) if column.kind == "number" else _codes(random, column)
        for place, column in enumerate(plan.columns)
    ]


def _keys(plan: Plan, place: int) -> np.ndarray:
    """Return the numbers that are known where a column is used as a category; any other may be refused, so it proves
    nothing.
    """
    codings = [coding for features in plan.feature_sets for coding in features.codings if coding.column == place]
    return np.concatenate([np.zeros(0), *(coding.keys for coding in codings)])


def _codes(random: np.random.Generator, column: Column) -> np.ndarray:
    known, missing = column.codes - 2, column.codes - 2
    unknown = missing if column.kind == "boolean" else missing + 1
    rare = random.choice([missing, unknown], _CHECKED_ROWS)
    return np.where(
        random.random(_CHECKED_ROWS) < (0.06 if known else 1.0), rare, random.integers(0, max(known, 1), _CHECKED_ROWS)
    )


def _numbers(random: np.random.Generator, thresholds: np.ndarray, keys: np.ndarray) -> np.ndarray:
    spread = random.standard_normal(_CHECKED_ROWS) * 10.0 ** random.integers(-2, 5, _CHECKED_ROWS)
    near = np.nextafter(random.choice(thresholds, _CHECKED_ROWS), random.choice([-np.inf, 0.0, np.inf], _CHECKED_ROWS))
    whole = random.integers(-5, 100, _CHECKED_ROWS).astype(np.float64)
    picked = np.choose(random.integers(0, 3, _CHECKED_ROWS), [spread, near, whole])
    if keys.size:
        picked = np.where(random.random(_CHECKED_ROWS) < 0.9, random.choice(keys, _CHECKED_ROWS), picked)
    picked[random.random(_CHECKED_ROWS) < 0.05] = np.nan
    return picked
