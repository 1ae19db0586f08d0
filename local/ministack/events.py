"""Schedules and rules: the scheduler's placeholders, no catching up after a pause, and targets started as their role."""

import json
import logging
import time
import uuid

EVENTS, SCHEDULER = "ministack.services.eventbridge", "ministack.services.scheduler"
HOOKS = (
    f"{EVENTS}:_invoke_target",
    f"{EVENTS}:_parse_rate_seconds",
    f"{EVENTS}:_dispatch_to_sqs",
    "ministack.core.arn:parse_arn",
    f"{SCHEDULER}:_tick_schedules",
    f"{SCHEDULER}:_schedules",
    f"{SCHEDULER}:_schedule_last_fired",
    f"{SCHEDULER}:_at_time_epoch",
    f"{SCHEDULER}:_SCHEDULE_TICK_INTERVAL",
)

EVERY_S = 2
LOG = logging.getLogger("events")


def register() -> None:
    from ministack.services import eventbridge, scheduler

    invoke, tick = eventbridge._invoke_target, scheduler._tick_schedules
    started = time.time()

    def invoke_as_role(target, event, rule, view=None):
        if event.get("Source") == "aws.scheduler" and isinstance(target.get("Input"), str):
            target = {**target, "Input": filled(target["Input"], event, rule)}
        reason = refusal(target)
        if reason:
            LOG.error("target %s of %s was not started: %s", target["Arn"], rule.get("Name"), reason)
            return keep_undelivered(target, event)
        return invoke(target, event, rule, view)

    def tick_from_now():
        skip_the_past(scheduler, eventbridge, started)
        tick()

    eventbridge._invoke_target, scheduler._tick_schedules = invoke_as_role, tick_from_now
    scheduler._SCHEDULE_TICK_INTERVAL = EVERY_S


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


def skip_the_past(scheduler, eventbridge, started: float) -> None:
    """What was due while this machine was off is not made up for. The stock scheduler forgets what it has fired when it
    stops, so every restart would fire each schedule that is older than its interval."""
    for key, schedule in list(scheduler._schedules._data.items()):
        created = schedule.get("CreationDate") or started
        if key in scheduler._schedule_last_fired or created >= started:
            continue
        due = scheduler._at_time_epoch(schedule["ScheduleExpression"])
        interval = eventbridge._parse_rate_seconds(schedule["ScheduleExpression"])
        if interval:
            scheduler._schedule_last_fired[key] = created + (started - created) // interval * interval
        elif due is not None and due < started:
            scheduler._schedule_last_fired[key] = due
