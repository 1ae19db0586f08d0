"""Step Functions as our flows use it: JSONata, the native integrations under the machine's role, and the distributed
Map.
"""

import json
import time

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import ACCOUNT, REGION, allow, eventually, over

FAILING = """
class NotYet(Exception): pass
CALLS = []
def handler(event, context):
    CALLS.append(event)
    if len(CALLS) <= event.get("fail", 0): raise NotYet(f"call {len(CALLS)}")
    return {"calls": len(CALLS)}
"""
ECHO = "def handler(event, context): return event"


def invoke(function: str, payload, **fields) -> dict:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": payload},
        "Output": "{% $states.result.Payload %}",
        "End": True,
        **fields,
    }


def test_choice_wait_map_and_variables_in_jsonata(aws):
    machine = aws.machine(
        {
            "Begin": {"Type": "Pass", "Assign": {"limit": "{% $states.input.limit %}"}, "Next": "Wait"},
            "Wait": {"Type": "Wait", "Seconds": "{% $limit - 1 %}", "Next": "Which"},
            "Which": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $count($states.input.items) > $limit %}", "Next": "Each"}],
                "Default": "TooFew",
            },
            "Each": {
                "Type": "Map",
                "Items": "{% $states.input.items %}",
                "MaxConcurrency": 2,
                "ItemSelector": {
                    "n": "{% $states.context.Map.Item.Value %}",
                    "at": "{% $states.context.Map.Item.Index %}",
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "Square",
                    "States": {
                        "Square": {
                            "Type": "Pass",
                            "Output": "{% $states.input.n * $states.input.n + $states.input.at %}",
                            "End": True,
                        }
                    },
                },
                "Output": {"squares": "{% $states.result %}", "limit": "{% $limit %}"},
                "End": True,
            },
            "TooFew": {
                "Type": "Fail",
                "Error": "TooFew",
                "Cause": "{% 'only ' & $string($count($states.input.items)) %}",
            },
        }
    )
    assert aws.run(machine, {"limit": 1, "items": [3, 4, 5]})["output"] == {"squares": [9, 17, 27], "limit": 1}
    failed = aws.run(machine, {"limit": 2, "items": [3]})
    assert (failed["status"], failed["error"], failed["cause"]) == ("FAILED", "TooFew", "only 1")


def test_a_retry_matches_the_name_of_the_exception_that_the_function_raised(aws):
    function = aws.function(FAILING)
    machine = aws.machine(
        {
            "Call": invoke(
                function,
                {"fail": 2},
                Retry=[{"ErrorEquals": ["NotYet"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 3}],
            )
        },
        allow("lambda:InvokeFunction", on=function),
    )
    assert aws.run(machine)["output"] == {"calls": 3}


def test_a_catch_sees_the_error_and_its_cause(aws):
    function = aws.function(FAILING)
    machine = aws.machine(
        {
            "Call": invoke(
                function,
                {"fail": 9},
                Catch=[
                    {
                        "ErrorEquals": ["NotYet"],
                        "Next": "Caught",
                        "Output": {
                            "error": "{% $states.errorOutput.Error %}",
                            "cause": "{% $parse($states.errorOutput.Cause).errorMessage %}",
                        },
                    }
                ],
            ),
            "Caught": {"Type": "Succeed"},
        },
        allow("lambda:InvokeFunction", on=function),
    )
    assert aws.run(machine)["output"] == {"error": "NotYet", "cause": "call 1"}


def test_dynamodb_is_called_natively_and_a_failed_condition_is_caught_by_its_name(aws, table):
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Arguments": {
            "TableName": table,
            "Item": {"id": {"S": "{% $states.input.id %}"}, "n": {"N": "1"}},
            "ConditionExpression": "attribute_not_exists(id)",
        },
        "Output": "{% $states.input %}",
        "Next": "Add",
        "Catch": [{"ErrorEquals": ["DynamoDB.ConditionalCheckFailedException"], "Next": "There"}],
    }
    add = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:updateItem",
        "Arguments": {
            "TableName": table,
            "Key": {"id": {"S": "{% $states.input.id %}"}},
            "UpdateExpression": "SET n = n + :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
            "ReturnValues": "ALL_NEW",
        },
        "Output": "{% $number($states.result.Attributes.n.N) %}",
        "End": True,
    }
    machine = aws.machine(
        {"Put": put, "Add": add, "There": {"Type": "Pass", "Output": "there", "End": True}},
        allow("dynamodb:PutItem", "dynamodb:UpdateItem"),
    )
    assert [aws.run(machine, {"id": "a"})["output"] for _ in range(2)] == [2, "there"]


def test_each_integration_may_do_only_what_the_role_of_the_machine_allows(aws, table, bucket):
    function = aws.function(ECHO)
    tasks = {
        "lambda:invoke": ({"FunctionName": function}, "lambda:InvokeFunction", "Lambda.AWSLambdaException"),
        "dynamodb:getItem": (
            {"TableName": table, "Key": {"id": {"S": "a"}}},
            "dynamodb:GetItem",
            "DynamoDB.AmazonDynamoDBException",
        ),
        "aws-sdk:dynamodb:query": (
            {"TableName": table, "KeyConditionExpression": "id = :i", "ExpressionAttributeValues": {":i": {"S": "a"}}},
            "dynamodb:Query",
            "DynamoDb.DynamoDbException",
        ),
        "aws-sdk:s3:listObjectsV2": ({"Bucket": bucket}, "s3:ListBucket", "S3.S3Exception"),
        "events:putEvents": (
            {"Entries": [{"Source": "own", "DetailType": "d", "Detail": {}}]},
            "events:PutEvents",
            "EventBridge.AmazonEventBridgeException",
        ),
    }
    for resource, (arguments, action, error) in tasks.items():
        states = {
            "Do": {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments, "End": True}
        }
        allowed, denied = aws.machine(states, allow(action)), aws.machine(states, allow("sts:GetCallerIdentity"))
        ended = aws.run(allowed)
        assert (resource, ended["status"], ended.get("cause")) == (resource, "SUCCEEDED", None)
        ended = aws.run(denied)
        assert (resource, ended["status"], ended["error"]) == (resource, "FAILED", error)
        assert f"is not authorized to perform: {action}" in ended["cause"]


def test_stopping_an_execution_ends_it_while_it_waits_and_nothing_more_is_started(aws, table):
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Arguments": {"TableName": table, "Item": {"id": {"S": "late"}}},
        "End": True,
    }
    each = {
        "Type": "Map",
        "Items": [1, 2],
        "End": True,
        "ItemProcessor": {
            "StartAt": "Wait",
            "States": {"Wait": {"Type": "Wait", "Seconds": 2, "Next": "Put"}, "Put": put},
        },
    }
    flows = aws.client("stepfunctions")
    execution = flows.start_execution(stateMachineArn=aws.machine({"Each": each}, allow("dynamodb:PutItem")))[
        "executionArn"
    ]
    time.sleep(0.5)
    flows.stop_execution(executionArn=execution, error="Stopped", cause="by hand")
    stopped = flows.describe_execution(executionArn=execution)
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Stopped", "by hand")
    time.sleep(2)
    assert aws.client("dynamodb").scan(TableName=table)["Count"] == 0


def test_the_machines_own_timeout_ends_an_execution(aws):
    machine = aws.machine({"Wait": {"Type": "Wait", "Seconds": 30, "End": True}}, TimeoutSeconds=1)
    assert aws.run(machine)["status"] == "TIMED_OUT"


def test_a_result_over_256_kib_fails_as_on_aws(aws):
    function = aws.function("def handler(event, context): return 'x' * 300_000")
    ended = aws.run(aws.machine({"Call": invoke(function, {})}, allow("lambda:InvokeFunction", on=function)))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


@pytest.mark.parametrize(
    ("field", "state"),
    [
        (
            "Credentials",
            {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage",
                "Credentials": {"RoleArn": "r"},
                "End": True,
            },
        ),
        (
            "HeartbeatSeconds",
            {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "HeartbeatSeconds": 5, "End": True},
        ),
        (
            "ItemBatcher",
            {
                "Type": "Map",
                "ItemBatcher": {"MaxItemsPerBatch": 2},
                "End": True,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED"},
                    "StartAt": "P",
                    "States": {"P": {"Type": "Pass", "End": True}},
                },
            },
        ),
    ],
)
def test_what_would_be_ignored_is_refused_when_the_machine_is_created(aws, field, state):
    with pytest.raises(ClientError, match=f"Not simulated by the local AWS: Do: {field}"):
        aws.machine({"Do": state}, allow("sqs:SendMessage"), QueryLanguage="JSONPath")


# The distributed Map


def distributed(process: dict, **fields) -> dict:
    return {
        "Type": "Map",
        "End": True,
        **fields,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Do",
            "States": {"Do": process},
        },
    }


def own_machine_and(*actions: str) -> dict:
    return allow("states:StartExecution", *actions)


def test_a_distributed_map_lists_objects_and_hands_them_over_in_batches(aws, bucket):
    for number in range(5):
        aws.client("s3").put_object(Bucket=bucket, Key=f"results/{number}.json", Body=b"{}")
    count = {
        "Type": "Pass",
        "End": True,
        "Output": {"keys": "{% $states.input.Items.Key %}", "run": "{% $states.input.BatchInput.run %}"},
    }
    machine = aws.machine(
        {
            "Each": distributed(
                count,
                MaxConcurrency=2,
                ItemBatcher={"MaxItemsPerBatch": 3, "BatchInput": {"run": "{% $states.input.run %}"}},
                ItemReader={
                    "Resource": "arn:aws:states:::s3:listObjectsV2",
                    "Arguments": {"Bucket": "{% $states.input.bucket %}", "Prefix": "results/"},
                },
            )
        },
        own_machine_and("s3:ListBucket"),
    )
    assert aws.run(machine, {"bucket": bucket, "run": "r1"})["output"] == [
        {"keys": ["results/0.json", "results/1.json", "results/2.json"], "run": "r1"},
        {"keys": ["results/3.json", "results/4.json"], "run": "r1"},
    ]


def test_a_distributed_map_reads_a_json_file_and_writes_its_results(aws, bucket):
    s3 = aws.client("s3")
    s3.put_object(Bucket=bucket, Key="shards.json", Body=json.dumps([{"n": 1}, {"n": 2}]).encode())
    machine = aws.machine(
        {
            "Each": distributed(
                {"Type": "Pass", "Output": "{% $states.input.value * 10 %}", "End": True},
                ItemSelector={"value": "{% $states.context.Map.Item.Value.n %}"},
                ItemReader={
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSON"},
                    "Arguments": {"Bucket": bucket, "Key": "shards.json"},
                },
                ResultWriter={
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Arguments": {"Bucket": bucket, "Prefix": "told"},
                },
            )
        },
        own_machine_and("s3:GetObject", "s3:PutObject"),
    )
    details = aws.run(machine)["output"]["ResultWriterDetails"]
    manifest = json.loads(s3.get_object(**details)["Body"].read())
    written = json.loads(
        s3.get_object(Bucket=bucket, Key=manifest["ResultFiles"]["SUCCEEDED"][0]["Key"])["Body"].read()
    )
    assert [(child["Status"], json.loads(child["Output"])) for child in written] == [
        ("SUCCEEDED", 10),
        ("SUCCEEDED", 20),
    ]


def test_a_distributed_map_tolerates_as_many_failures_as_it_says(aws):
    fail_two = {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $states.input = 2 %}", "Next": "Fail"}],
        "Default": "Fine",
    }
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED"},
        "StartAt": "Which",
        "States": {
            "Which": fail_two,
            "Fail": {"Type": "Fail", "Error": "Two", "Cause": "is too many"},
            "Fine": {"Type": "Succeed"},
        },
    }
    each = {"Type": "Map", "Items": [1, 2, 3], "ItemProcessor": processor, "End": True}
    strict = aws.run(aws.machine({"Each": each}, own_machine_and()))
    assert (strict["status"], strict["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    tolerant = aws.machine({"Each": {**each, "ToleratedFailureCount": 1}}, own_machine_and())
    assert aws.run(tolerant)["output"] == [1, 3]


def test_a_distributed_map_reads_nothing_that_its_role_may_not_read(aws, bucket):
    machine = aws.machine(
        {
            "Each": distributed(
                {"Type": "Succeed"},
                ItemReader={"Resource": "arn:aws:states:::s3:listObjectsV2", "Arguments": {"Bucket": bucket}},
            )
        },
        own_machine_and(),
    )
    ended = aws.run(machine)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ItemReaderFailed")


# What starts an execution


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
