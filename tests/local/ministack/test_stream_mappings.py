"""Event source mappings of a table's stream as on AWS: filter, batches, bisection, bounded retries, destination."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import ACCOUNT, REGION, allow, eventually, new_name

READ = ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams")
# Writes down what it got; fails on an item that is poison, each time.
CODE = """
import json
def handler(event, context):
    ids = [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]
    failed = [record for record in event["Records"] if "poison" in record["dynamodb"]["NewImage"]]
    print("GOT " + json.dumps({"ids": ids, "failed": bool(failed)}))
    if failed:
        raise ValueError("poison")
"""


@pytest.fixture
def stream(aws, table):
    return aws.client("dynamodb").update_table(
        TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    )["TableDescription"]["LatestStreamArn"]


@pytest.fixture
def queue(aws):
    """A queue: its ARN, and what is in it."""
    name, sqs = new_name("queue"), aws.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]

    def messages() -> list[dict]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]

    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", messages


def mapped(aws, stream, code=CODE, *, may=(), **settings) -> str:
    """A function that takes the stream from its start."""
    function = aws.function(code, allow(*READ), *may)
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=stream, FunctionName=function, **{"StartingPosition": "TRIM_HORIZON", **settings}
    )
    return function


def put(aws, table, *ids, poison=(), **more) -> None:
    """Put items at once, so that they are in the stream at once, some of them poison."""
    marked = {id: {"poison": {"BOOL": True}} for id in poison}
    items = [{"id": {"S": id}, **more, **marked.get(id, {})} for id in ids]
    aws.client("dynamodb").transact_write_items(
        TransactItems=[{"Put": {"TableName": table, "Item": item}} for item in items]
    )


def calls(aws, function) -> list[dict]:
    """What each call got, in their order."""
    logs, group = aws.client("logs"), f"/aws/lambda/{function.rpartition(':')[2]}"
    try:
        events = logs.filter_log_events(logGroupName=group)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [json.loads(each["message"].partition("GOT ")[2]) for each in events if "GOT {" in each["message"]]


def ids_of(found: list[dict]) -> list[list[str]]:
    return [call["ids"] for call in found]


def all_ids(aws, function) -> list[str]:
    return [id for ids in ids_of(calls(aws, function)) for id in ids]


def test_only_what_the_filter_names_reaches_the_function(aws, table, stream):
    pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"features": {"S": [{"exists": True}]}}}}
    function = mapped(aws, stream, FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    put(aws, table, "a row of a batch")
    put(aws, table, "an answer", features={"S": "{}"})
    put(aws, table, "an answer", features={"S": "{}"}, changed={"S": "later"})
    put(aws, table, "a second", features={"S": "{}"})
    assert eventually(lambda: len(all_ids(aws, function)) == 2)
    assert all_ids(aws, function) == ["an answer", "a second"]


def test_a_batch_has_no_more_records_than_its_size_and_waits_for_more_within_its_window(aws, table, stream):
    function = mapped(aws, stream, BatchSize=3, MaximumBatchingWindowInSeconds=60)
    put(aws, table, *"abcde")
    assert eventually(lambda: len(calls(aws, function)) == 2 and ids_of(calls(aws, function)))
    assert ids_of(calls(aws, function)) == [["a", "b", "c"], ["d", "e"]]


def test_a_batch_that_fails_is_halved_until_what_breaks_it_is_alone_and_given_up(aws, table, stream, queue):
    arn, messages = queue
    settings = {
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 60,
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnFailure": {"Destination": arn}},
    }
    function = mapped(aws, stream, may=[allow("sqs:SendMessage", on=arn)], **settings)
    put(aws, table, "a", "b", "bad", "c", poison=["bad"])
    (told,) = eventually(messages)
    put(aws, table, "d")
    eventually(lambda: calls(aws, function)[-1]["ids"] == ["d"])
    found = calls(aws, function)
    assert [call["ids"] for call in found if not call["failed"]] == [["a", "b"], ["c"], ["d"]]
    assert [call["ids"] for call in found if call["failed"]] == [["a", "b", "bad", "c"], ["bad", "c"], ["bad"], ["bad"]]
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert (told["DDBStreamBatchInfo"]["batchSize"], told["DDBStreamBatchInfo"]["streamArn"]) == (1, stream)


def test_the_age_of_a_record_is_measured_when_a_function_is_called_with_it(aws, table, stream):
    put(aws, table, "a")
    function = mapped(aws, stream)
    eventually(lambda: calls(aws, function))
    name = {"Name": "FunctionName", "Value": function.rpartition(":")[2]}
    (point,) = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="IteratorAge",
        Dimensions=[name],
        StartTime=0,
        EndTime=4e9,
        Period=86400,
        Statistics=["Maximum", "SampleCount"],
    )["Datapoints"]
    assert (point["SampleCount"], point["Unit"]) == (1.0, "Milliseconds")
    assert 0 <= point["Maximum"] < 60_000


def test_without_bisection_the_whole_batch_is_given_up(aws, table, stream, queue):
    arn, messages = queue
    settings = {"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": {"Destination": arn}}}
    function = mapped(aws, stream, may=[allow("sqs:SendMessage", on=arn)], MaximumBatchingWindowInSeconds=9, **settings)
    put(aws, table, "a", "bad", poison=["bad"])
    (told,) = eventually(messages)
    assert told["DDBStreamBatchInfo"]["batchSize"] == 2
    assert calls(aws, function) == [{"ids": ["a", "bad"], "failed": True}]


def test_a_queue_that_only_tls_may_reach_gets_what_is_given_up(aws, table, stream, queue):
    arn, messages = queue
    without_tls = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn, "Condition": without_tls}
    url = aws.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    settings = {"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": {"Destination": arn}}}
    mapped(aws, stream, may=[allow("sqs:SendMessage", on=arn)], **settings)
    put(aws, table, "bad", poison=["bad"])
    assert eventually(messages)[0]["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_function_that_reports_its_failures_goes_on_from_the_first_of_them(aws, table, stream):
    code = """
import json
seen = set()
def handler(event, context):
    ids = [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]
    print("GOT " + json.dumps({"ids": ids}))
    news = [record for record in event["Records"] if record["eventID"] not in seen][1:]
    seen.update(record["eventID"] for record in event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in news]}
"""
    settings = {"FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumBatchingWindowInSeconds": 60}
    function = mapped(aws, stream, code, **settings)
    put(aws, table, *"abc")
    assert eventually(lambda: len(calls(aws, function)) == 2)
    assert ids_of(calls(aws, function)) == [["a", "b", "c"], ["b", "c"]]


def test_a_role_that_may_not_read_the_stream_is_refused_a_mapping(aws, stream):
    function = aws.function(CODE, allow("dynamodb:GetRecords", "dynamodb:ListStreams"))
    with pytest.raises(ClientError, match="Cannot access stream .* Please ensure the role can perform the GetRecords"):
        aws.client("lambda").create_event_source_mapping(
            EventSourceArn=stream, FunctionName=function, StartingPosition="LATEST"
        )
    resource = {"EventSourceArn": stream, "FunctionName": function, "StartingPosition": "LATEST"}
    reason = aws.failed_stack({"Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": resource}})
    assert f"Cannot access stream {stream}" in reason


NOT_SIMULATED = {
    "a window that adds up": ({"TumblingWindowInSeconds": 30}, "TumblingWindowInSeconds is not simulated"),
    "several batches at once": ({"ParallelizationFactor": 2}, "ParallelizationFactor above 1 is not simulated"),
    "a start by the clock": ({"StartingPosition": "AT_TIMESTAMP"}, "AT_TIMESTAMP is not supported for DynamoDB"),
    "another operator": (
        {"FilterCriteria": {"Filters": [{"Pattern": '{"eventName": [{"equals-ignore-case": "insert"}]}'}]}},
        "The filter's equals-ignore-case is not simulated by the local AWS; it has anything-but, exists",
    ),
    "a choice of patterns": (
        {"FilterCriteria": {"Filters": [{"Pattern": '{"$or": []}'}]}},
        "The filter's \\$or is not",
    ),
    "no pattern": ({"FilterCriteria": {"Filters": [{"Pattern": "INSERT"}]}}, "Invalid filter pattern definition"),
}


@pytest.mark.parametrize(("settings", "message"), NOT_SIMULATED.values(), ids=list(NOT_SIMULATED))
def test_what_a_mapping_here_would_not_do_is_refused(aws, stream, settings, message):
    with pytest.raises(ClientError, match=message):
        mapped(aws, stream, **settings)
