"""What was answered with 200 is there after a kill -9 of the local AWS in the next moment, and a full disk is not a
200.
"""

import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local.start import stop
from local.state import ask
from tests.local.conftest import Aws, allow
from tests.local.test_server import kill, run

ROOT = Path(__file__).parents[2]
KEY = {"AttributeName": "id", "KeyType": "HASH"}
NOTHING_MORE = (4096, resource.RLIM_INFINITY)


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "state"
    stop(tmp_path / "state")


@pytest.fixture
def killed(folder):
    """Kill the local AWS and start it again."""

    def kill_and_start(aws: Aws) -> Aws:
        kill(aws)
        return run(folder)

    return kill_and_start


def make_table(aws: Aws) -> None:
    aws.client("dynamodb").create_table(
        TableName="flights",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[KEY],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "carrier", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_carrier",
                "KeySchema": [{"AttributeName": "carrier", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def item(number: str, carrier: str = "UA") -> dict:
    return {"id": {"S": number}, "carrier": {"S": carrier}, "seen": {"N": "1"}}


def items(aws: Aws) -> dict[str, tuple[str, str]]:
    found = aws.client("dynamodb").scan(TableName="flights")["Items"]
    return {one["id"]["S"]: (one["carrier"]["S"], one["seen"]["N"]) for one in found}


def of_carrier(aws: Aws, carrier: str) -> set[str]:
    found = aws.client("dynamodb").query(
        TableName="flights",
        IndexName="by_carrier",
        KeyConditionExpression="carrier = :carrier",
        ExpressionAttributeValues={":carrier": {"S": carrier}},
    )
    return {one["id"]["S"] for one in found["Items"]}


def test_every_write_of_an_item_survives_a_kill_right_after_it(folder, killed):
    aws = run(folder)
    make_table(aws)
    table = aws.client("dynamodb")
    add = {
        "UpdateExpression": "SET carrier = :carrier ADD seen :one",
        "ExpressionAttributeValues": {":carrier": {"S": "DL"}, ":one": {"N": "1"}},
    }
    table.put_item(TableName="flights", Item=item("put"))
    aws = killed(aws)
    assert items(aws) == {"put": ("UA", "1")}
    table.batch_write_item(
        RequestItems={"flights": [{"PutRequest": {"Item": item(str(number))}} for number in range(25)]}
    )
    aws = killed(aws)
    assert len(items(aws)) == 26
    table.update_item(TableName="flights", Key={"id": {"S": "put"}}, **add)
    table.delete_item(TableName="flights", Key={"id": {"S": "7"}})
    aws = killed(aws)
    assert items(aws)["put"] == ("DL", "2") and "7" not in items(aws)
    assert of_carrier(aws, "DL") == {"put"} and len(of_carrier(aws, "UA")) == 24
    transaction = {
        "ClientRequestToken": "sent-twice",
        "TransactItems": [
            {"Update": {"TableName": "flights", "Key": {"id": {"S": "put"}}, **add}},
            {"Delete": {"TableName": "flights", "Key": {"id": {"S": "8"}}}},
        ],
    }
    table.transact_write_items(**transaction)
    aws = killed(aws)
    assert items(aws)["put"] == ("DL", "3") and "8" not in items(aws)
    table.transact_write_items(**transaction)  # sent again, by a client that heard of no answer
    assert items(aws)["put"] == ("DL", "3")
    assert table.describe_table(TableName="flights")["Table"]["ItemCount"] == 24


def test_objects_survive_a_kill_right_after_they_were_put_or_deleted(folder, killed):
    aws = run(folder)
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="lake")
    for key in ("rows/kept", "rows/deleted"):
        s3.put_object(Bucket="lake", Key=key, Body=key.encode(), Metadata={"own": "1"})
    s3.delete_object(Bucket="lake", Key="rows/deleted")
    part = b"x" * (5 << 20)
    upload = s3.create_multipart_upload(Bucket="lake", Key="large")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket="lake", Key="large", UploadId=upload, PartNumber=number, Body=part)["ETag"],
        }
        for number in (1, 2)
    ]
    s3.complete_multipart_upload(Bucket="lake", Key="large", UploadId=upload, MultipartUpload={"Parts": parts})
    killed(aws)
    sizes = {found["Key"]: found["Size"] for found in s3.list_objects_v2(Bucket="lake")["Contents"]}
    assert sizes == {"large": 10 << 20, "rows/kept": 9}
    stored = s3.get_object(Bucket="lake", Key="rows/kept")
    assert (stored["Body"].read(), stored["Metadata"]) == (b"rows/kept", {"own": "1"})


def test_what_the_other_services_answered_survives_a_kill_right_after_it(folder, killed):
    aws = run(folder)
    aws.client("ssm").put_parameter(Name="/own", Value="book", Type="String")
    aws = killed(aws)
    assert aws.client("ssm").get_parameter(Name="/own")["Parameter"]["Value"] == "book"
    topic = aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    queue = aws.client("sqs").create_queue(QueueName="later")["QueueUrl"]
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="one")
    aws = killed(aws)
    assert [one["TopicArn"] for one in aws.client("sns").list_topics()["Topics"]] == [topic]
    [message] = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    aws.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    measured = {"MetricName": "Answers", "Value": 3.0}
    aws.client("cloudwatch").put_metric_data(Namespace="Own", MetricData=[measured])
    aws = killed(aws)
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=queue)
    assert [one["MetricName"] for one in aws.client("cloudwatch").list_metrics(Namespace="Own")["Metrics"]] == [
        "Answers"
    ]
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="own")
    logs.create_log_stream(logGroupName="own", logStreamName="one")
    now = int(time.time() * 1000)
    logs.put_log_events(logGroupName="own", logStreamName="one", logEvents=[{"timestamp": now, "message": "seen"}])
    aws = killed(aws)
    [event] = aws.client("logs").get_log_events(logGroupName="own", logStreamName="one")["events"]
    assert event["message"] == "seen"


def test_an_execution_that_was_seen_to_end_has_ended_after_a_kill_and_one_under_way_has_failed(folder, killed):
    aws = run(folder)
    ended = aws.run(aws.machine({"Done": {"Type": "Pass", "Output": "done", "End": True}}))
    assert ended["status"] == "SUCCEEDED"
    waiting = aws.machine({"Wait": {"Type": "Wait", "Seconds": 60, "End": True}})
    under_way = aws.client("stepfunctions").start_execution(stateMachineArn=waiting, name="cut")["executionArn"]
    flows = killed(aws).client("stepfunctions")
    assert flows.describe_execution(executionArn=ended["executionArn"])["output"] == '"done"'
    cut = flows.describe_execution(executionArn=under_way)
    assert (cut["status"], cut["error"]) == ("FAILED", "States.ServiceRestart")


def test_what_a_function_wrote_is_there_when_its_caller_was_answered(folder, killed):
    aws = run(folder)
    make_table(aws)
    code = """
import boto3
def handler(event, context):
    boto3.client("dynamodb").put_item(TableName="flights", Item=event)
    return "stored"
"""
    function = aws.function(code, allow("dynamodb:PutItem"))
    assert aws.invoke(function, item("by a function")) == ("stored", None)
    assert items(killed(aws)) == {"by a function": ("UA", "1")}


def test_a_table_and_its_items_go_together(folder, killed):
    aws = run(folder)
    table = aws.client("dynamodb")
    for _ in range(2):
        make_table(aws)
        table.put_item(TableName="flights", Item=item("1"))
        table.delete_table(TableName="flights")
    make_table(aws)
    aws = killed(aws)
    assert items(aws) == {} and of_carrier(aws, "UA") == set()


def test_two_restarts_in_a_row_change_nothing(folder, killed):
    aws = run(folder)
    make_table(aws)
    aws.client("dynamodb").put_item(TableName="flights", Item=item("1"))
    aws = killed(killed(aws))
    assert items(aws) == {"1": ("UA", "1")}
    stop(folder)
    assert items(run(folder)) == {"1": ("UA", "1")}


def test_a_scan_gives_every_item_once_a_page_at_a_time(aws, table):
    dynamodb = aws.client("dynamodb")
    long = {"S": "x" * 100_000}
    for number in range(25):
        dynamodb.put_item(TableName=table, Item={"id": {"S": f"{number:02}"}, "long": long})
    pages = list(dynamodb.get_paginator("scan").paginate(TableName=table))
    assert [one["id"]["S"] for page in pages for one in page["Items"]] == [f"{number:02}" for number in range(25)]
    assert [page["Count"] for page in pages] == [10, 10, 5]
    by_seven = list(dynamodb.get_paginator("scan").paginate(TableName=table, PaginationConfig={"PageSize": 7}))
    assert [page["Count"] for page in by_seven] == [7, 7, 7, 4]


def test_an_index_that_is_made_later_has_the_items_that_were_there(aws, table):
    dynamodb = aws.client("dynamodb")
    for number in range(3):
        dynamodb.put_item(TableName=table, Item=item(str(number)))
    dynamodb.update_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "carrier", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "by_carrier",
                    "KeySchema": [{"AttributeName": "carrier", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )
    dynamodb.put_item(TableName=table, Item=item("3"))
    found = dynamodb.query(
        TableName=table,
        IndexName="by_carrier",
        KeyConditionExpression="carrier = :carrier",
        ExpressionAttributeValues={":carrier": {"S": "UA"}},
    )
    assert {one["id"]["S"] for one in found["Items"]} == {"0", "1", "2", "3"}


@pytest.mark.skipif(sys.platform != "linux", reason="limits a running process")
def test_a_disk_that_takes_nothing_more_is_not_answered_with_200_and_is_shown(folder):
    aws = run(folder)
    make_table(aws)
    table, process = aws.client("dynamodb"), aws.server["pid"]
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="lake")
    before = resource.prlimit(process, resource.RLIMIT_FSIZE, NOTHING_MORE)
    for write in (
        lambda: table.put_item(TableName="flights", Item=item("1")),
        lambda: s3.put_object(Bucket="lake", Key="rows", Body=b"x" * 10_000),
    ):
        with pytest.raises(ClientError, match="The local AWS could not write what it did to disk") as refused:
            write()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
    assert "journal.db cannot be written" in ask(f"{aws.endpoint}/_fairway/health", timeout_s=5)["failure"]
    resource.prlimit(process, resource.RLIMIT_FSIZE, before)
    table.put_item(TableName="flights", Item=item("2"))
    assert ask(f"{aws.endpoint}/_fairway/health", timeout_s=5)["failure"] is None
    kill(aws)
    assert items(run(folder)).keys() == {"1", "2"}  # the first was not answered, and may have been done


@pytest.mark.skipif(sys.platform != "linux", reason="limits a running process")
def test_a_command_on_a_disk_that_takes_nothing_more_exits_1_and_says_so(tmp_path):
    project = tmp_path / "flights"
    (project / "flights").mkdir(parents=True)
    shutil.copy(ROOT / "fairway.toml", project)
    shutil.copy(ROOT / "flights/contract.toml", project / "flights")
    folder = project / ".fairway/local"
    folder.parent.mkdir()
    aws = run(folder)
    try:
        make_table(aws)
        resource.prlimit(aws.server["pid"], resource.RLIMIT_FSIZE, NOTHING_MORE)
        with pytest.raises(ClientError):
            aws.client("dynamodb").put_item(TableName="flights", Item=item("1"))
        words = [Path(sys.executable).with_name("fairway"), "status", "--project", project, "--json"]
        ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    finally:
        kill(aws)
    said = json.loads(ended.stdout)
    assert (ended.returncode, said["error"]) == (1, "not_written")
    assert "journal.db cannot be written" in said["message"] and "make room" in said["message"]
