"""Evidence of rollouts: counted once, however often the records that it is made of are delivered."""

from collections.abc import Iterable, Mapping
from typing import Any

from domain.records import Item
from domain.release.counts import counts_key
from domain.release.shadow import is_shadow
from domain.request import shadowed
from domain.request.captured import Other
from domain.request.compared import Guarded, guarded
from lambdas.aws import tables

AT_ONCE = tables.MOST_WRITES - 1  # guards of a transaction, beside the counts that they guard


def add_answers(
    table: str, answers: Iterable[Mapping[str, Any]], pairs: Mapping[str, Other], *, slow_ms: float, late_ms: float
) -> None:
    """Add the answers of rollouts, in plain values as the predictions table has them, to the counts of their shares."""
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
    """Put the guards that are not there yet, and with each what it adds."""
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
