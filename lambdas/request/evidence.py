"""Evidence of rollouts, counted once however often its records are delivered."""

from collections.abc import Iterable, Mapping
from typing import Any

from domain.config.sections import Business
from domain.contract.schema import Contract
from domain.records import Item, to_item
from domain.release.counts import EXPERIMENT, counts_key, value_key
from domain.release.shadow import is_shadow
from domain.request import compared, shadowed
from domain.request.captured import Other
from domain.request.compared import Guarded, answer_key, guarded, of_value, side_of
from lambdas.aws import tables

Values = Mapping[str, Any]  # an item in plain values
AT_ONCE = tables.MOST_WRITES - 1  # guards of a transaction, beside the counts that they guard


def add_answers(
    table: str, answers: Iterable[Mapping[str, Any]], pairs: Mapping[str, Other], *, slow_ms: float, late_ms: float
) -> None:
    """Add the answers of rollouts, in plain values as in the predictions table, to the counts of their shares."""
    shares: dict[tuple[str, float], dict[str, Guarded]] = {}
    for answer in answers:
        if "rollout" not in answer or "share" not in answer:
            continue
        guards = shares.setdefault((answer["rollout"], answer["share"]), {})
        other = pairs.get(answer["id"])
        if is_shadow(answer["rollout"]):
            added = shadowed.guarded(answer, other, slow_ms=slow_ms, late_ms=late_ms)
        else:
            added = guarded(answer, other=other.get("other_prediction") if other else None, slow_ms=slow_ms)
        for each in added:
            guards.setdefault(each["item"]["item"], each)
    for (rollout, share), guards in shares.items():
        _add(table, counts_key(rollout, share), list(guards.values()))


def _add(table: str, counts: Item, guards: list[Guarded]) -> None:
    """Put the guards that do not exist yet, and with each what it adds."""
    while guards:
        now, later = guards[:AT_ONCE], guards[AT_ONCE:]
        there = tables.put_once(table, [each["item"] for each in now], [tables.adding(counts, _sum(now))])
        guards = [each for number, each in enumerate(now) if number not in there] + later if there else later


def _sum(guards: list[Guarded]) -> dict[str, float]:
    total: dict[str, float] = {}
    for each in guards:
        for name, number in each["adds"].items():
            total[name] = total.get(name, 0) + number
    return total


# ---- outcomes


def of_outcome(
    table: str, prediction: Values, outcome: Any, *, before: Values | None, contract: Contract, business: Business
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return what the outcome of a rollout's prediction adds, and the writes without which it must not.

    `before` is the outcome that it replaces.

    A pair is there once the answer was captured; an outcome that is faster than that is no evidence of its pair.
    """
    adds = _of_pair(table, prediction, outcome, contract, business)
    guards = []
    if prediction["rollout"].startswith(EXPERIMENT):
        key = value_key(prediction["rollout"], prediction["entity_id"])
        there = tables.get(table, key)
        replaced = before.get("prediction_id") if before else None
        if there is None or there["prediction_id"] in (prediction["id"], replaced):
            side = side_of(prediction["role"])
            adds |= of_value(contract, side=side, prediction=prediction["prediction"], outcome=outcome)
            guards = [_held_by(table, key, prediction, there)]
    return adds, guards


def _of_pair(table: str, prediction: Values, outcome: Any, contract: Contract, business: Business) -> dict[str, float]:
    answer = tables.get(table, answer_key(prediction["rollout"], prediction["id"]))
    if answer is None or "other" not in answer:
        return {}
    decided, side = prediction["prediction"], side_of(prediction["role"])
    return compared.of_outcome(
        contract, business, side=side, prediction=decided, other=answer["other"], outcome=outcome
    )


def _held_by(table: str, key: Item, prediction: Values, there: Values | None) -> dict[str, Any]:
    """Make the write by which the entity's value rests on this prediction, unless another wrote meanwhile."""
    expires = {"expires_at": prediction["expires_at"]} if "expires_at" in prediction else {}
    condition: dict[str, Any] = tables.condition("attribute_not_exists(#item)", "item")
    if there:
        owner = to_item({":owner": there["prediction_id"]})
        condition = {"ConditionExpression": "prediction_id = :owner", "ExpressionAttributeValues": owner}
    return {
        "Put": {
            "TableName": table,
            "Item": {**key, **to_item({"prediction_id": prediction["id"], **expires})},
            **condition,
        }
    }
