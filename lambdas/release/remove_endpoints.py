"""CloudFormation custom resource: remove the endpoints, configurations and models of releases with their stack."""

import json
import logging
import os
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

from lambdas.aws.hosting import BUSY, DELETING, Hosted, hosted, remove

LOG = logging.getLogger("fairway")
PREFIX = os.environ["ENDPOINT_PREFIX"]
LONGEST_REASON = 1000  # CloudFormation refuses an answer of more than 4 KB
ANSWER_WITHIN_S = 20
PAUSE_S = 10
TO_LOOK_AND_ANSWER_S = 60  # of the function's time; without an answer CloudFormation waits for an hour


class Context(Protocol):
    """The part of Lambda's context that is used."""

    def get_remaining_time_in_millis(self) -> int: ...


class Answer(TypedDict):
    """Answer to CloudFormation, in its own words."""

    Status: str
    Reason: str
    PhysicalResourceId: str
    StackId: str
    RequestId: str
    LogicalResourceId: str


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects on SageMaker and on time; `left_s` is the rest of the function's time."""

    things: Callable[[], Iterable[Hosted]]
    remove: Callable[[Hosted], None]
    sleep: Callable[[float], None]
    left_s: Callable[[], float]


class EndpointsBusy(Exception):
    """An endpoint is still being made or changed, and SageMaker does not delete it meanwhile."""


def handler(event: dict[str, Any], context: Context) -> Answer:
    effects = Effects(
        things=lambda: hosted(PREFIX),
        remove=remove,
        sleep=time.sleep,
        left_s=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    answer = outcome_of(event, effects)
    _send(event["ResponseURL"], answer)
    return answer


def outcome_of(event: dict[str, Any], effects: Effects) -> Answer:
    """Remove everything if the stack is deleted. A failure is an answer too: CloudFormation would wait for an hour."""
    try:
        removed = _remove_all(effects) if event["RequestType"] == "Delete" else 0
        status, reason = "SUCCESS", f"removed {removed}"
    except Exception as error:
        LOG.exception("endpoints of %s not removed", PREFIX)
        status, reason = "FAILED", f"{type(error).__name__}: {error}"[:LONGEST_REASON]
    return {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": event.get("PhysicalResourceId", f"endpoints-{PREFIX}"),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }


def _remove_all(effects: Effects) -> int:
    """Remove everything, waiting for what is still being made while the function has time; return how many."""
    removed = 0
    while True:
        present = [thing for thing in effects.things() if thing.status != DELETING]
        busy = [thing.name for thing in present if thing.status in BUSY]
        idle = [thing for thing in present if thing.name not in busy]
        for thing in idle:
            effects.remove(thing)
        removed += len(idle)
        if not busy:
            return removed
        if effects.left_s() < PAUSE_S + TO_LOOK_AND_ANSWER_S:
            raise EndpointsBusy(
                f"{', '.join(busy)}: still being made or changed; delete the stack again in a few minutes"
            )
        effects.sleep(PAUSE_S)


def _send(url: str, answer: Answer) -> None:
    body = json.dumps(answer).encode()
    request = urllib.request.Request(url, data=body, method="PUT", headers={"content-type": ""})
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S):
        pass
