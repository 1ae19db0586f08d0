"""Lambdas as on AWS: only what the zip ships, real error types, real logs, limits, and the role of their own."""

import json
import queue

import pytest
from botocore.exceptions import ClientError

from local.ministack.lambda_runtime import Output
from tests.local.conftest import ACCOUNT, REGION, allow, eventually, zipped

FACTS = """
import os, sys
def handler(event, context):
    return {"path": sys.path, "environment": dict(os.environ), "request": context.aws_request_id,
            "arn": context.invoked_function_arn, "left_ms": context.get_remaining_time_in_millis()}
"""


def test_a_function_sees_its_zip_the_runtimes_boto3_and_nothing_else(aws):
    missing = aws.function("import boto3\ndef handler(event, context): import numpy")
    answer, kind = aws.invoke(missing)
    assert (kind, answer["errorType"], answer["errorMessage"]) == (
        "Unhandled",
        "ModuleNotFoundError",
        "No module named 'numpy'",
    )


def test_a_module_that_cannot_be_imported_fails_the_start_by_its_name(aws):
    answer, _ = aws.invoke(aws.function("import not_in_the_zip"))
    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'not_in_the_zip'" in answer["errorMessage"]


def test_the_environment_is_what_aws_gives_and_the_function_sets_and_no_variable_of_this_machine(aws, monkeypatch):
    function = aws.function(FACTS, Environment={"Variables": {"TABLE": "rows"}}, MemorySize=256)
    facts, _ = aws.invoke(function)
    environment = facts["environment"]
    assert {
        name: environment[name]
        for name in ("TABLE", "AWS_REGION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_EXECUTION_ENV", "AWS_ENDPOINT_URL")
    } == {
        "TABLE": "rows",
        "AWS_REGION": REGION,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_ENDPOINT_URL": aws.endpoint,
    }
    assert facts["arn"] == function
    assert 0 < facts["left_ms"] <= 10_000
    assert {"HOME", "VIRTUAL_ENV", "AWS_PROFILE"} & environment.keys() == set()


def test_an_exception_keeps_its_type_message_and_trace(aws):
    answer, kind = aws.invoke(
        aws.function("class TooOld(Exception): pass\ndef handler(event, context): raise TooOld('by a day')")
    )
    assert (kind, answer["errorType"], answer["errorMessage"]) == ("Unhandled", "TooOld", "by a day")
    assert "raise TooOld" in answer["stackTrace"][0]


def test_a_function_that_takes_too_long_is_ended(aws):
    answer, _ = aws.invoke(aws.function("import time\ndef handler(event, context): time.sleep(9)", Timeout=1))
    assert answer["errorType"] == "Sandbox.Timedout"
    assert "timed out after 1.00 seconds" in answer["errorMessage"]


def test_an_answer_over_6_mb_is_an_error(aws):
    answer, kind = aws.invoke(aws.function("def handler(event, context): return 'x' * 6_300_000"))
    assert (kind, answer["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")


def test_a_request_over_6_mb_is_refused(aws):
    function = aws.function("def handler(event, context): return 1")
    with pytest.raises(ClientError) as refused:
        aws.invoke(function, "x" * 6_300_000)
    assert refused.value.response["Error"]["Code"] == "RequestTooLargeException"


def test_every_line_of_a_call_is_in_its_log_before_the_answer(aws):
    function = aws.function("def handler(event, context):\n    for n in range(200): print(f'line {n} of {event}')")
    name = function.rpartition(":")[2]
    for call in ("a", "b"):
        aws.invoke(function, call)
        found = aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern=f"of {call}")[
            "events"
        ]
        assert [event["message"] for event in found] == [f"line {n} of {call}" for n in range(200)]


def test_output_is_read_on_when_the_full_queue_was_emptied_in_just_this_moment():
    class Emptied(queue.Queue):
        def full(self):
            return True

    lines = Emptied()
    Output(0, lines).put("line")
    assert lines.get_nowait() == "line"


def test_a_function_may_do_only_what_its_role_allows(aws, table):
    code = (
        "import boto3\ndef handler(event, context):\n"
        f"    boto3.client('dynamodb').put_item(TableName={table!r}, Item={{'id': {{'S': 'a'}}}})"
    )
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    assert aws.invoke(aws.function(code, allow("dynamodb:PutItem", on=arn))) == (None, None)
    answer, _ = aws.invoke(aws.function(code, allow("dynamodb:GetItem", on=arn)))
    assert answer["errorType"] == "ClientError"
    assert "AccessDeniedException" in answer["errorMessage"]


def test_new_code_answers_at_once(aws):
    function = aws.function("def handler(event, context): return 'old'")
    assert aws.invoke(function)[0] == "old"
    aws.client("lambda").update_function_code(
        FunctionName=function, ZipFile=zipped({"app.py": "def handler(event, context): return 'new'"})
    )
    assert aws.invoke(function)[0] == "new"


def test_a_stream_of_a_table_reaches_a_function(aws, table):
    dynamodb, functions = aws.client("dynamodb"), aws.client("lambda")
    stream = dynamodb.update_table(
        TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    )["TableDescription"]["LatestStreamArn"]
    read = allow("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams")
    function = aws.function("def handler(event, context): print('GOT', event['Records'][0]['dynamodb']['Keys'])", read)
    functions.create_event_source_mapping(EventSourceArn=stream, FunctionName=function, StartingPosition="TRIM_HORIZON")
    dynamodb.put_item(TableName=table, Item={"id": {"S": "streamed"}})
    assert eventually(lambda: "streamed" in logged(aws, function))


def test_what_nobody_took_goes_to_the_dead_letter_queue(aws):
    queue = aws.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    function = aws.function(
        "def handler(event, context): raise ValueError('never')",
        allow("sqs:SendMessage"),
        DeadLetterConfig={"TargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"},
    )
    aws.client("lambda").put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    aws.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b'{"n": 1}')
    message = eventually(lambda: aws.client("sqs").receive_message(QueueUrl=queue).get("Messages"))[0]
    assert json.loads(message["Body"])["requestPayload"] == {"n": 1}


def test_a_destination_for_success_is_refused_since_nothing_would_reach_it(aws):
    function = aws.function("def handler(event, context): return 1")
    with pytest.raises(ClientError, match="OnSuccess is not simulated"):
        aws.client("lambda").put_function_event_invoke_config(
            FunctionName=function,
            DestinationConfig={"OnSuccess": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:done"}},
        )


def logged(aws, function: str) -> str:
    logs, group = aws.client("logs"), f"/aws/lambda/{function.rpartition(':')[2]}"
    try:
        return "\n".join(event["message"] for event in logs.filter_log_events(logGroupName=group)["events"])
    except logs.exceptions.ResourceNotFoundException:
        return ""
