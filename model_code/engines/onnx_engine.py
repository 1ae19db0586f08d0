"""The engine for models that came as tensors: ONNX Runtime on `model.onnx`, its inputs filled as `signature.json` says.

A signature is {"task", "classes", "columns": [{"name", "kind", "levels"?}], "inputs": [{"name", "dtype", "rank",
"columns": [name], "encoding"}], "output": name}. It says which columns fill which input, in which order and how:

    ordinal   numbers as they are, booleans 0 and 1, a category its place in `levels` or -1; nothing is NaN
    one-hot   the same, but a category is as many numbers as it has levels: 1 at its place, else 0
    value     one column as it is, text included; a text that is missing is empty
"""

import json
import os
from pathlib import Path

import numpy as np

from model_code.plan.engines import RowEngine
from model_code.plan.format import Column

BOOLEANS = np.array([0.0, 1.0, np.nan, np.nan])  # by code: no, yes, missing, unknown


class OnnxRuntimeMissing(RuntimeError):
    """This artefact needs ONNX Runtime."""


class TensorEngine(RowEngine):
    """Scores with `run({input: tensor}) -> output`: ONNX Runtime, or at the import the model's own framework."""

    name = "onnx"

    def __init__(self, signature: dict, run, ignored=()):
        self.signature, self.run, self.ignored = signature, run, ignored
        self.task, self.classes = signature["task"], signature["classes"]
        self.columns = tuple(
            Column(one["name"], one["kind"], tuple(one.get("levels", ()))) for one in signature["columns"]
        )

    def _with_levels(self, texts):
        """A category without levels goes to the model as its text: its levels are whatever the rows bring."""
        return tuple(
            Column(c.name, c.kind, tuple(sorted(texts(c.name)))) if c.kind == "category" and not c.levels else c
            for c in self.columns
        )

    def _answers(self, columns, values):
        if not len(values[0]):
            return np.zeros((0, len(self.classes) or 1)), []
        return as_scores(self.classes, self.run(feeds(self.signature, columns, values))), []


def open_engine(model: Path, signature_file: Path, ignored=()) -> TensorEngine:
    signature, session = json.loads(signature_file.read_text()), open_session(model)
    return TensorEngine(signature, lambda given: session.run([signature["output"]], given)[0], ignored)


def open_session(file: Path):
    try:
        import onnxruntime
    except ImportError:
        raise OnnxRuntimeMissing(
            f"{file} needs onnxruntime, which the image has and this environment has not; `uv sync "
            "--frozen --inexact --extra "
            "onnx` in the folder of Fairway brings it"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])


def feeds(signature: dict, columns, values) -> dict[str, np.ndarray]:
    """{input: its tensor} for columns of float64 and codes (see `plan/format.py`)."""
    by_name = {column.name: (column, value) for column, value in zip(columns, values, strict=True)}
    return {one["name"]: tensor(one, [by_name[name] for name in one["columns"]]) for one in signature["inputs"]}


def tensor(given: dict, taken: list[tuple]) -> np.ndarray:
    if given["encoding"] == "value":
        ((column, value),) = taken
        made = plain(column, value).astype(object if given["dtype"] == "str" else given["dtype"])
        return made if given["rank"] == 1 else made.reshape(-1, 1)
    parts = [part for column, value in taken for part in encoded(column, value, given["encoding"])]
    return np.column_stack(parts).astype(given["dtype"])


def plain(column, value) -> np.ndarray:
    if column.kind == "category":
        return np.array([*column.levels, "", "\x00 unknown"], dtype=object)[value]
    return BOOLEANS[value] if column.kind == "boolean" else value


def encoded(column, value, encoding: str) -> list[np.ndarray]:
    """The column as one or several columns of numbers."""
    if column.kind != "category":
        return [plain(column, value)]
    known = len(column.levels)
    if encoding == "one-hot":
        return [(value == code).astype(np.float64) for code in range(known)]
    return [np.where(value < known, value, -1).astype(np.float64)]


def as_scores(classes: list, output) -> np.ndarray:
    """The model's output as (rows, classes) float64, for a regression (rows, 1). One number for two classes is the
    probability of the second.
    """
    scores = np.asarray(output, np.float64)
    scores = scores.reshape(len(scores), -1)
    if len(classes) == 2 and scores.shape[1] == 1:
        return np.hstack([1 - scores, scores])
    return scores
