"""What is compiled is compared with its pipeline before it is handed out, in numpy and, where it is built, in the
kernel.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from model_code import kernel
from model_code.plan.execute import answers
from model_code.plan.format import Column, Plan
from model_code.refusals import PlanRefused

CHECKED_ROWS = 256
# What is promised where scikit-learn leaves a sum to BLAS, whose order changes with the machine and the number of rows.
LINEAR_TOLERANCE = 1e-9
UNKNOWN = "\x00 unknown"


def check(data: bytes, plan: Plan, pipeline: Any, order: list[int], missing: float | None) -> None:
    """Rows that no test thought of: every level, missing and unknown values, numbers at and beside the thresholds."""
    columns = _checked_columns(plan)
    found, refusals = answers(plan, columns)
    _check_kernel(data, plan, columns, found)
    scored = np.setdiff1d(np.arange(CHECKED_ROWS), [refusal.row for refusal in refusals])
    if not scored.size:
        raise PlanRefused("scikit-learn refuses every row with a missing or unknown value in it: add an imputer")
    matrix = pipeline_matrix(plan.columns, columns, missing)[scored][:, order]
    try:
        expected = pipeline_answers(pipeline, matrix, [plan.columns[place].kind for place in order])
    except ValueError as error:
        raise PlanRefused(f"scikit-learn refuses a row that the plan answers: {error}") from error
    found = found[scored]
    tolerance = 0.0 if plan.exact else LINEAR_TOLERANCE
    same = np.isclose(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not same.all():
        row = int(np.flatnonzero(~same.all(axis=1))[0])
        raise PlanRefused(
            f"the plan answers {found[row].tolist()}, scikit-learn {expected[row].tolist()} for {matrix[row].tolist()}"
        )


def _check_kernel(data: bytes, plan: Plan, columns: list[np.ndarray], found: np.ndarray) -> None:
    """The two executors share no code but the plan: to the last bit, and a refused row is NaN in both."""
    if not kernel.BUILT:
        return
    from model_code.kernel.engine import KernelEngine

    in_kernel, _ = KernelEngine(data, ()).batch(_batch(plan.columns, columns))
    differing = np.flatnonzero(~np.isclose(in_kernel, found, rtol=0.0, atol=0.0, equal_nan=True).all(axis=1))
    if differing.size:
        row = int(differing[0])
        raise PlanRefused(f"the kernel answers {in_kernel[row].tolist()}, numpy {found[row].tolist()} on the same plan")


def _batch(columns: Sequence[Column], values: Sequence[np.ndarray]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {column.name: _arrow(column, value) for column, value in zip(columns, values, strict=True)}
    )


def _arrow(column: Column, value: np.ndarray) -> pa.Array:
    if column.kind == "number":
        return pa.array(value)
    if column.kind == "boolean":
        return pa.array([[False, True, None][code] for code in value], pa.bool_())
    texts = [*column.levels, None, UNKNOWN]
    return pa.array([texts[code] for code in value], pa.string())


def pipeline_answers(pipeline: Any, matrix: np.ndarray, kinds: list[str]) -> np.ndarray:
    """scikit-learn's own answer, (n, k), to rows in the order of the columns that the pipeline was fitted on."""
    if hasattr(pipeline, "feature_names_in_"):
        matrix = _frame(list(pipeline.feature_names_in_), matrix, kinds)
    if hasattr(pipeline, "classes_"):
        return np.asarray(pipeline.predict_proba(matrix), np.float64)
    return np.asarray(pipeline.predict(matrix), np.float64).reshape(-1, 1)


def _frame(names: list[str], matrix: np.ndarray, kinds: list[str]) -> Any:
    """Return the rows as the data frame that a pipeline fitted on one needs: what passes through must be pandas'.

    A column of texts stays one where every text is null: left to itself it would become a column of numbers.
    """
    import pandas as pd  # half a second, and only such a pipeline needs it

    columns = [
        (name, matrix[:, j].tolist(), kind == "category")
        for j, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    return pd.DataFrame({name: pd.Series(values, dtype=object if texts else float) for name, values, texts in columns})


def pipeline_matrix(
    columns: Sequence[Column], values: Sequence[np.ndarray], missing: float | None = None
) -> np.ndarray:
    """Numbers as float64, codes as the texts they stand for: the (n, columns) matrix that the pipeline takes."""
    if all(column.kind != "category" for column in columns):
        return np.column_stack([_floats(column, value) for column, value in zip(columns, values, strict=True)])
    out = np.empty((len(values[0]), len(columns)), dtype=object)
    for j, (column, value) in enumerate(zip(columns, values, strict=True)):
        texts = np.array([*column.levels, missing, UNKNOWN], dtype=object)
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
    """The numbers that are known where a column is used as a category: any other may be refused, and tells nothing
    then.
    """
    codings = [coding for features in plan.feature_sets for coding in features.codings if coding.column == place]
    return np.concatenate([np.zeros(0), *(coding.keys for coding in codings)])


def _codes(random: np.random.Generator, column: Column) -> np.ndarray:
    known, missing = column.codes - 2, column.codes - 2
    unknown = missing if column.kind == "boolean" else missing + 1
    rare = random.choice([missing, unknown], CHECKED_ROWS)
    return np.where(
        random.random(CHECKED_ROWS) < (0.06 if known else 1.0), rare, random.integers(0, max(known, 1), CHECKED_ROWS)
    )


def _numbers(random: np.random.Generator, thresholds: np.ndarray, keys: np.ndarray) -> np.ndarray:
    spread = random.standard_normal(CHECKED_ROWS) * 10.0 ** random.integers(-2, 5, CHECKED_ROWS)
    near = np.nextafter(random.choice(thresholds, CHECKED_ROWS), random.choice([-np.inf, 0.0, np.inf], CHECKED_ROWS))
    whole = random.integers(-5, 100, CHECKED_ROWS).astype(np.float64)
    picked = np.choose(random.integers(0, 3, CHECKED_ROWS), [spread, near, whole])
    if keys.size:
        picked = np.where(random.random(CHECKED_ROWS) < 0.9, random.choice(keys, CHECKED_ROWS), picked)
    picked[random.random(CHECKED_ROWS) < 0.05] = np.nan
    return picked
