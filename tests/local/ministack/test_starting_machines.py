"""Schedules and rules of EventBridge start state machines, under roles of their own."""

import json
import time

from tests.local.conftest import ACCOUNT, REGION, allow, eventually, over


def test_a_schedule_starts_a_machine_and_tells_it_the_scheduled_time(aws):
    machine = aws.machine({"End": {"Type": "Succeed"}})
    aws.client("scheduler").create_schedule(
        Name="every-minute",
        ScheduleExpression=time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 1)),
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": machine,
            "RoleArn": aws.role("scheduler", allow("states:StartExecution", on=machine)),
            "Input": '{"as_of": "<aws.scheduler.scheduled-time>"}',
        },
    )
    given = json.loads(first_execution(aws, machine)["input"])
    assert time.strptime(given["as_of"], "%Y-%m-%dT%H:%M:%SZ") <= time.gmtime()


def test_a_rule_starts_a_machine_with_what_its_transformer_makes_of_the_event(aws):
    machine, events = aws.machine({"End": {"Type": "Succeed"}}), aws.client("events")
    events.put_rule(
        Name="packages", EventPattern=json.dumps({"source": ["test.models"], "detail": {"status": ["Approved"]}})
    )
    events.put_targets(
        Rule="packages",
        Targets=[
            {
                "Id": "1",
                "Arn": machine,
                "RoleArn": aws.role("events", allow("states:StartExecution", on=machine)),
                "InputTransformer": {
                    "InputPathsMap": {"arn": "$.detail.arn"},
                    "InputTemplate": '{"model_package_arn": <arn>}',
                },
            }
        ],
    )
    for status in ("Rejected", "Approved"):
        events.put_events(
            Entries=[
                {
                    "Source": "test.models",
                    "DetailType": "change",
                    "Detail": json.dumps({"status": status, "arn": f"arn:{status}"}),
                }
            ]
        )
    assert json.loads(first_execution(aws, machine)["input"]) == {"model_package_arn": "arn:Approved"}


def test_a_rule_whose_role_may_not_start_the_machine_starts_nothing_and_keeps_the_event(aws):
    machine, events, sqs = aws.machine({"End": {"Type": "Succeed"}}), aws.client("events"), aws.client("sqs")
    queue = sqs.create_queue(QueueName="undelivered")["QueueUrl"]
    events.put_rule(Name="weak", EventPattern=json.dumps({"source": ["test.weak"]}))
    events.put_targets(
        Rule="weak",
        Targets=[
            {
                "Id": "1",
                "Arn": machine,
                "RoleArn": aws.role("events"),
                "DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:undelivered"},
            }
        ],
    )
    events.put_events(Entries=[{"Source": "test.weak", "DetailType": "d", "Detail": "{}"}])
    message = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))[0]
    assert json.loads(message["Body"])["Source"] == "test.weak"
    assert aws.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"] == []
    assert "states:StartExecution" in (aws.folder / "server.log").read_text()


def first_execution(aws, machine: str) -> dict:
    flows = aws.client("stepfunctions")
    started = eventually(lambda: flows.list_executions(stateMachineArn=machine)["executions"])
    return eventually(lambda: over(flows.describe_execution(executionArn=started[0]["executionArn"])))
