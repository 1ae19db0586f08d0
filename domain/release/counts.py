"""Evidence of a rollout as DynamoDB adds it up: one item of the `evidence` table for each share that the canary had.

    rollout (pk)    the claim's id, which the routing and every prediction it answered carry; an experiment's too
    item (sk)       `share#0.05`, with a number for each field of Counts
                    `seen#error#<hash of the entity>`, which guards that the first failure of an entity is added once
                    `seen#value#<hash of the entity>`, which names the answer that its value in an experiment rests on

Everything here is a sum, so it is the same in whatever order, and by however many writers, it was added.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from domain.records import Item
from domain.release.evidence import STAKES, Failures

SHARE = "share#"
SEEN = "seen#"
VALUE = "value"
EXPERIMENT = "experiment#"  # the id of an experiment, among those of rollouts, begins so
LOSS = "loss_"


class Kind(StrEnum):
    """What is counted once for an entity: its first answer, and its first failure of each kind.

    A fallback is an answer without the model that should have given it. An error is a fallback because the model or its
    endpoint failed, so it is counted as both. A slow answer took longer than release.slow_ms, or its endpoint missed
    the deadline or was throttled.
    """

    ENTITIES = "entities"
    ERROR = "error"
    FALLBACK = "fallback"
    SLOW = "slow"


FAILURES = (Kind.ERROR, Kind.FALLBACK, Kind.SLOW)


class Cell(StrEnum):
    """How the answer turned out on which an entity's value in an experiment rests: the first with an outcome.

    A yes or no is one of four; of more classes it is only known whether the answer was right.
    """

    TRUE_POSITIVE = "true_positive"
    FALSE_POSITIVE = "false_positive"
    TRUE_NEGATIVE = "true_negative"
    FALSE_NEGATIVE = "false_negative"
    RIGHT = "right_class"
    WRONG = "wrong_class"


class Side(StrEnum):
    """Who answered: the release that is on its way, or the champion beside it."""

    CANARY = "canary"
    CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts while the canary had this share of all entities."""

    share: float  # above 0 and below 1
    canary_rows: int = 0  # all answers; they decide whether a step has seen enough
    champion_rows: int = 0
    canary_entities: int = 0  # different entities
    champion_entities: int = 0
    canary_error: int = 0  # entities, each counted at its first failure
    champion_error: int = 0
    canary_fallback: int = 0
    champion_fallback: int = 0
    canary_slow: int = 0
    champion_slow: int = 0
    paired: int = 0  # rows that both scored
    disagreements: int = 0  # rows with an outcome, on which the two decided differently
    canary_right: int = 0  # of these
    canary_true_positive: int = 0  # entities of an experiment, by their first outcome
    champion_true_positive: int = 0
    canary_false_positive: int = 0
    champion_false_positive: int = 0
    canary_true_negative: int = 0
    champion_true_negative: int = 0
    canary_false_negative: int = 0
    champion_false_negative: int = 0
    canary_right_class: int = 0
    champion_right_class: int = 0
    canary_wrong_class: int = 0
    champion_wrong_class: int = 0
    losses: tuple[float, ...] = field(default=(0.0,) * len(STAKES))  # sums of evidence.loss_terms

    def failures(self, kind: Kind) -> Failures:
        """Return the first failures of this kind, as evidence.harm_by_failures expects them."""
        return Failures(self.share, self.count(Side.CANARY, kind), self.count(Side.CHAMPION, kind))

    def count(self, side: Side, kind: Kind | Cell) -> int:
        number: int = getattr(self, counter(side, kind))
        return number


def counter(side: Side, kind: Kind | Cell) -> str:
    """Return the attribute that counts the entities of a kind on one side, such as `canary_error`."""
    return f"{side}_{kind}"


def _loss_attribute(stake: int) -> str:
    """Return the attribute that adds up the terms of one of evidence.STAKES, by its number: `loss_0`."""
    return f"{LOSS}{stake}"


# attributes of an item in the table
NUMBERS = tuple(one.name for one in fields(Counts) if one.name not in ("share", "losses"))
LOSSES = tuple(map(_loss_attribute, range(len(STAKES))))


def counts_key(rollout: str, share: float) -> Item:
    """Return the key of the item that holds a share's counts."""
    return {"rollout": {"S": rollout}, "item": {"S": f"{SHARE}{float(share)!r}"}}


def seen_key(rollout: str, kind: Kind, entity_id: str) -> Item:
    """Return the key of the item that is put once, when an entity is counted.

    An entity counts once in a rollout, whatever sides and shares it was in.
    """
    return _seen(rollout, kind, entity_id)


def value_key(rollout: str, entity_id: str) -> Item:
    """Return the key of the item that names the prediction on which an entity's value in an experiment rests."""
    return _seen(rollout, VALUE, entity_id)


def _seen(rollout: str, what: str, entity_id: str) -> Item:
    digest = hashlib.sha256(entity_id.encode()).hexdigest()[:32]
    return {"rollout": {"S": rollout}, "item": {"S": f"{SEEN}{what}#{digest}"}}


def added(losses: Iterable[float] = (), **counts: int) -> dict[str, float]:
    """Return the numbers to ADD to a share's item: counts by the names of Counts, and a row's loss terms.

    Raises KeyError for a name that Counts does not have.
    """
    if unknown := counts.keys() - set(NUMBERS):
        raise KeyError(f"{', '.join(sorted(unknown))}: must be of {', '.join(NUMBERS)}")
    return {**counts, **{_loss_attribute(stake): term for stake, term in enumerate(losses)}}


def from_items(items: Iterable[Mapping[str, Any]]) -> list[Counts]:
    """Return the counts of each share, by rising share, from a rollout's items in plain values; other items are
    ignored.
    """
    return sorted(map(_counts, filter(_is_of_a_share, items)), key=lambda counts: counts.share)


def _is_of_a_share(item: Mapping[str, Any]) -> bool:
    return str(item["item"]).startswith(SHARE)


def _counts(item: Mapping[str, Any]) -> Counts:
    return Counts(
        share=float(item["item"].removeprefix(SHARE)),
        losses=tuple(float(item.get(name, 0.0)) for name in LOSSES),
        **{name: int(item.get(name, 0)) for name in NUMBERS},
    )


def total(steps: Iterable[Counts], name: str) -> int:
    """Add up one number over all shares."""
    return sum(getattr(step, name) for step in steps)


def losses_of(steps: Iterable[Counts]) -> tuple[float, ...]:
    """Add up the loss terms over all shares, as evidence.harm_by_value expects them."""
    return tuple(map(sum, zip(*(step.losses for step in steps), strict=True))) or (0.0,) * len(STAKES)
