"""Schedules and scheduled rules: checked when they are made, each in its own time zone and independent of the others.

Nothing is caught up after a pause: what was due while this machine was off is skipped.
"""

import json
import logging
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ministack.core.iam_evaluator import validate_role_arn
from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import eventbridge, scheduler
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as handlers  # noqa: N811 - MiniStack's private table, written to here
from ministack.services.cloudformation.provisioners import _physical_name

from domain import schedules as grammar

EVENTS, SCHEDULER = "ministack.services.eventbridge", "ministack.services.scheduler"
HOOKS = (
    *(f"{EVENTS}:{name}" for name in ("_validate_schedule_expression", "_parse_cron_fields", "_parse_rate_seconds")),
    *(f"{EVENTS}:{name}" for name in ("_cron_next_fire", "_invoke_target")),
    *(f"{SCHEDULER}:{name}" for name in ("_create_schedule", "_update_schedule", "_error", "_schedule_arn")),
    *(f"{SCHEDULER}:{name}" for name in ("_schedules", "_schedule_last_fired", "_tick_schedules", "_to_epoch")),
    f"{SCHEDULER}:_ensure_default_group",
    f"{SCHEDULER}:_SCHEDULE_TICK_INTERVAL",
    "ministack.core.iam_evaluator:validate_role_arn",
    "ministack.services.cloudformation.provisioners:_RESOURCE_HANDLERS",
    "ministack.services.cloudformation.provisioners:_physical_name",
)
EVERY_S = 2
LATE_S = 60  # a time that passed this recently when its schedule is made still fires
NEEDS_JSON = (":lambda:", ":states:", ":events:")  # targets whose input must be JSON
ASSUMED = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
LOG = logging.getLogger("schedules")


def register() -> None:
    cron, started = eventbridge._parse_cron_fields, time.time()
    eventbridge._validate_schedule_expression = lambda text: not text or grammar.problem(text, counted=True) is None
    # Also for what an older state folder holds: an invalid schedule never fires, and stops no other.
    eventbridge._parse_cron_fields = lambda text: None if grammar.problem(text) else cron(text)
    scheduler._create_schedule = _checked(scheduler._create_schedule)
    scheduler._update_schedule = _checked(scheduler._update_schedule)
    scheduler._tick_schedules = lambda: tick(started, time.time())
    scheduler._SCHEDULE_TICK_INTERVAL = EVERY_S
    stock = handlers["AWS::Scheduler::Schedule"]
    handlers["AWS::Scheduler::Schedule"] = {
        **stock,
        "create": _provision,
        "update": _reprovision,
        "update_with_logical_id": False,
    }


# Refusals


def _checked(store):
    def store_checked(name, schedule):
        unknown = validate_role_arn(str((schedule.get("Target") or {}).get("RoleArn")))  # only where IAM is enforced
        reason = problem(schedule) or (unknown and f"{ASSUMED} {unknown}")
        return scheduler._error(400, "ValidationException", reason) if reason else store(name, schedule)

    return store_checked


def problem(schedule: dict) -> str | None:
    """Return why Scheduler refuses a schedule beyond its shape, in its words, or None."""
    expression, window = str(schedule.get("ScheduleExpression")), schedule.get("FlexibleTimeWindow") or {}
    wrong = _once(expression) is None if expression.startswith("at(") else grammar.problem(expression)
    if wrong:
        return f"Invalid Schedule Expression {expression}."
    if _zone(schedule) is None:
        return f"The time zone provided is not valid: {schedule['ScheduleExpressionTimezone']}."
    if (window.get("Mode") == "FLEXIBLE") != bool(window.get("MaximumWindowInMinutes")):
        return "MaximumWindowInMinutes must be given for a FlexibleTimeWindow of mode FLEXIBLE, and only there."
    return _target_problem(schedule.get("Target") or {})


def _target_problem(target: dict) -> str | None:
    arn, given = str(target.get("Arn")), target.get("Input")
    if not re.fullmatch(r"arn:aws[\w-]*:[\w.-]+:[\w-]*:(\d{12}|aws|)?:.+", arn):
        return f"Invalid Arn {arn} for the target."
    if given is not None and any(service in arn for service in NEEDS_JSON) and not _is_json(given):
        return "Invalid Input: the target takes only well-formed JSON."
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        # A context attribute may stand where JSON has a number.
        return "<aws.scheduler." in text
    return True


def _once(expression: str) -> datetime | None:
    """Parse at(yyyy-mm-ddThh:mm:ss), without its time zone."""
    found = re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", expression)
    try:
        return datetime.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def _zone(schedule: dict) -> ZoneInfo | None:
    try:
        return ZoneInfo(schedule.get("ScheduleExpressionTimezone") or "UTC")
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return None


# Firing


def tick(started: float, now: float) -> None:
    """Fire every enabled schedule that is due; one that cannot be fired is logged, and the others continue."""
    for key, schedule in list(scheduler._schedules._data.items()):
        try:
            _tick_one(scheduler, key, schedule, started, now)
        except Exception:  # whatever is wrong with one schedule is of no concern to the next
            LOG.exception("schedule %s", schedule.get("Arn"))


def _tick_one(scheduler, key: tuple, schedule: dict, started: float, now: float) -> None:
    first, last = (scheduler._to_epoch(schedule.get(name)) for name in ("StartDate", "EndDate"))
    if schedule.get("State") != "ENABLED" or (first is not None and now < first):
        return
    over = last is not None and now > last
    due = None if over else next_firing(schedule, scheduler._schedule_last_fired.get(key), started)
    if due is not None and due <= now:
        scheduler._schedule_last_fired[key] = now
        _fire(key, schedule, now)
        over = schedule["ScheduleExpression"].startswith("at(")
    if over and schedule.get("ActionAfterCompletion") == "DELETE":
        scheduler._schedules._data.pop(key, None)


def next_firing(schedule: dict, fired: float | None, started: float) -> float | None:
    """Return when a schedule is due, in epoch seconds, having fired at `fired`; None: never again."""
    expression, zone = schedule["ScheduleExpression"], _zone(schedule) or UTC
    since = _counts_from(schedule, started) if fired is None else fired
    once = _once(expression)
    if once is not None:
        moment = once.replace(tzinfo=zone).timestamp()
        return moment if moment > since else None
    every_s = eventbridge._parse_rate_seconds(expression)
    if every_s:
        return since + every_s
    fields = eventbridge._parse_cron_fields(expression)
    following = eventbridge._cron_next_fire(fields, datetime.fromtimestamp(since, tz=zone)) if fields else None
    return following.timestamp() if following else None


def _counts_from(schedule: dict, started: float) -> float:
    """Return the time after which a schedule that has not fired yet is due."""
    created, expression = schedule.get("CreationDate") or started, schedule["ScheduleExpression"]
    every_s = eventbridge._parse_rate_seconds(expression)
    if created < started:
        return created + (started - created) // every_s * every_s if every_s else started
    return created - LATE_S if expression.startswith("at(") else created


def _fire(key: tuple, schedule: dict, now: float) -> None:
    account, region, _ = key
    set_request_account_id(account)
    set_request_region(region)
    event = {
        "EventId": str(uuid.uuid4()),
        "Source": "aws.scheduler",
        "DetailType": "Scheduled Event",
        "Detail": "{}",
        "Time": now,
        "Resources": [schedule.get("Arn", "")],
        "Account": account,
        "Region": region,
    }
    eventbridge._invoke_target(schedule["Target"], event, schedule)


# In a template


def _provision(logical_id: str, properties: dict, stack: str) -> tuple[str, dict[str, Any]]:
    name = properties.get("Name") or _physical_name(stack, logical_id, max_len=64)
    return _stored("_create_schedule", name, properties)


def _reprovision(name: str, old: dict, new: dict, stack: str) -> tuple[str, dict[str, Any]]:
    moved = new.get("Name") not in (None, name) or new.get("GroupName") != old.get("GroupName")
    return _provision(name, new, stack) if moved else _stored("_update_schedule", name, new)


def _stored(operation: str, name: str, properties: dict) -> tuple[str, dict[str, Any]]:
    scheduler._ensure_default_group()
    status, _, body = getattr(scheduler, operation)(name, properties)
    if status >= 400:
        raise ValueError(json.loads(body)["Message"])
    return name, {"Arn": scheduler._schedule_arn(properties.get("GroupName", "default"), name)}
