"""The engine for models of tensors: ONNX Runtime on `model.onnx`, its inputs filled as `signature.json` describes.

The signature gives the columns of each input, in their order, and their encoding:

    ordinal   numbers as they are, booleans 0 and 1, a category its place in `levels` or -1; null is NaN
    one-hot   the same, but a category is as many numbers as it has levels: 1 at its place, else 0
    value     one column as it is, text included; a null text is empty
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from model_code.plan.engines import RowEngine
from model_code.plan.format import Column
from model_code.rows.features import ModelColumn

if TYPE_CHECKING:
    from model_code.engines.engine import Scored

_BOOLEANS = np.array([0.0, 1.0, np.nan, np.nan])  # by code: no, yes, missing, unknown


class Input(TypedDict):
    """An input of the model, the columns that fill it, and their encoding (see above)."""

    name: str
    dtype: str
    rank: int
    columns: list[str]
    encoding: str


class Signature(TypedDict):
    """signature.json; `output` names the output that holds the scores."""

    task: str
    classes: list[Any]
    columns: list[ModelColumn]
    inputs: list[Input]
    output: str


Tensors = dict[str, np.ndarray]  # by the name of their input
Run = Callable[[Tensors], Any]  # returns the output as an array


class OnnxRuntimeMissing(RuntimeError):
    """This artefact needs ONNX Runtime."""


class TensorEngine(RowEngine):
    """Scores with `run`: ONNX Runtime, or at the import the model's own framework."""

    name = "onnx"

    def __init__(self, signature: Signature, run: Run, ignored: Collection[str] = ()) -> None:
        self.signature, self.run, self.ignored = signature, run, ignored
        self.task, self.classes = signature["task"], signature["classes"]
        self.columns = tuple(
            Column(one["name"], one["kind"], tuple(one.get("levels", ()))) for one in signature["columns"]
        )

    def _with_levels(self, texts: Callable[[str], set[str]]) -> Sequence[Column]:
        """Give a category without levels, which the model takes as its text, the values of the rows as levels."""
        return tuple(
            Column(c.name, c.kind, tuple(sorted(texts(c.name)))) if c.kind == "category" and not c.levels else c
            for c in self.columns
        )

    def _answers(self, columns: Sequence[Column], values: Sequence[np.ndarray]) -> Scored:
        if not len(values[0]):
            return np.zeros((0, len(self.classes) or 1)), []
        return _as_scores(self.classes, self.run(_feeds(self.signature, columns, values))), []


def open_engine(model: Path, signature_file: Path, ignored: Collection[str] = ()) -> TensorEngine:
    signature: Signature = json.loads(signature_file.read_text())
    session = open_session(model)
    return TensorEngine(signature, lambda tensors: session.run([signature["output"]], tensors)[0], ignored)


def open_session(file: Path) -> Any:
    """Open an onnxruntime.InferenceSession, on all cores. Raises OnnxRuntimeMissing."""
    try:
        import onnxruntime  # lazy: an optional dependency, outside the image only `fairway import` needs it
    except ImportError:
        bring = "`uv sync --frozen --inexact --extra onnx` in the folder of Fairway brings it"
        raise OnnxRuntimeMissing(f"{file}: onnxruntime must be installed, as it is in the image; {bring}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])


def _feeds(signature: Signature, columns: Sequence[Column], values: Sequence[np.ndarray]) -> Tensors:
    """Make the tensors of columns of float64 and codes (see `plan/format.py`)."""
    by_name = {column.name: (column, value) for column, value in zip(columns, values, strict=True)}
    return {one["name"]: _tensor(one, [by_name[name] for name in one["columns"]]) for one in signature["inputs"]}


def _tensor(of: Input, columns: list[tuple[Column, np.ndarray]]) -> np.ndarray:
    if of["encoding"] == "value":
        ((column, values),) = columns
        tensor = _plain(column, values).astype(object if of["dtype"] == "str" else of["dtype"])
        return tensor if of["rank"] == 1 else tensor.reshape(-1, 1)
    parts = [part for column, values in columns for part in _encoded(column, values, of["encoding"])]
    return np.column_stack(parts).astype(of["dtype"])


def _plain(column: Column, value: np.ndarray) -> np.ndarray:
    if column.kind == "category":
        return np.array([*column.levels, "", "\x00 unknown"], dtype=object)[value]
    return _BOOLEANS[value] if column.kind == "boolean" else value


def _encoded(column: Column, value: np.ndarray, encoding: str) -> list[np.ndarray]:
    """Encode the column as one or several columns of numbers."""
    if column.kind != "category":
        return [_plain(column, value)]
    known = len(column.levels)
    if encoding == "one-hot":
        return [(value == code).astype(np.float64) for code in range(known)]
    return [np.where(value < known, value, -1).astype(np.float64)]


def _as_scores(classes: list[Any], output: Any) -> np.ndarray:
    """Return the model's output as (rows, classes) float64, for a regression (rows, 1). One number for two classes is
    the probability of the second.
    """
    scores = np.asarray(output, np.float64)
    scores = scores.reshape(len(scores), -1)
    if len(classes) == 2 and scores.shape[1] == 1:
        return np.hstack([1 - scores, scores])
    return scores
