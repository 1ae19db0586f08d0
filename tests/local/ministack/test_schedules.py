"""Schedules: what is refused when one is made, in which time zone each fires, and that none is in another's way."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError

from local.ministack import load_plugins
from local.ministack.schedules import next_firing, tick
from tests.local.conftest import ACCOUNT, REGION, new_name

TOKYO = ZoneInfo("Asia/Tokyo")
NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def plugins():
    return load_plugins()


def made(expression: str, *, at: float = NOON, **fields) -> dict:
    return {"ScheduleExpression": expression, "CreationDate": at, **fields}


def target(aws, arn: str, **fields) -> dict:
    return {"Arn": arn, "RoleArn": aws.role("scheduler"), **fields}


def schedule(aws, arn: str, expression: str = "rate(1 days)", **fields) -> str:
    name = new_name("schedule")
    given = {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target(aws, arn), **fields}
    aws.client("scheduler").create_schedule(Name=name, ScheduleExpression=expression, **given)
    return name


MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:x"


@pytest.mark.parametrize("expression", ["rate(1 week)", "cron(0 5 * * *)", "at(2026-99-01T00:00:00)", "daily"])
def test_an_expression_that_scheduler_does_not_know_is_refused(aws, expression):
    with pytest.raises(ClientError, match="ValidationException.*Invalid Schedule Expression"):
        schedule(aws, MACHINE, expression)


@pytest.mark.parametrize(
    "fields",
    [
        {"ScheduleExpressionTimezone": "Mars/Base"},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
        {"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}},
    ],
)
def test_a_schedule_that_could_not_fire_as_it_asks_is_refused(aws, fields):
    with pytest.raises(ClientError, match="ValidationException"):
        schedule(aws, MACHINE, **fields)


@pytest.mark.parametrize("wrong", [{"Arn": "nowhere"}, {"Input": "{not json"}])
def test_a_target_that_cannot_be_started_is_refused(aws, wrong):
    with pytest.raises(ClientError, match="ValidationException.*Invalid"):
        schedule(aws, MACHINE, Target={**target(aws, MACHINE), **wrong})


def test_a_role_that_is_not_there_is_refused(aws):
    nobody = {"Arn": MACHINE, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}
    with pytest.raises(ClientError, match="must allow AWS EventBridge Scheduler to assume the role"):
        schedule(aws, MACHINE, Target=nobody)


def test_a_schedule_is_not_changed_to_one_that_is_refused(aws):
    name = schedule(aws, MACHINE)
    with pytest.raises(ClientError, match="Invalid Schedule Expression"):
        aws.client("scheduler").update_schedule(
            Name=name,
            ScheduleExpression="rate(0 days)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target(aws, MACHINE),
        )


@pytest.mark.parametrize("expression", ["rate(1 days)", "rate(2 day)", "rate(0 days)", "cron(0 25 * * ? *)"])
def test_a_rule_with_an_expression_that_events_does_not_know_is_refused(aws, expression):
    with pytest.raises(ClientError, match="ValidationException.*ScheduleExpression is not valid"):
        aws.client("events").put_rule(Name=new_name("rule"), ScheduleExpression=expression)


def test_a_template_with_such_a_schedule_is_rolled_back(aws):
    wrong = {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "ScheduleExpression": "cron(0 5 * * *)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": target(aws, MACHINE),
        },
    }
    assert "Invalid Schedule Expression cron(0 5 * * *)" in aws.failed_stack({"Wrong": wrong})


def test_a_cron_expression_is_of_its_time_zone(plugins):
    daily = made("cron(30 9 * * ? *)", ScheduleExpressionTimezone="Asia/Tokyo")
    assert next_firing(daily, None, NOON) == datetime(2026, 11, 29, 9, 30, tzinfo=TOKYO).timestamp()
    assert next_firing(made("cron(30 9 * * ? *)"), None, NOON) == NOON + timedelta(hours=21.5).total_seconds()


def test_a_single_moment_is_of_its_time_zone_and_comes_once(plugins):
    once = made("at(2026-11-29T09:30:00)", ScheduleExpressionTimezone="Asia/Tokyo")
    due = datetime(2026, 11, 29, 9, 30, tzinfo=TOKYO).timestamp()
    assert next_firing(once, None, NOON) == due
    assert next_firing(once, due + 1, NOON) is None


def test_what_was_due_while_the_machine_was_off_is_not_made_up_for(plugins):
    started = NOON + 90 * 60
    assert next_firing(made("rate(1 hour)"), None, started) == NOON + 2 * 3600
    assert next_firing(made("cron(0 * * * ? *)"), None, started) == NOON + 2 * 3600
    assert next_firing(made("at(2026-11-28T13:00:00)"), None, started) is None


def test_a_schedule_that_cannot_be_fired_stops_no_other(plugins):
    from ministack.services import scheduler

    unreadable = {"State": "ENABLED", "CreationDate": NOON}  # of an older state folder: no expression at all
    fine = {**unreadable, **made("rate(1 minute)"), "Target": {"Arn": MACHINE}}
    keys = [(ACCOUNT, REGION, f"default/{name}") for name in ("unreadable", "fine")]
    scheduler._schedules._data.update(zip(keys, (unreadable, fine), strict=True))
    tick(NOON, NOON + 61)
    assert [scheduler._schedule_last_fired.get(key) for key in keys] == [None, NOON + 61]
