"""CloudFormation custom resource: with the stack go the endpoints, configurations and models that its releases made."""

import json
import logging
import os
import time
import urllib.request

from lambdas.hosting import BUSY, DELETING, hosted, remove

LOG = logging.getLogger("fairway")
PREFIX = os.environ["ENDPOINT_PREFIX"]
LONGEST_REASON = 1000  # CloudFormation refuses an answer of more than 4 KB
ANSWER_WITHIN_S = 20
PAUSE_S, TRIES = 10, 24


class EndpointsBusy(Exception):
    """An endpoint is still being made or changed, and SageMaker does not delete it meanwhile."""


def handler(event, context):
    answer = outcome_of(event, things=lambda: hosted(PREFIX), remove=remove, sleep=time.sleep)
    send(event["ResponseURL"], answer)
    return answer


def outcome_of(event: dict, *, things, remove, sleep) -> dict:
    """CloudFormation waits an hour for an answer that never comes, so a failure is an answer too."""
    try:
        removed = remove_all(things, remove, sleep) if event["RequestType"] == "Delete" else 0
        status, reason = "SUCCESS", f"removed {removed}"
    except Exception as error:
        LOG.exception("endpoints of %s not removed", PREFIX)
        status, reason = "FAILED", f"{type(error).__name__}: {error}"[:LONGEST_REASON]
    return {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": event.get("PhysicalResourceId", f"endpoints-{PREFIX}"),
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }


def remove_all(things, remove, sleep) -> int:
    """How many were removed. What is still being made is waited for."""
    removed = 0
    for _ in range(TRIES):
        found = [thing for thing in things() if thing.status != DELETING]
        busy = [thing.name for thing in found if thing.status in BUSY]
        idle = [thing for thing in found if thing.name not in busy]
        for thing in idle:
            remove(thing)
        removed += len(idle)
        if not busy:
            return removed
        sleep(PAUSE_S)
    raise EndpointsBusy(f"{', '.join(busy)}: still busy after {PAUSE_S * TRIES} s; delete the stack again")


def send(url: str, answer: dict) -> None:
    body = json.dumps(answer).encode()
    request = urllib.request.Request(url, data=body, method="PUT", headers={"content-type": ""})
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S):
        pass
