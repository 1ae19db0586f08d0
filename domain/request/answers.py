"""Answers made of a model's score, or of the contract's prior."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NotRequired, TypedDict, cast

from domain.contract.schema import Contract

Score = float | list[float]  # P(positive) or a value; for a multiclass task one probability per class


class Source(StrEnum):
    """Origin of an answer: the release's endpoint, its model in the function, or the contract's prior."""

    MODEL = "model"
    FUNCTION = "function"
    FALLBACK = "fallback"


class Answer(TypedDict):
    """The part of a prediction that is made of a score."""

    prediction: Any  # bool, value or class, by the task
    probability: float | None
    probabilities: NotRequired[dict[str, float]]  # of a multiclass task


class Prediction(Answer):
    """Answer to a row as the predictions table stores it; the API replies with all but two of its fields."""

    id: str
    entity_id: str
    release: str | None
    role: str | None  # a Role
    arm: NotRequired[str]  # of a rollout or an experiment; the champion's is `champion`
    rollout: NotRequired[str]  # that it is evidence for, whichever release answered
    share: NotRequired[float]  # the arm's share when the answer was made
    confidence: NotRequired[Mapping[str, Any]]  # a Confidence (domain/request/confidence.py); not of a batch
    source: str  # a Source
    reason: str
    cause: NotRequired[str]  # name of the Reason of a fallback or a stand-in; stored but not returned
    instead_of: NotRequired[str]  # why the endpoint did not answer, if its model did in the function
    made_at: str  # timestamp
    latency_ms: NotRequired[float]  # from the checked row to the answer; stored but not returned
    event_time: str | None
    threshold: NotRequired[float]  # that the decision was made by, where that is not serving.threshold


def answer_from_score(
    contract: Contract, score: Score, *, classes: list[Any] | None = None, threshold: float = 0.5
) -> Answer:
    """Make the answer of a score.

    binary: the prediction is true from `threshold` on, the probability is that of the positive class. multiclass: the
    likeliest of `classes` (the first, if several are equally likely) and its probability. regression: the value; the
    probability is None.
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


def fallback_answer(contract: Contract, *, threshold: float = 0.5, prior: float | None = None) -> Answer:
    """Make the answer without a model: the prior of the row's segment, if there is one, else the contract's."""
    if contract.task != "multiclass":
        known = cast(float, contract.prior) if prior is None else prior
        return answer_from_score(contract, known, threshold=threshold)
    shares = cast(dict[str, float], contract.prior)
    names = list(shares)
    classes: list[Any] = [int(name) for name in names] if contract.target.type == "integer" else names
    return answer_from_score(contract, [shares[name] for name in names], classes=classes)
