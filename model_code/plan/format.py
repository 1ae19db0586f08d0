"""The plan as data, and as the plain file that the kernel and the Python executor both read.

Behind its header (`kernel/header.py`) a file is little-endian numbers, strings (u32 length, UTF-8) and arrays (u32
count, items) in the order of `encode`: no pickle, nothing that runs. `read.decode` checks every length, index and tree
before it returns, so that what is executed cannot reach outside its arrays.

Codes of a boolean or category column with L levels: 0..L-1 the level, L missing, L+1 unknown. A boolean has the levels
false and true.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_code.kernel.header import with_header

KINDS = ("number", "boolean", "category")
TASKS = ("classification", "regression")
# One step of arithmetic on a number feature; a and b are its operands, NaN equal to NaN.
STEPS = ("replace", "indicate", "subtract", "divide", "multiply", "add", "clip", "float32", "finite", "present")
# What turns a model's raw outputs into its answer, in order.
LINKS = ("expit", "expit_double", "softmax_by_rows", "softmax_by_columns", "exp", "second", "calibrate")
CALIBRATORS = ("sigmoid", "isotonic")
MOST_FEATURES = 1 << 16  # of one feature set
MOST_SILENT = 4096  # features of all sets that are zero for every row: no bytes describe them
MOST_LINKS = 8  # of one member
CATEGORY_WORDS = 8  # a set of categories is 256 bits, as in scikit-learn's histogram trees

Step = tuple[str, float, float]  # its name, a and b
Steps = tuple[Step, ...]


@dataclass(frozen=True)
class Column:
    name: str
    kind: str
    levels: tuple[str, ...] = ()

    @property
    def codes(self) -> int:
        return (2 if self.kind == "boolean" else len(self.levels)) + 2


@dataclass(frozen=True)
class NumberFeature:
    """Feature number `feature` = the column's value after `steps`, each (name, a, b)."""

    feature: int
    column: int
    steps: Steps = ()


@dataclass(frozen=True)
class Coding:
    """All features that depend on the code of one column: per code its non-zero (feature, value) pairs, and whether it
    is allowed.

    A number column is coded by its position in the ascending `keys`; then missing and unknown follow as for a category.
    """

    column: int
    keys: np.ndarray | None
    starts: np.ndarray
    features: np.ndarray
    values: np.ndarray
    allowed: np.ndarray


@dataclass(frozen=True)
class FeatureSet:
    width: int
    numbers: tuple[NumberFeature, ...] = ()
    codings: tuple[Coding, ...] = ()

    @property
    def silent(self) -> int:
        """Count the features that neither a number nor a coding makes: they are zero for every row."""
        return self.width - len(self.numbers) - sum(len(np.unique(coding.features)) for coding in self.codings)


@dataclass(frozen=True)
class Constant:
    values: np.ndarray


@dataclass(frozen=True)
class Linear:
    """Output k is intercept[k] + the sum of x[j] * coef[k, j], added in the order of the features, from zero."""

    coef: np.ndarray
    intercept: np.ndarray


@dataclass(frozen=True)
class Trees:
    """Trees whose leaves are summed in order over `baseline`, then divided by `divisor`.

    With leaf_width 1 tree t adds to output t % outputs (boosting); else a leaf holds a value for every output
    (forests). A node with feature -1 is a leaf and `left` its row of `values`. Else x goes left when x <= threshold,
    or, where category_set is not -1, when int(x) is in that set; a NaN goes left when missing_left.
    """

    baseline: np.ndarray
    divisor: float
    leaf_width: int
    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    category_set: np.ndarray
    sets: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Calibrator:
    """sigmoid: 1 / (1 + exp(x[0] * raw + y[0])); isotonic: linear between the points (x, y), held beyond them."""

    kind: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Link:
    op: str
    calibrators: tuple[Calibrator, ...] = ()


Model = Constant | Linear | Trees


@dataclass(frozen=True)
class Member:
    features: int
    model: Model
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Columns in, one row of `width` float64 out: the mean over `members`, each a model on one of the feature sets."""

    task: str
    classes: tuple
    columns: tuple[Column, ...]
    feature_sets: tuple[FeatureSet, ...]
    members: tuple[Member, ...]

    @property
    def width(self) -> int:
        return len(self.classes) if self.task == "classification" else 1

    @property
    def exact(self) -> bool:
        """Whether scikit-learn's answer is reproduced to the last bit: not promised where it leaves a sum to BLAS."""
        return not any(isinstance(member.model, Linear) for member in self.members)


# -- writing
# ----------------------------------------------------------------------------------------------------------------


def encode(plan: Plan) -> bytes:
    out = bytearray()
    _u8(out, TASKS.index(plan.task))
    _strings(out, [json.dumps(label) for label in plan.classes])
    _u32(out, len(plan.columns))
    for column in plan.columns:
        _string(out, column.name)
        _u8(out, KINDS.index(column.kind))
        _strings(out, column.levels)
    _u32(out, len(plan.feature_sets))
    for features in plan.feature_sets:
        _encode_features(out, features)
    _u32(out, len(plan.members))
    for member in plan.members:
        _encode_member(out, member)
    return with_header(out)


def _encode_features(out: bytearray, features: FeatureSet) -> None:
    _u32(out, features.width)
    _u32(out, len(features.numbers))
    for number in features.numbers:
        _u32(out, number.feature)
        _u32(out, number.column)
        _u32(out, len(number.steps))
        for name, a, b in number.steps:
            _u8(out, STEPS.index(name))
            out += struct.pack("<dd", a, b)
    _u32(out, len(features.codings))
    for coding in features.codings:
        _u32(out, coding.column)
        _u8(out, coding.keys is not None)
        _array(out, () if coding.keys is None else coding.keys, "<f8")
        _array(out, coding.starts, "<u4")
        _array(out, coding.features, "<u4")
        _array(out, coding.values, "<f8")
        _array(out, coding.allowed, "u1")


def _encode_member(out: bytearray, member: Member) -> None:
    _u32(out, member.features)
    model = member.model
    if isinstance(model, Constant):
        _u8(out, 0)
        _array(out, model.values, "<f8")
    elif isinstance(model, Linear):
        _u8(out, 1)
        _array(out, model.coef, "<f8")
        _array(out, model.intercept, "<f8")
    else:
        _u8(out, 2)
        _encode_trees(out, model)
    _u32(out, len(member.links))
    for link in member.links:
        _u8(out, LINKS.index(link.op))
        _u32(out, len(link.calibrators))
        for calibrator in link.calibrators:
            _u8(out, CALIBRATORS.index(calibrator.kind))
            _array(out, calibrator.x, "<f8")
            _array(out, calibrator.y, "<f8")


TREE_ARRAYS = (
    ("roots", "<u4"),
    ("feature", "<i4"),
    ("threshold", "<f8"),
    ("left", "<u4"),
    ("right", "<u4"),
    ("missing_left", "u1"),
    ("category_set", "<i4"),
    ("sets", "<u4"),
    ("values", "<f8"),
)


def _encode_trees(out: bytearray, trees: Trees) -> None:
    _array(out, trees.baseline, "<f8")
    out += struct.pack("<d", trees.divisor)
    _u32(out, trees.leaf_width)
    for name, dtype in TREE_ARRAYS:
        _array(out, getattr(trees, name), dtype)


def _u8(out: bytearray, value: int) -> None:
    out.append(int(value))


def _u32(out: bytearray, value: int) -> None:
    out += struct.pack("<I", value)


def _string(out: bytearray, text: str) -> None:
    data = text.encode("utf-8")
    _u32(out, len(data))
    out += data


def _strings(out: bytearray, texts: Sequence[str]) -> None:
    _u32(out, len(texts))
    for text in texts:
        _string(out, text)


def _array(out: bytearray, values: Any, dtype: Any) -> None:
    values = np.ascontiguousarray(values, dtype=dtype).ravel()
    _u32(out, values.size)
    out += values.tobytes()
