"""States of a release, and how long it may take to become champion."""

from datetime import timedelta
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

from domain.config.sections import Release
from domain.release.replay import Report

_DEPLOYING = timedelta(hours=2)
# its job's own hour, one to get a machine, and one until the account's quota allows it; and what is before and after
REPLAYING = timedelta(hours=4)


def deploying_at_most(release: Release) -> timedelta:
    """Return how long a deployment may last: a release that neither answers nor is compared by then never will."""
    return _DEPLOYING + (REPLAYING if release.replay_days else timedelta())


class Verdict(StrEnum):
    """Verdict of the gate on a training run."""

    APPROVED = "approved"
    REJECTED = "rejected"


class ReleaseState(StrEnum):
    """State of a release item in the routing table."""

    WAITING = "waiting"  # for a person's approval
    APPROVED = "approved"
    REJECTED = "rejected"
    DEPLOYING = "deploying"
    CANARY = "canary"  # or waiting for its turn
    CHALLENGER = "challenger"  # of an experiment
    CHAMPION = "champion"
    PREVIOUS = "previous"
    RETIRED = "retired"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"  # it returns only with a new run
    ABORTED = "aborted"
    SUPERSEDED = "superseded"


class Measurement(TypedDict):
    """The champion on the evaluation rows of a later run; `broken` describes each benchmark that it breaks there."""

    release: str
    run: str
    rows: int
    evaluate_start: str  # timestamp
    as_of: str  # timestamp
    metrics: dict[str, float]
    standard_error: float
    p99_ms: float
    size_mb: float
    broken: list[str]
    decisions: NotRequired[dict[str, int]]  # right and wrong ones of a binary task


class ReleaseItem(TypedDict, total=False):
    """Release item of the routing table (domain/records.py: release_key); timestamps are ISO 8601 text."""

    release: str
    state: str  # a ReleaseState
    run: str
    candidate: str
    imported: bool  # made elsewhere
    as_of: str
    reason: str
    why: str  # why this candidate was chosen, in words
    answers: str  # correct and wrong answers on the held-out rows, in words
    model_uri: str
    artefact_sha256: str
    signature: str
    metrics: dict[str, float]
    p99_ms: float
    size_mb: float
    decisions: dict[str, int] | None
    newest: Measurement
    contract: str  # contract it was made under, as domain/contract/packed.py writes it
    confidence: str  # how sure its answers are (domain/train/confidence.py), as domain/packed.py writes it
    created_at: str
    deploying_since: str
    promoted_at: str
    failure: str
    replay: Report  # of one that was left out, only when and why
    rollout: dict[str, Any]  # a domain/release/rollout.py Rollout, as it ended


ANSWERING_A_SHARE = (ReleaseState.CANARY, ReleaseState.CHALLENGER)
IN_USE = (ReleaseState.DEPLOYING, *ANSWERING_A_SHARE, ReleaseState.CHAMPION, ReleaseState.PREVIOUS)
GIVEN_UP = (ReleaseState.FAILED, ReleaseState.ROLLED_BACK, ReleaseState.ABORTED, ReleaseState.SUPERSEDED)
