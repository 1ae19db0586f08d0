"""Compare a conversion with the original: labels must be equal, scores within a bound."""

from typing import Any, TypedDict

import numpy as np
import pyarrow as pa

from domain.contract.schema import Contract
from model_code.answers.answering import answer
from model_code.answers.bodies import numbers_of
from model_code.engines.scorer import Scorer
from model_code.importing.formats import ImportRefused
from model_code.importing.signature import classes_of
from model_code.rows.matrices import model_batch

BOUND = 1e-5  # of a probability; of a regression's value, relative to values above 1
_SUMS_WITHIN = 1e-3


class Comparison(TypedDict):
    """How many rows were compared, and by how much the answers differ at most."""

    rows: int
    bound: float
    largest_difference: float


def prove(contract: Contract, scorer: Scorer, rows: pa.Table, original: np.ndarray) -> Comparison:
    """Compare the converted model with its own framework's scores, (rows, classes). Raises ImportRefused."""
    _refuse_other_classes(contract, scorer.classes)
    converted = scorer.score_batch(model_batch(contract, rows), refusals=[])
    if converted.shape != original.shape:
        raise ImportRefused(
            f"the converted model answers {converted.shape}: must be {original.shape}, as its framework"
        )
    answered = np.isfinite(original).all(axis=1)
    if not answered.any():
        raise ImportRefused(f"the model has no finite answer to any of {len(original)} rows of the lake")
    _refuse_no_probabilities(contract, original[answered])
    largest = _largest_difference(contract, converted, original, answered, of="its own framework")
    return {"rows": len(original), "bound": BOUND, "largest_difference": float(f"{largest:.3g}")}


def prove_given(contract: Contract, scorer: Scorer, rows: list[dict[str, Any]]) -> Comparison:
    """Compare with answers that were brought along: rows of the features, each with `answer`, the probability of the
    positive class or the value, or with `answer:CLASS` for each class. Raises ImportRefused.
    """
    names = [f"answer:{label}" for label in scorer.classes] if contract.task == "multiclass" else ["answer"]
    original = np.array([[_number_in(row, name, place) for name in names] for place, row in enumerate(rows)])
    instances = [{name: value for name, value in row.items() if name not in names} for row in rows]
    answers, _ = answer(contract, scorer, instances)
    errors = [f"row {row}: {one['error']}" for row, one in enumerate(answers) if isinstance(one, dict)]
    if errors or not rows:
        raise ImportRefused(f"--answers: {len(errors)} of {len(rows)} rows cannot be answered; {errors[:1]}")
    pair = _as_pairs if contract.task == "binary" else np.asarray
    converted, every = pair([numbers_of(one) for one in answers]), np.full(len(rows), True)
    largest = _largest_difference(contract, converted, pair(original), every, of="--answers")
    return {"rows": len(rows), "bound": BOUND, "largest_difference": float(f"{largest:.3g}")}


def _number_in(row: dict[str, Any], name: str, place: int) -> float:
    try:
        return float(row[name])
    except KeyError:
        columns = ", ".join(row)
        raise ImportRefused(f"--answers: row {place}: must have {name!r}; its columns are {columns}") from None
    except (TypeError, ValueError):
        raise ImportRefused(f"--answers: row {place}: {name} = {row[name]!r}: must be a number") from None


def _as_pairs(probabilities: Any) -> np.ndarray:
    positive = np.asarray(probabilities)
    return np.hstack([1 - positive, positive])


def _refuse_other_classes(contract: Contract, classes: list[Any]) -> None:
    """Refuse classes other than the contract's; a binary model scores its second class, which must be the positive."""
    if contract.task == "regression":
        return
    if contract.task == "multiclass":
        unknown = [str(label) for label in classes if label not in classes_of(contract)]
        if unknown:
            raise ImportRefused(
                f"the model's classes {', '.join(unknown)}: must be among the contract's, {classes_of(contract)}"
            )
        return
    if len(classes) != 2 or (classes not in ([0, 1], [False, True]) and classes[1] != contract.positive):
        raise ImportRefused(
            f"the model's classes are {classes}: must be 0 and 1 for a binary task, or the second must be "
            f"{contract.positive!r}, the positive value of {contract.target.name}"
        )


def _refuse_no_probabilities(contract: Contract, scores: np.ndarray) -> None:
    if contract.task == "regression":
        return
    low, high, sums = scores.min(), scores.max(), scores.sum(axis=1)
    if low < -BOUND or high > 1 + BOUND or np.abs(sums - 1).max() > _SUMS_WITHIN:
        raise ImportRefused(
            f"the model's scores go from {low:.4g} to {high:.4g} and sum to {sums.min():.4g} to {sums.max():.4g}: "
            "must be probabilities; end the model in a sigmoid or softmax"
        )


def _largest_difference(
    contract: Contract, converted: np.ndarray, original: np.ndarray, answered: np.ndarray, *, of: str
) -> float:
    """Return the largest difference of a score; refuse scores that differ too much, another label, and answers that
    the original has not. `of` names the source of the original answers.
    """
    scale = np.maximum(1, np.abs(original)) if contract.task == "regression" else 1.0
    difference = np.where(answered[:, None], np.abs(converted - original) / scale, 0.0)
    worst = np.where(np.isnan(difference), np.inf, difference).max(axis=1)
    wrong = (worst > BOUND) | (np.isfinite(converted).all(axis=1) != answered)
    if contract.task != "regression":
        wrong |= answered & (_labels(converted) != _labels(original))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ImportRefused(
            f"the converted model is another one: {int(wrong.sum())} of {len(wrong)} rows differ by up to "
            f"{worst.max():.3g}: must be at most {BOUND}; row {row} is answered {converted[row].tolist()}, by {of} "
            f"{original[row].tolist()}"
        )
    return float(worst.max())


def _labels(scores: np.ndarray) -> np.ndarray:
    """Return the likelier class of each row; of two, the second from a half on."""
    return scores[:, 1] >= 0.5 if scores.shape[1] == 2 else scores.argmax(axis=1)
