"""Pairs: the row that one release of a rollout answered, scored by the other too, when nobody waits any more.

A pair that fails costs its rows their pair, and nobody's answer.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from domain.contract.schema import Contract
from domain.release.routing import Answerer, Routing, answerers
from domain.request.answers import Source, answer_from_score
from domain.request.captured import Other, Row, json_text
from lambdas.request.scoring import Call, ModelFailed, Scores
from lambdas.settings import CONFIG

LOG = logging.getLogger("fairway")
ROWS_PER_CALL = 100  # as many as predict asks for at once
Ask = Callable[[list[Call], str], list[Scores]]  # the second is the hash of the contract that the rows keep


def other_of(row: Mapping[str, Any], routing: Routing) -> Answerer | None:
    """Return the release that a row is to be scored by too: on its rollout's other side, where that still answers."""
    if row["source"] == Source.FALLBACK or "rollout" not in row or routing["champion"] is None:
        return None
    champion, *arms = answerers(routing)
    sides = [champion, *(one for one in arms if one.rollout == row["rollout"])]
    if row.get("release") not in [one.release for one in sides]:
        return None
    others = [one for one in sides if one.release != row["release"]]
    return others[-1] if others else None


def pairs(
    rows: Iterable[Row], *, routing: Routing, made_under: Callable[[str], Contract], ask: Ask
) -> dict[str, Other]:
    """Return the other release's answer to each row that has one, by the row's id."""
    groups: dict[tuple[Answerer, str], list[Row]] = {}
    for row in rows:
        if other := other_of(row, routing):
            groups.setdefault((other, row["contract_hash"]), []).append(row)
    found: dict[str, Other] = {}
    for (other, checked_under), members in groups.items():
        contract = made_under(other.release)
        chunks = [members[at : at + ROWS_PER_CALL] for at in range(0, len(members), ROWS_PER_CALL)]
        calls = [
            Call(other.endpoint, [_features(row, contract) for row in chunk], contract, other.release)
            for chunk in chunks
        ]
        for chunk, scores in zip(chunks, ask(calls, checked_under), strict=True):
            found |= _answers(chunk, scores, other.release, contract)
    return found


def _features(row: Row, contract: Contract) -> dict[str, Any]:
    """Select the columns that a model of this contract reads, as the row has them."""
    features = json.loads(row["features"])
    return {column.name: features[column.name] for column in contract.features if column.name in features}


def _answers(rows: list[Row], scores: Scores, release: str, contract: Contract) -> dict[str, Other]:
    found: dict[str, Other] = {}
    for row, score in zip(rows, scores.scores, strict=True):
        if isinstance(score, ModelFailed):
            found[row["id"]] = {"other_release": release, "other_reason": str(score)}
            continue
        answer = answer_from_score(contract, score, classes=scores.classes, threshold=CONFIG.serving.threshold)
        other: Other = {"other_release": release, "other_prediction": json_text(answer["prediction"])}
        if answer["probability"] is not None:
            other["other_probability"] = answer["probability"]
        if "probabilities" in answer:
            other["other_probabilities"] = json_text(answer["probabilities"])
        found[row["id"]] = other
    return found
