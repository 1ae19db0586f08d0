"""A conversion counts only if it answers as the model did where it was made: labels equal, scores within a bound."""

import numpy as np

from domain.contract.schema import Contract
from model_code.answers.answering import answer
from model_code.answers.bodies import numbers_of
from model_code.importing.formats import ImportRefused
from model_code.importing.signature import classes_of
from model_code.rows.matrices import model_batch

BOUND = 1e-5  # of a probability; of a regression's value, relative to values above 1
SUMS_WITHIN = 1e-3


def prove(contract: Contract, scorer, rows, original: np.ndarray) -> dict:
    """{rows, bound, largest_difference} of the converted model against its own framework's scores, (rows, classes)."""
    refuse_other_classes(contract, scorer.classes)
    found = scorer.score_batch(model_batch(contract, rows), refusals=[])
    if found.shape != original.shape:
        raise ImportRefused(f"the converted model answers {found.shape}, its framework {original.shape}")
    answered = np.isfinite(original).all(axis=1)
    if not answered.any():
        raise ImportRefused(f"the model has no finite answer to any of {len(original)} rows of the lake")
    refuse_no_probabilities(contract, original[answered])
    largest = largest_difference(contract, found, original, answered, of="its own framework")
    return {"rows": len(original), "bound": BOUND, "largest_difference": float(f"{largest:.3g}")}


def prove_given(contract: Contract, scorer, given: list[dict]) -> dict:
    """The same against answers that were brought along: rows of the features, each with `answer`, the probability of
    the positive class or the value, or with `answer:CLASS` for each class.
    """
    names = [f"answer:{label}" for label in scorer.classes] if contract.task == "multiclass" else ["answer"]
    original = np.array([[given_number(row, name, place) for name in names] for place, row in enumerate(given)])
    instances = [{name: value for name, value in row.items() if name not in names} for row in given]
    found, _ = answer(contract, scorer, instances)
    errors = [f"row {row}: {one['error']}" for row, one in enumerate(found) if isinstance(one, dict)]
    if errors or not given:
        raise ImportRefused(f"--answers: {len(errors)} of {len(given)} rows cannot be answered; {errors[:1]}")
    pair = as_pairs if contract.task == "binary" else np.asarray
    largest = largest_difference(
        contract, pair([numbers_of(one) for one in found]), pair(original), np.full(len(given), True), of="--answers"
    )
    return {"rows": len(given), "bound": BOUND, "largest_difference": float(f"{largest:.3g}")}


def given_number(row: dict, name: str, place: int) -> float:
    try:
        return float(row[name])
    except KeyError:
        raise ImportRefused(f"--answers: row {place} has no {name!r}; its columns are {', '.join(row)}") from None
    except (TypeError, ValueError):
        raise ImportRefused(f"--answers: row {place} has {name} = {row[name]!r}, which is no number") from None


def as_pairs(probabilities) -> np.ndarray:
    positive = np.asarray(probabilities)
    return np.hstack([1 - positive, positive])


def refuse_other_classes(contract: Contract, classes: list) -> None:
    """The score of a binary model is that of its second class, so this must be the contract's positive."""
    if contract.task == "regression":
        return
    if contract.task == "multiclass":
        unknown = [str(label) for label in classes if label not in classes_of(contract)]
        if unknown:
            raise ImportRefused(
                f"the model's classes {', '.join(unknown)} are not in the contract: {classes_of(contract)}"
            )
        return
    if len(classes) != 2 or (classes not in ([0, 1], [False, True]) and classes[1] != contract.positive):
        raise ImportRefused(
            f"the model's classes are {classes}; for a binary task they must be 0 and 1, or the second must be "
            f"{contract.positive!r}, the positive value of {contract.target.name}"
        )


def refuse_no_probabilities(contract: Contract, scores: np.ndarray) -> None:
    if contract.task == "regression":
        return
    low, high, sums = scores.min(), scores.max(), scores.sum(axis=1)
    if low < -BOUND or high > 1 + BOUND or np.abs(sums - 1).max() > SUMS_WITHIN:
        raise ImportRefused(
            f"the model's scores go from {low:.4g} to {high:.4g} and sum to {sums.min():.4g} to {sums.max():.4g}: "
            "these are no probabilities; end the model in a sigmoid or softmax"
        )


def largest_difference(
    contract: Contract, found: np.ndarray, original: np.ndarray, answered: np.ndarray, *, of: str
) -> float:
    """Refused by the first row that differs too much, or has another label, or an answer that the original has not.
    `of` says whose answers the original ones are.
    """
    scale = np.maximum(1, np.abs(original)) if contract.task == "regression" else 1.0
    difference = np.where(answered[:, None], np.abs(found - original) / scale, 0.0)
    worst = np.where(np.isnan(difference), np.inf, difference).max(axis=1)
    wrong = (worst > BOUND) | (np.isfinite(found).all(axis=1) != answered)
    if contract.task != "regression":
        wrong |= answered & (labels(found) != labels(original))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ImportRefused(
            f"the converted model is another one: {int(wrong.sum())} of {len(wrong)} rows differ by up to "
            f"{worst.max():.3g}, at most {BOUND} is allowed; row {row} is answered {found[row].tolist()}, by {of} "
            f"{original[row].tolist()}"
        )
    return worst.max()


def labels(scores: np.ndarray) -> np.ndarray:
    """The likelier class; of two, the second from a half on."""
    return scores[:, 1] >= 0.5 if scores.shape[1] == 2 else scores.argmax(axis=1)
