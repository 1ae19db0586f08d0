"""The answers of `domain/request/answers.py` for whole blocks: scores in, Arrow columns out."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.schema import Contract
from domain.records import LARGEST_NUMBER
from domain.request.answers import fallback_answer

Columns = dict[str, pa.Array | pa.Scalar]  # a scalar is the same in all rows


def answer_fields(contract: Contract) -> list[pa.Field]:
    """Return the types of prediction, probability and, for a multiclass task, probabilities."""
    classes = pa.int64() if contract.target.type == "integer" else pa.string()
    prediction = {"binary": pa.bool_(), "regression": pa.float64()}.get(contract.task, classes)
    fields = [pa.field("prediction", prediction, nullable=False), pa.field("probability", pa.float64())]
    if contract.task == "multiclass":
        fields.append(pa.field("probabilities", pa.map_(pa.string(), pa.float64())))
    return fields


def has_answer(scores: np.ndarray) -> np.ndarray:
    """Mark the rows of (rows, classes) scores that can be stored: NaN and too large numbers cannot, as in
    `lambdas/request/scoring.py`.
    """
    if scores.size and scores.min() > -LARGEST_NUMBER and scores.max() < LARGEST_NUMBER:  # false if there is a NaN
        return np.ones(len(scores), dtype=bool)
    return (np.abs(scores) < LARGEST_NUMBER).all(axis=1)


def answer_columns(contract: Contract, scores: np.ndarray, *, classes: list[Any], threshold: float) -> Columns:
    """Return `answer_from_score` of each row of (rows, classes) scores; rows without an answer are undefined."""
    last = pa.array(scores[:, -1])
    if contract.task == "regression":
        return {"prediction": last, "probability": pa.scalar(None, pa.float64())}
    if contract.task == "binary":
        return {"prediction": pc.greater_equal(last, threshold), "probability": last}
    best = scores.argmax(axis=1)
    prediction, _, probabilities = answer_fields(contract)
    return {
        "prediction": pa.array(classes, prediction.type).take(pa.array(best)),
        "probability": pa.array(scores[np.arange(len(scores)), best]),
        "probabilities": _maps_of(scores, classes).cast(probabilities.type),
    }


def _maps_of(scores: np.ndarray, classes: list[Any]) -> pa.MapArray:
    rows, width = scores.shape
    names = pa.array([str(name) for name in classes]).take(pa.array(np.tile(np.arange(width), rows)))
    return pa.MapArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * width, names, pa.array(scores.ravel()))


def prior_columns(contract: Contract, *, threshold: float) -> Columns:
    """Return `fallback_answer`, the same for every row."""
    answer: dict[str, Any] = {**fallback_answer(contract, threshold=threshold)}
    if "probabilities" in answer:
        answer["probabilities"] = list(answer["probabilities"].items())
    return {field.name: pa.scalar(answer[field.name], field.type) for field in answer_fields(contract)}
