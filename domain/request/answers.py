"""Answers: from a model's score, or from the contract's prior."""

from enum import StrEnum
from typing import Any, NotRequired, TypedDict, cast

from domain.contract.schema import Contract

Score = float | list[float]  # P(positive) or a value; for a multiclass task one probability per class


class Source(StrEnum):
    """Origin of an answer: the release's endpoint, its model in the function, or nothing but the prior."""

    MODEL = "model"
    FUNCTION = "function"
    FALLBACK = "fallback"


class Answer(TypedDict):
    """Part of a prediction that a score decides."""

    prediction: Any  # bool, value or class, by the task
    probability: float | None
    probabilities: NotRequired[dict[str, float]]  # of a multiclass task


class Prediction(Answer):
    """Answer to a row, as the predictions table stores it, and the API replies with it but for two fields."""

    id: str
    entity_id: str
    release: str | None
    role: str | None  # a Role
    arm: NotRequired[str]  # of a rollout or an experiment; the champion's is `champion`
    rollout: NotRequired[str]  # that it is evidence for, on either side
    share: NotRequired[float]  # that the rollout's arm had when it was made
    source: str  # a Source
    reason: str
    cause: NotRequired[str]  # name of the Reason of a fallback or a stand-in; stored, not replied
    instead_of: NotRequired[str]  # why the endpoint did not answer, where its model did in the function
    made_at: str  # timestamp
    latency_ms: NotRequired[float]  # from the checked row to the answer; stored, not replied
    event_time: str | None


def answer_from_score(
    contract: Contract, score: Score, *, classes: list[Any] | None = None, threshold: float = 0.5
) -> Answer:
    """Make the answer of a score.

    binary: prediction is true from `threshold` on, probability is that of the positive class. multiclass: the likeliest
    of `classes` (the first where several are equally likely) and its probability. regression: the value, probability
    None.
    """
    if contract.task == "regression":
        return {"prediction": score, "probability": None}
    if contract.task == "binary":
        share = cast(float, score)
        return {"prediction": share >= threshold, "probability": share}
    shares, names = cast(list[float], score), classes or []
    best = max(range(len(shares)), key=shares.__getitem__)
    probabilities = {str(name): share for name, share in zip(names, shares, strict=True)}
    return {"prediction": names[best], "probability": shares[best], "probabilities": probabilities}


def fallback_answer(contract: Contract, *, threshold: float = 0.5) -> Answer:
    """Make the answer without a model: the contract's prior, the best estimate when nothing is known of the row."""
    if contract.task != "multiclass":
        return answer_from_score(contract, cast(float, contract.prior), threshold=threshold)
    prior = cast(dict[str, float], contract.prior)
    names = list(prior)
    classes: list[Any] = [int(name) for name in names] if contract.target.type == "integer" else names
    return answer_from_score(contract, [prior[name] for name in names], classes=classes)
