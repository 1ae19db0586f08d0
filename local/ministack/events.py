"""Targets of schedules and rules: the scheduler's placeholders, and state machines started as the target's role."""

import json
import logging
import time
import uuid

EVENTS = "ministack.services.eventbridge"
HOOKS = (
    f"{EVENTS}:_invoke_target",
    f"{EVENTS}:_dispatch_to_sqs",
    "ministack.core.arn:parse_arn",
)

LOG = logging.getLogger("events")


def register() -> None:
    from ministack.services import eventbridge

    invoke = eventbridge._invoke_target

    def invoke_as_role(target, event, rule, view=None):
        if event.get("Source") == "aws.scheduler" and isinstance(target.get("Input"), str):
            target = {**target, "Input": filled(target["Input"], event, rule)}
        reason = refusal(target)
        if reason:
            LOG.error("target %s of %s was not started: %s", target["Arn"], rule.get("Name"), reason)
            return keep_undelivered(target, event)
        return invoke(target, event, rule, view)

    eventbridge._invoke_target = invoke_as_role


def filled(text: str, event: dict, schedule: dict) -> str:
    """The input of a schedule's target with the context attributes of EventBridge Scheduler."""
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
    """Why the target's role may not start its state machine; None for other targets."""
    from local.ministack.roles import denial

    if ":states:" not in target["Arn"]:
        return None
    if not target.get("RoleArn"):
        return "it has no RoleArn"
    return denial(target["RoleArn"], "events", "states", "states:StartExecution", target["Arn"])


def keep_undelivered(target: dict, event: dict) -> None:
    """Put the event into the target's dead-letter queue, if it has one."""
    from ministack.core.arn import parse_arn
    from ministack.services import eventbridge

    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue:
        eventbridge._dispatch_to_sqs(parse_arn(queue), target.get("Input") or json.dumps(event, default=str))
