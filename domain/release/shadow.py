"""A shadow: a release that is asked about the champion's rows after they were answered, and answers nobody.

Every entity of its sample is on both sides, so its evidence is that of a split into equal halves (EVEN), under an id of
its own: what an entity did here says nothing of what it does under the canary.
"""

from typing import TypedDict

from domain.release.claims import place

EVEN = 0.5  # share that its evidence is counted under: each row is the champion's and the shadow's
_SUFFIX = "/shadow"


class Shadow(TypedDict):
    """Part of the routing: the release that is asked beside the champion."""

    rollout: str  # id of its evidence, and the salt of its entities' places
    release: str
    endpoint: str
    share: float  # of all entities
    since: str  # timestamp


def evidence_of(rollout: str) -> str:
    """Return the id under which a rollout's evidence is counted while it is a shadow."""
    return rollout + _SUFFIX


def is_shadow(rollout: str) -> bool:
    """Whether this is the id of a shadow's evidence."""
    return rollout.endswith(_SUFFIX)


def is_asked(shadow: Shadow, entity_id: str) -> bool:
    """Whether the shadow is asked about this entity, the same each time."""
    return place(shadow["rollout"], entity_id) < shadow["share"]
