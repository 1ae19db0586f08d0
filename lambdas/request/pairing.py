"""Pairs: the row that one release of a rollout answered, scored by the other release afterwards.

A shadow is asked in the same way, about the champion's rows of its sample.

A pair that fails costs its rows their pair, and nobody's answer.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from domain.contract.schema import Contract
from domain.reasons import PLANNED, Reason
from domain.release.routing import Answerer, Routing, answerers, asked_beside
from domain.release.shadow import is_shadow
from domain.request.answers import Source, answer_from_score
from domain.request.captured import Other, Row, json_text
from lambdas.request.scoring import Call, ModelFailed, Scores, failure_of_call
from lambdas.settings import CONFIG

LOG = logging.getLogger("fairway")
ROWS_PER_CALL = 100  # as many as predict asks at once
Ask = Callable[[list[Call], str], list[Scores]]  # the second is the hash of the contract that the rows keep


def _other_of(row: Mapping[str, Any], routing: Routing) -> Answerer | None:
    """Return the release that a row is to be scored by too: on its rollout's other side, where that still answers."""
    if "rollout" not in row or routing["champion"] is None or not _is_to_be_asked(row):
        return None
    champion, *arms = answerers(routing)
    sides = [champion, *(one for one in [*arms, *asked_beside(routing)] if one.rollout == row["rollout"])]
    mine = next((one for one in sides if (one.release, one.arm) == (row.get("release"), row.get("arm"))), None)
    others = [one for one in sides if one is not mine]
    return others[-1] if mine and others else None


def _is_to_be_asked(row: Mapping[str, Any]) -> bool:
    """Whether the row's other release is asked. A shadow is asked where the champion failed too, or an outage of both
    would count against the champion alone; but not while endpoints are down on purpose.
    """
    if not is_shadow(row["rollout"]):
        return bool(row["source"] != Source.FALLBACK)
    return not row.get("cause") or Reason[row["cause"]] not in PLANNED


def pairs(
    rows: Iterable[Row], *, routing: Routing, made_under: Callable[[str], Contract], ask: Ask
) -> dict[str, Other]:
    """Return the other release's answer to each row that has one, by the row's id."""
    groups: dict[tuple[Answerer, str], list[Row]] = {}
    found: dict[str, Other] = {}
    for row in rows:
        other = _other_of(row, routing)
        if other and other.release == row["release"]:
            found[row["id"]] = _at_its_threshold(row, other)
        elif other:
            groups.setdefault((other, row["contract_hash"]), []).append(row)
    for (other, checked_under), members in groups.items():
        contract = made_under(other.release)
        chunks = [members[at : at + ROWS_PER_CALL] for at in range(0, len(members), ROWS_PER_CALL)]
        calls = [
            Call(other.endpoint, [_features(row, contract) for row in chunk], contract, other.release)
            for chunk in chunks
        ]
        for chunk, scores in zip(chunks, ask(calls, checked_under), strict=True):
            found |= _answers(chunk, scores, other, contract)
    return found


def _at_its_threshold(row: Row, other: Answerer) -> Other:
    """Return what the same model decides at the other side's threshold: it has said its probability already."""
    decided = row["probability"] >= other.decides_from(CONFIG.serving.threshold)
    return {
        "other_release": other.release,
        "other_prediction": json_text(decided),
        "other_probability": row["probability"],
    }


def _features(row: Row, contract: Contract) -> dict[str, Any]:
    """Select the columns that a model of this contract reads, with the row's values."""
    features = json.loads(row["features"])
    return {column.name: features[column.name] for column in contract.features if column.name in features}


def _answers(rows: list[Row], scores: Scores, by: Answerer, contract: Contract) -> dict[str, Other]:
    release, threshold = by.release, by.decides_from(CONFIG.serving.threshold)
    found: dict[str, Other] = {}
    failed = failure_of_call(scores)
    for row, score in zip(rows, scores.scores, strict=True):
        if isinstance(score, ModelFailed):
            found[row["id"]] = {"other_release": release, "other_reason": str(score)}
            if failed is None:
                found[row["id"]]["other_cause"] = score.reason.name
            continue
        answer = answer_from_score(contract, score, classes=scores.classes, threshold=threshold)
        other: Other = {"other_release": release, "other_prediction": json_text(answer["prediction"])}
        if answer["probability"] is not None:
            other["other_probability"] = answer["probability"]
        if "probabilities" in answer:
            other["other_probabilities"] = json_text(answer["probabilities"])
        found[row["id"]] = other
    first = found[rows[0]["id"]]  # what is of the call stands at its first row
    if failed is not None:
        first["other_cause"] = failed.reason.name
    if scores.took_ms is not None:
        first["other_ms"] = scores.took_ms
    return found
