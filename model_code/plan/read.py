"""Read a plan file and check all of it, so that neither executor meets an index outside of its array or a tree with a
loop.
"""

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from model_code.kernel.header import checked_body
from model_code.plan.format import (
    CALIBRATORS,
    CATEGORY_WORDS,
    KINDS,
    LINKS,
    MOST_FEATURES,
    MOST_LINKS,
    MOST_SILENT,
    STEPS,
    TASKS,
    TREE_ARRAYS,
    Calibrator,
    Coding,
    Column,
    Constant,
    FeatureSet,
    Linear,
    Link,
    Member,
    Model,
    NumberFeature,
    Plan,
    Step,
    Trees,
)
from model_code.refusals import PlanCorrupt


def decode(data: bytes) -> Plan:
    """Read a plan file. Raises PlanCorrupt."""
    body = checked_body(data)
    reader = _Reader(body)
    plan = _plan(reader)
    _need(reader.at == len(body), f"{len(body) - reader.at} bytes left over after the plan")
    return plan


def _need(holds: Any, message: str) -> None:
    if not holds:
        raise PlanCorrupt(message)


class _Reader:
    """Takes typed values off the front of the bytes; refuses to read past their end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        _need(size <= len(self.data) - self.at, f"cut off at byte {self.at}: {size} more bytes were to come")
        self.at += size
        return self.data[self.at - size : self.at]

    def u8(self) -> int:
        return self.take(1)[0]

    def u32(self) -> int:
        return struct.unpack("<I", self.take(4))[0]

    def f64(self) -> float:
        return struct.unpack("<d", self.take(8))[0]

    def string(self) -> str:
        try:
            return self.take(self.u32()).decode("utf-8")
        except UnicodeDecodeError as error:
            raise PlanCorrupt(f"a name before byte {self.at} is not UTF-8") from error

    def many(self, read: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
        count = self.u32()
        _need(count <= len(self.data) - self.at, f"cut off at byte {self.at}: {count} items were to come")
        return tuple(read(*arguments) for _ in range(count))

    def array(self, type_: str) -> np.ndarray:
        dtype = np.dtype(type_)
        return np.frombuffer(self.take(self.u32() * dtype.itemsize), dtype)

    def one_of(self, names: Sequence[str]) -> str:
        index = self.u8()
        _need(
            index < len(names),
            f"choice = {index} before byte {self.at}: must be 0 to {len(names) - 1}, {', '.join(names)}",
        )
        return names[index]


def _plan(reader: _Reader) -> Plan:
    task = reader.one_of(TASKS)
    classes = tuple(map(_label, reader.many(reader.string)))
    columns = reader.many(_column, reader)
    _need(len({column.name for column in columns}) == len(columns), "a column is named twice")
    feature_sets = reader.many(_features, reader, columns)
    # a width is memory for every row, and four bytes name any: so hardly more is taken than is described feature by
    # feature
    _need(sum(features.silent for features in feature_sets) <= MOST_SILENT, "more features than the plan describes")
    plan = Plan(task, classes, columns, feature_sets, ())
    _need((task == "classification") == bool(classes), f"{task} with {len(classes)} classes")
    members = reader.many(_member, reader, feature_sets, plan.width)
    _need(bool(members), "no model in the plan")
    return Plan(task, classes, columns, feature_sets, members)


def _label(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: a whole number of more digits than Python reads, too
        raise PlanCorrupt(f"a class label is not JSON: {error}") from error


def _column(reader: _Reader) -> Column:
    name, kind, levels = reader.string(), reader.one_of(KINDS), reader.many(reader.string)
    _need(not levels or kind == "category", f"column {name!r} is a {kind} and has levels")
    _need(len(set(levels)) == len(levels), f"column {name!r} has a level twice")
    return Column(name, kind, levels)


def _features(reader: _Reader, columns: Sequence[Column]) -> FeatureSet:
    width = reader.u32()
    numbers = reader.many(_number, reader, columns)
    codings = reader.many(_coding, reader, columns, width)
    made = np.concatenate(
        [np.array([number.feature for number in numbers], "u4"), *(np.unique(coding.features) for coding in codings)]
    )
    _need(len(made) == len(np.unique(made)) and (made < width).all(), "a feature is made twice or is beyond the width")
    _need(width <= MOST_FEATURES, f"{width} features are more than a plan may have")
    return FeatureSet(width, numbers, codings)


def _number(reader: _Reader, columns: Sequence[Column]) -> NumberFeature:
    feature, column = reader.u32(), reader.u32()
    _need(
        column < len(columns) and columns[column].kind == "number",
        f"feature {feature} is of column {column}: must be of a number column",
    )
    return NumberFeature(feature, column, reader.many(_step, reader))


def _step(reader: _Reader) -> Step:
    name, a, b = reader.one_of(STEPS), reader.f64(), reader.f64()
    _need(name != "clip" or a <= b, f"a clip between {a} and {b}")
    return name, a, b


def _coding(reader: _Reader, columns: Sequence[Column], width: int) -> Coding:
    column, has_keys = reader.u32(), reader.u8()
    _need(column < len(columns), f"a coding of column {column} of {len(columns)}")
    keys, starts, features, values, allowed = (reader.array(dtype) for dtype in ("<f8", "<u4", "<u4", "<f8", "u1"))
    is_number = columns[column].kind == "number"
    _need(
        has_keys == is_number and (is_number or not keys.size),
        f"column {columns[column].name!r} is coded as another kind",
    )
    _need(not np.isnan(keys).any() and (np.diff(keys) > 0).all(), "the keys of a coding do not ascend")
    codes = len(keys) + 2 if is_number else columns[column].codes
    _need(len(starts) == codes + 1 and len(allowed) == codes, f"a coding of {codes} codes has {len(starts)} starts")
    _need(starts[0] == 0 and starts[-1] == len(features) == len(values), "a coding does not cover its values")
    _need((starts[1:] >= starts[:-1]).all() and (features < width).all(), "a coding reaches outside its values")
    return Coding(column, keys if is_number else None, starts, features, values, allowed)


def _member(reader: _Reader, feature_sets: Sequence[FeatureSet], width: int) -> Member:
    index = reader.u32()
    _need(index < len(feature_sets), f"a model on feature set {index} of {len(feature_sets)}")
    features = feature_sets[index].width
    kind = reader.one_of(("constant", "linear", "trees"))
    read: dict[str, Callable[[_Reader, int], tuple[Model, int]]]
    read = {"constant": _constant, "linear": _linear, "trees": _trees}
    model, outputs = read[kind](reader, features)
    links = reader.many(_link, reader)
    _need(len(links) <= MOST_LINKS, f"{len(links)} links are more than a model may have")
    for link in links:
        outputs = _outputs_after(link, outputs)
    _need(outputs == width, f"a model gives {outputs} outputs, the plan {width}")
    return Member(index, model, links)


def _constant(reader: _Reader, _: int) -> tuple[Constant, int]:
    values = reader.array("<f8")
    return Constant(values), len(values)


def _linear(reader: _Reader, features: int) -> tuple[Linear, int]:
    coef, intercept = reader.array("<f8"), reader.array("<f8")
    _need(
        len(coef) == len(intercept) * features,
        f"{len(coef)} coefficients for {len(intercept)} outputs of {features} features",
    )
    return Linear(coef.reshape(len(intercept), features), intercept), len(intercept)


def _trees(reader: _Reader, features: int) -> tuple[Trees, int]:
    baseline, divisor, leaf_width = reader.array("<f8"), reader.f64(), reader.u32()
    trees = Trees(baseline, divisor, leaf_width, **{name: reader.array(dtype) for name, dtype in TREE_ARRAYS})
    nodes, outputs = len(trees.feature), len(baseline)
    _need(outputs > 0 and leaf_width in (1, outputs), f"leaves of {leaf_width} values for {outputs} outputs")
    _need(leaf_width == outputs or len(trees.roots) % outputs == 0, "trees that do not divide among the outputs")
    same = all(
        len(getattr(trees, name)) == nodes for name in ("threshold", "left", "right", "missing_left", "category_set")
    )
    _need(same, "the arrays of the trees differ in length")
    _need(
        (trees.roots < nodes).all() and (np.diff(trees.roots.astype(np.int64)) > 0).all(), "a root is outside the trees"
    )
    _need(
        len(trees.values) % leaf_width == 0 and len(trees.sets) % CATEGORY_WORDS == 0,
        "leaf values or category sets are cut off",
    )
    _check_nodes(trees, features)
    return trees, outputs


def _check_nodes(trees: Trees, features: int) -> None:
    """Check that children come after their one parent, inside the same tree: so every walk ends."""
    here = np.arange(len(trees.feature))
    leaf = trees.feature < 0
    ends = np.append(trees.roots[1:], len(here))
    end = ends[np.searchsorted(trees.roots, here, side="right") - 1] if len(trees.roots) else np.zeros(len(here))
    inner, after, before = ~leaf, here, end
    for child in (trees.left, trees.right):
        _need(
            (child[inner] > after[inner]).all() and (child[inner] < before[inner]).all(),
            "a node's child is outside its tree",
        )
    children = np.concatenate([trees.left[inner], trees.right[inner], trees.roots])
    _need(np.array_equal(np.sort(children), here), "a node that is no tree's or two parents'")
    _need((trees.left[leaf] < len(trees.values) // trees.leaf_width).all(), "a leaf without a value")
    _need((trees.feature[inner] < features).all(), "a node on a feature that is not there")
    _need(
        (trees.category_set[inner] < len(trees.sets) // CATEGORY_WORDS).all(),
        "a node on a category set that is not there",
    )


def _link(reader: _Reader) -> Link:
    return Link(reader.one_of(LINKS), reader.many(_calibrator, reader))


def _calibrator(reader: _Reader) -> Calibrator:
    kind, x, y = reader.one_of(CALIBRATORS), reader.array("<f8"), reader.array("<f8")
    _need(
        len(x) == len(y) > 0 and (kind == "isotonic" or len(x) == 1),
        f"a {kind} calibrator of {len(x)} and {len(y)} values",
    )
    _need(
        not np.isnan(x).any() and (kind == "sigmoid" or (np.diff(x) > 0).all()),
        f"the points of a {kind} calibrator do not ascend",
    )
    return Calibrator(kind, x, y)


def _outputs_after(link: Link, outputs: int) -> int:
    count = len(link.calibrators)
    _need((count > 0) == (link.op == "calibrate"), f"{count} calibrators at a {link.op}")
    if link.op == "calibrate":
        _need(count == outputs, f"{count} calibrators for {outputs} outputs")
        return 2 if count == 1 else count
    if link.op in ("expit", "expit_double"):
        _need(outputs == 1, f"{link.op} of {outputs} outputs")
        return 2
    if link.op == "second":
        _need(outputs == 2, f"the second of {outputs} outputs")
        return 1
    return outputs
