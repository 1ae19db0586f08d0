"""What a row adds to a shadow's evidence: both releases were asked about it, so it counts on both sides or neither."""

from collections.abc import Mapping
from typing import Any

from domain.records import Item
from domain.release.counts import Kind, Side, added, counter, seen_key
from domain.request.answers import Source
from domain.request.captured import Other
from domain.request.compared import Guarded, answer_key, failures


def seen_of_side(rollout: str, kind: Kind, side: Side, entity_id: str) -> Item:
    """Return the key of the item that guards the counting of an entity on one side: here each entity is on both."""
    return seen_key(rollout, kind, f"{side}/{entity_id}")


def guarded(answer: Mapping[str, Any], other: Other | None, *, slow_ms: float, late_ms: float) -> list[Guarded]:
    """Return what a row that the champion answered adds, where the shadow was asked about it: `other` is what it said.

    A call that took longer than `late_ms` would have been too late for a customer. A fallback is no decision of the
    champion, so it makes no pair.
    """
    if other is None:
        return []
    rollout, entity = answer["rollout"], answer["entity_id"]
    expires = {"expires_at": answer["expires_at"]} if "expires_at" in answer else {}
    is_pair = "other_prediction" in other and answer["source"] != Source.FALLBACK
    pair = {"other": other["other_prediction"]} if is_pair else {}
    rows = {f"{side}_rows": 1 for side in Side} | ({"paired": 1} if is_pair else {})
    item = {"rollout": rollout, "item": answer_key(rollout, answer["id"])["item"]["S"], **expires, **pair}
    found = {
        Side.CHAMPION: failures(answer, slow_ms=slow_ms),
        Side.CANARY: failures(_as_answer(other), slow_ms=slow_ms or late_ms),
    }
    seen = [
        Guarded(
            item={"rollout": rollout, "item": seen_of_side(rollout, kind, side, entity)["item"]["S"], **expires},
            adds=added((), **{counter(side, kind): 1}),
        )
        for side, kinds in found.items()
        for kind in (Kind.ENTITIES, *kinds)
    ]
    return [Guarded(item=item, adds=added((), **rows)), *seen]


def _as_answer(other: Other) -> dict[str, Any]:
    """Describe what the shadow said as an answer. A call that failed has its cause at one of its rows: it is one fault,
    however many rows it asked about.
    """
    failed = "other_cause" in other
    return {
        "source": Source.FALLBACK if failed else Source.MODEL,
        "cause": other.get("other_cause"),
        "latency_ms": other.get("other_ms"),
    }
