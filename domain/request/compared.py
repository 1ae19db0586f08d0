"""What an answer in a rollout, and later its outcome, adds to the rollout's evidence (domain/release/counts.py)."""

import json
from collections.abc import Mapping
from typing import Any, TypedDict

from domain.config.sections import Business
from domain.contract.schema import Contract
from domain.reasons import FAULTS, MEANT, OVERDUE, Reason
from domain.records import Item
from domain.release.claims import Role
from domain.release.counts import Cell, Kind, Side, added, counter, seen_key
from domain.release.evidence import loss_terms
from domain.request.answers import Source
from domain.request.outcomes import assess, decision_value_usd, largest_difference_usd

ANSWERED = "answer#"  # item of the evidence table that makes an answer count once, and holds its pair


class Guarded(TypedDict):
    """An item that is put only once, and what is added to the counts when it is."""

    item: dict[str, Any]  # in plain values, with its key
    adds: dict[str, float]


def answer_key(rollout: str, id: str) -> Item:
    """Return the key of the item of an answer in the evidence table."""
    return {"rollout": {"S": rollout}, "item": {"S": f"{ANSWERED}{id}"}}


def side_of(role: str) -> Side:
    """Return the side of an answer: the champion, or the release beside it."""
    return Side.CHAMPION if role == Role.CHAMPION else Side.CANARY


def failures(answer: Mapping[str, Any], *, slow_ms: float) -> list[Kind]:
    """Name the ways in which an answer failed; reasons that are meant, such as office hours, are not."""
    cause = Reason[answer["cause"]] if answer.get("cause") else None
    found = []
    if answer["source"] == Source.FALLBACK and cause not in MEANT:
        found.append(Kind.FALLBACK)
    if cause in FAULTS:
        found.append(Kind.ERROR)
    took_ms = answer.get("latency_ms")
    if cause in OVERDUE or (slow_ms and took_ms is not None and took_ms > slow_ms):
        found.append(Kind.SLOW)
    return found


def guarded(answer: Mapping[str, Any], *, other: str | None, slow_ms: float) -> list[Guarded]:
    """Return what an answer adds: itself, its entity if that is new, and each first failure of the entity.

    `other` is the prediction of the rollout's other release for the same row, as JSON; None if there is none.
    """
    rollout, entity, side = answer["rollout"], answer["entity_id"], side_of(answer["role"])
    expires = {"expires_at": answer["expires_at"]} if "expires_at" in answer else {}
    rows = {f"{side}_rows": 1} | ({"paired": 1} if other is not None else {})
    item = {"rollout": rollout, "item": answer_key(rollout, answer["id"])["item"]["S"], **expires}
    first = Guarded(item={**item, **({"other": other} if other is not None else {})}, adds=added((), **rows))
    seen = [
        Guarded(
            item={"rollout": rollout, "item": seen_key(rollout, kind, entity)["item"]["S"], **expires},
            adds=added((), **{counter(side, kind): 1}),
        )
        for kind in (Kind.ENTITIES, *failures(answer, slow_ms=slow_ms))
    ]
    return [first, *seen]


def of_outcome(
    contract: Contract, business: Business, *, side: Side, prediction: Any, other: str, outcome: Any
) -> dict[str, float]:
    """Return what an outcome adds if the two releases decided its row differently; otherwise nothing.

    With two classes exactly one release is right. With more classes, rows on which both are wrong count for neither;
    numbers are not compared.
    """
    theirs = json.loads(other)
    canary, champion = (prediction, theirs) if side is Side.CANARY else (theirs, prediction)
    right = [assess(contract, business, prediction=each, outcome=outcome).get("correct") for each in (canary, champion)]
    if contract.task == "regression" or canary == champion or not any(right):
        return {}
    counts = added(disagreements=1, canary_right=int(bool(right[0])))
    largest = largest_difference_usd(business) if contract.task == "binary" else 0.0
    if not largest:
        return counts
    actual = outcome == contract.positive
    values = [decision_value_usd(business, predicted=each, actual=actual) for each in (canary, champion)]
    return counts | added(loss_terms(values[0] - values[1], largest))


def of_value(contract: Contract, *, side: Side, prediction: Any, outcome: Any) -> dict[str, float]:
    """Return what an outcome adds in an experiment as the value of its entity; nothing of numbers."""
    if contract.task == "regression":
        return {}
    return added((), **{counter(side, _cell(contract, prediction, outcome)): 1})


def _cell(contract: Contract, prediction: Any, outcome: Any) -> Cell:
    if contract.task == "multiclass":
        return Cell.RIGHT if prediction == outcome else Cell.WRONG
    if outcome == contract.positive:
        return Cell.TRUE_POSITIVE if prediction else Cell.FALSE_NEGATIVE
    return Cell.FALSE_POSITIVE if prediction else Cell.TRUE_NEGATIVE
