"""CloudFormation custom resource: with the stack go the endpoints, configurations and models that its releases made."""

import json
import logging
import os
import time
import urllib.request

from lambdas.aws.hosting import BUSY, DELETING, hosted, remove

LOG = logging.getLogger("fairway")
PREFIX = os.environ["ENDPOINT_PREFIX"]
LONGEST_REASON = 1000  # CloudFormation refuses an answer of more than 4 KB
ANSWER_WITHIN_S = 20
PAUSE_S = 10
TO_LOOK_AND_ANSWER_S = 60  # of the function's time, after which nobody would hear how it ended


class EndpointsBusy(Exception):
    """An endpoint is still being made or changed, and SageMaker does not delete it meanwhile."""


def handler(event, context):
    answer = outcome_of(
        event,
        things=lambda: hosted(PREFIX),
        remove=remove,
        sleep=time.sleep,
        left_s=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    send(event["ResponseURL"], answer)
    return answer


def outcome_of(event: dict, *, things, remove, sleep, left_s) -> dict:
    """CloudFormation waits an hour for an answer that never comes, so a failure is an answer too."""
    try:
        removed = remove_all(things, remove, sleep, left_s) if event["RequestType"] == "Delete" else 0
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


def remove_all(things, remove, sleep, left_s) -> int:
    """How many were removed. What is still being made is waited for, while the function has time."""
    removed = 0
    while True:
        found = [thing for thing in things() if thing.status != DELETING]
        busy = [thing.name for thing in found if thing.status in BUSY]
        idle = [thing for thing in found if thing.name not in busy]
        for thing in idle:
            remove(thing)
        removed += len(idle)
        if not busy:
            return removed
        if left_s() < PAUSE_S + TO_LOOK_AND_ANSWER_S:
            raise EndpointsBusy(
                f"{', '.join(busy)}: still being made or changed; delete the stack again in some minutes"
            )
        sleep(PAUSE_S)


def send(url: str, answer: dict) -> None:
    body = json.dumps(answer).encode()
    request = urllib.request.Request(url, data=body, method="PUT", headers={"content-type": ""})
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S):
        pass
