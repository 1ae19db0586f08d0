"""Run a plan with numpy: it serves if there was no compiler, and the kernel is tested against it.

Every sum is made in a fixed order, so that a row's answer does not depend on the other rows.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from model_code.plan.format import Calibrator, Coding, Constant, FeatureSet, Linear, Member, NumberFeature, Plan, Trees
from model_code.refusals import RowRefused

Refused = dict[int, tuple[int, RowRefused]]  # row -> the place of the column, and its refusal

_WALKS_AT_ONCE = 1 << 20  # (row, tree) pairs; bounds memory


def answers(plan: Plan, columns: Sequence[np.ndarray]) -> tuple[np.ndarray, list[RowRefused]]:
    """Answer columns in the plan's order (float64, or integer codes): (rows, width) float64, NaN for a refused row, and
    the refusals.
    """
    rows = len(columns[0]) if columns else 0
    refused: Refused = {}  # of each row, the refusal in the first column
    with np.errstate(all="ignore"):
        matrices = [_features(plan, feature_set, columns, rows, refused) for feature_set in plan.feature_sets]
        parts = [_member(member, matrices[member.features]) for member in plan.members]
    if len(parts) == 1:
        total = parts[0]
    else:
        total = np.zeros((rows, plan.width))
        for part in parts:
            total = total + part
        total = total / len(parts)
    total = np.array(total)
    total[list(refused)] = np.nan
    return total, [refused[row][1] for row in sorted(refused)]


def _features(
    plan: Plan, feature_set: FeatureSet, columns: Sequence[np.ndarray], rows: int, refused: Refused
) -> np.ndarray:
    """Return the model's input, (rows, features); add the rows that may not be scored to `refused`."""
    x = np.zeros((rows, feature_set.width))
    for number in feature_set.numbers:
        name = plan.columns[number.column].name
        x[:, number.feature] = _number(columns[number.column], number, name, refused)
    for coding in feature_set.codings:
        codes = _codes(plan, coding, columns[coding.column], refused)
        _spread(coding, codes, x)
    return x


def _spread(coding: Coding, codes: np.ndarray, x: np.ndarray) -> None:
    """Put each row's values into their features; as pairs, since a table of all codes and features may be huge."""
    starts = coding.starts.astype(np.int64)
    counts = np.diff(starts)[codes]
    row = np.repeat(np.arange(len(codes)), counts)
    # the pairs of a row lie side by side from the start of its code
    pair = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(starts[codes], counts)
    x[row, coding.features[pair]] = coding.values[pair]


def _number(values: np.ndarray, number: NumberFeature, name: str, refused: Refused) -> np.ndarray:
    x = np.asarray(values, np.float64)
    for op, a, b in number.steps:
        if op in ("finite", "present"):
            bad = np.isinf(x) if op == "finite" else np.isnan(x)
            for row in np.flatnonzero(bad).tolist():
                finite = f"must be finite as the model takes it, not {float(values[row])!r}"
                _refuse(refused, row, number.column, name, finite if op == "finite" else "must be a number, not null")
        else:
            x = _STEP[op](x, a, b)
    return x


def _refuse(refused: Refused, row: int, column: int, name: str, message: str) -> None:
    if row not in refused or refused[row][0] > column:
        refused[row] = (column, RowRefused(row, name, message))


def _is(x: np.ndarray, marker: float) -> np.ndarray:
    return np.isnan(x) if np.isnan(marker) else x == marker


_STEP: dict[str, Callable[..., Any]] = {
    "replace": lambda x, a, b: np.where(_is(x, a), b, x),
    "indicate": lambda x, a, b: _is(x, a).astype(np.float64),
    "subtract": lambda x, a, b: x - a,
    "divide": lambda x, a, b: x / a,
    "multiply": lambda x, a, b: x * a,
    "add": lambda x, a, b: x + a,
    "clip": np.clip,
    "float32": lambda x, a, b: x.astype(np.float32).astype(np.float64),
}


def _codes(plan: Plan, coding: Coding, values: np.ndarray, refused: Refused) -> np.ndarray:
    codes, name = np.asarray(values), plan.columns[coding.column].name
    missing, unknown = len(coding.allowed) - 2, len(coding.allowed) - 1
    if coding.keys is not None:
        for row in np.flatnonzero(np.isinf(codes)).tolist():
            _refuse(refused, row, coding.column, name, f"must be a finite number, not {float(codes[row])!r}")
        place = np.searchsorted(coding.keys, codes)
        known = np.append(coding.keys, np.nan)[place] == codes
        codes = np.where(known, place, np.where(np.isnan(codes), missing, unknown))
    for row in np.flatnonzero(~coding.allowed.astype(bool)[codes]).tolist():
        null = ", not null" if codes[row] == missing else ""
        _refuse(refused, row, coding.column, name, f"must be a value that the model was fitted on{null}")
    return codes


def _member(member: Member, x: np.ndarray) -> np.ndarray:
    model = member.model
    if isinstance(model, Constant):
        raw = np.broadcast_to(model.values, (len(x), len(model.values)))
    elif isinstance(model, Linear):
        raw = _linear(model, x)
    else:
        raw = _trees(model, x)
    for link in member.links:
        raw = LINK[link.op](raw, link.calibrators)
    return raw


def _linear(model: Linear, x: np.ndarray) -> np.ndarray:
    raw = np.zeros((len(x), len(model.intercept)))
    for j in range(x.shape[1]):
        raw = raw + x[:, j, None] * model.coef[:, j]
    return raw + model.intercept


def _trees(trees: Trees, x: np.ndarray) -> np.ndarray:
    block = max(1, _WALKS_AT_ONCE // max(1, len(trees.roots)))
    blocks = [_walk(trees, x[start : start + block]) for start in range(0, len(x), block)]
    return np.concatenate(blocks) if blocks else np.zeros((0, len(trees.baseline)))


def _walk(trees: Trees, x: np.ndarray) -> np.ndarray:
    at = np.broadcast_to(trees.roots.astype(np.int64), (len(x), len(trees.roots))).copy()
    row = np.arange(len(x))[:, None]
    while (inner := trees.feature[at] >= 0).any():
        value = x[row, np.where(inner, trees.feature[at], 0)] if x.shape[1] else np.zeros(at.shape)
        left = np.where(np.isnan(value), trees.missing_left[at] != 0, value <= trees.threshold[at])
        sets = trees.category_set[at]
        categorical = inner & (sets >= 0) & ~np.isnan(value)
        if categorical.any():
            left[categorical] = _in_set(trees.sets, sets[categorical], value[categorical])
        at = np.where(inner, np.where(left, trees.left[at], trees.right[at]), at)
    leaf = trees.left[at]
    return _summed(trees, trees.values.reshape(-1, trees.leaf_width)[leaf]) / trees.divisor


def _in_set(sets: np.ndarray, index: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Whether each value is in its set; one outside 0..255 is in none."""
    category = np.where((value >= 0) & (value < 256), value, 0).astype(np.int64)
    word = sets.reshape(-1, 8)[index, category // 32]
    return ((word >> (category % 32).astype(np.uint32)) & 1).astype(bool) & (value >= 0) & (value < 256)


def _summed(trees: Trees, leaves: np.ndarray) -> np.ndarray:
    """Add (rows, trees, leaf width) to the baseline, one tree after the other: `accumulate` never pairs its terms."""
    outputs = len(trees.baseline)
    if trees.leaf_width == 1:
        # tree t adds to output t % outputs
        leaves = leaves[:, :, 0].reshape(len(leaves), -1, outputs)
    first = np.broadcast_to(trees.baseline, (len(leaves), 1, outputs))
    return np.add.accumulate(np.concatenate([first, leaves], axis=1), axis=1)[:, -1]


def _pair(one: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - one[:, 0], one[:, 0]])


def _softmax(raw: np.ndarray, by_rows: bool) -> np.ndarray:
    """Compute scikit-learn's softmax; the order of its sum is the memory order of the matrix."""
    powers = np.exp(raw - raw.max(axis=1, keepdims=True))
    return powers / (_sum_by_rows(powers) if by_rows else np.add.accumulate(powers, axis=1)[:, -1:])


def _sum_by_rows(matrix: np.ndarray) -> np.ndarray:
    return np.sum(np.ascontiguousarray(matrix), axis=1, keepdims=True)


def _calibrate(raw: np.ndarray, calibrators: tuple[Calibrator, ...]) -> np.ndarray:
    each = np.column_stack([_calibrated(raw[:, k], calibrator) for k, calibrator in enumerate(calibrators)])
    if len(calibrators) == 1:
        answer = _pair(each)
    else:
        total = _sum_by_rows(each)
        answer = np.where(total != 0, each / total, 1 / len(calibrators))
    return np.where((answer > 1.0) & (answer <= 1.0 + 1e-5), 1.0, answer)


def _calibrated(raw: np.ndarray, calibrator: Calibrator) -> np.ndarray:
    if calibrator.kind == "sigmoid":
        return expit(calibrator.x[0] * raw + calibrator.y[0])
    if len(calibrator.x) == 1:
        return np.full(len(raw), calibrator.y[0])
    return np.interp(np.clip(raw, calibrator.x[0], calibrator.x[-1]), calibrator.x, calibrator.y)


LINK: dict[str, Callable[[np.ndarray, Any], np.ndarray]] = {
    "expit": lambda raw, _: _pair(expit(raw)),
    "expit_double": lambda raw, _: _pair(expit(2 * raw)),
    "softmax_by_rows": lambda raw, _: _softmax(raw, by_rows=True),
    "softmax_by_columns": lambda raw, _: _softmax(raw, by_rows=False),
    "exp": lambda raw, _: np.exp(raw),
    "second": lambda raw, _: raw[:, 1:2],
    "calibrate": _calibrate,
}
