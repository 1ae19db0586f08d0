"""Step Functions as our flows use it: JSONata, the native integrations under the machine's role, and the distributed
Map.
"""

import time

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import allow

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
