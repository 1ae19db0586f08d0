"""Targets of schedules and rules: the scheduler's placeholders, and state machines started with the target's role."""

import json
import logging
import time
import uuid

from ministack.core.arn import parse_arn
from ministack.core.responses import error_response_json
from ministack.services import eventbridge

from local.ministack.roles import denial

EVENTS = "ministack.services.eventbridge"
HOOKS = (
    f"{EVENTS}:_invoke_target",
    f"{EVENTS}:_dispatch_to_sqs",
    *(f"{EVENTS}:{name}" for name in ("_put_targets", "_delete_rule", "_targets", "_rule_key")),
    "ministack.core.arn:parse_arn",
)

MOST_TARGETS = 5
LOG = logging.getLogger("events")


def register() -> None:
    invoke = eventbridge._invoke_target

    def invoke_as_role(target, event, rule, view=None):
        if event.get("Source") == "aws.scheduler" and isinstance(target.get("Input"), str):
            target = {**target, "Input": filled(target["Input"], event, rule)}
        reason = refusal(target)
        if reason:
            LOG.error("target %s of %s was not started: %s", target["Arn"], rule.get("Name"), reason)
            return _keep_undelivered(target, event)
        return invoke(target, event, rule, view)

    eventbridge._invoke_target = invoke_as_role
    put, delete = eventbridge._put_targets, eventbridge._delete_rule
    eventbridge._put_targets = lambda request: _too_many(request) or put(request)
    eventbridge._delete_rule = lambda request: _still_used(request) or delete(request)


def _targets_of(request: dict, name: str) -> list[dict]:
    bus = str(request.get("EventBusName") or "default").rpartition("/")[2]
    return eventbridge._targets.get(eventbridge._rule_key(name, bus)) or []


def _too_many(request: dict) -> tuple | None:
    """Return the refusal of PutTargets that would give a rule more than five."""
    name = request.get("Rule", "")
    ids = {target["Id"] for target in (*_targets_of(request, name), *request.get("Targets", []))}
    if len(ids) <= MOST_TARGETS:
        return None
    return error_response_json(
        "LimitExceededException", f"The requested resource exceeds the maximum number of targets: {name}", 400
    )


def _still_used(request: dict) -> tuple | None:
    """Return the refusal of DeleteRule for a rule with targets."""
    if not _targets_of(request, request.get("Name", "")):
        return None
    return error_response_json("ValidationException", "Rule can't be deleted since it has targets.", 400)


def filled(text: str, event: dict, schedule: dict) -> str:
    """Return the input of a schedule's target with the context attributes of EventBridge Scheduler."""
    values = {
        "schedule-arn": schedule.get("Arn", ""),
        "execution-id": str(uuid.uuid4()),
        "attempt-number": "1",
        "scheduled-time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(event["Time"])),
    }
    for name, value in values.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def refusal(target: dict) -> str | None:
    """Return why the target's role may not start its state machine; None for other targets."""
    if ":states:" not in target["Arn"]:
        return None
    if not target.get("RoleArn"):
        return "it has no RoleArn"
    return denial(target["RoleArn"], "events", "states", "states:StartExecution", target["Arn"])


def _keep_undelivered(target: dict, event: dict) -> None:
    """Put the event into the target's dead-letter queue, if it has one."""
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue:
        eventbridge._dispatch_to_sqs(parse_arn(queue), target.get("Input") or json.dumps(event, default=str))
