"""What a stream owes its mappings is on disk with the items: a kill -9 of the local AWS loses no record."""

import json

import pytest

from local.start import stop
from tests.local.conftest import Aws, allow, eventually
from tests.local.test_server import kill, run

# As capture: what begins with the same record is written under the same key.
CODE = """
import json
import boto3
S3 = boto3.client("s3")
def handler(event, context):
    ids = [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]
    S3.put_object(Bucket="lake", Key=event["Records"][0]["eventID"], Body=json.dumps(ids))
"""


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "state"
    stop(tmp_path / "state")


def make_stream(aws: Aws) -> str:
    aws.client("s3").create_bucket(Bucket="lake")
    return aws.client("dynamodb").create_table(
        TableName="answers",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]["LatestStreamArn"]


def map_stream(aws: Aws, stream: str, **settings) -> str:
    function = aws.function(CODE, allow("s3:PutObject"))
    return aws.client("lambda").create_event_source_mapping(
        EventSourceArn=stream, FunctionName=function, StartingPosition="TRIM_HORIZON", **settings
    )["UUID"]


def put(aws: Aws, ids: list[str]) -> None:
    for id in ids:
        aws.client("dynamodb").put_item(TableName="answers", Item={"id": {"S": id}})


def taken(aws: Aws) -> list[str]:
    s3 = aws.client("s3")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket="lake").get("Contents", [])]
    return sorted(id for key in keys for id in json.loads(s3.get_object(Bucket="lake", Key=key)["Body"].read()))


def test_every_answered_write_reaches_the_function_once_though_the_local_aws_is_killed_right_after_it(folder):
    aws = run(folder)
    map_stream(aws, make_stream(aws), BatchSize=7, MaximumBatchingWindowInSeconds=1)
    ids = []
    for number in range(3):
        ids += (new := [f"{number}-{n:02d}" for n in range(20)])
        put(aws, new)
        kill(aws)
        aws = run(folder)
    eventually(lambda: len(taken(aws)) >= len(ids))
    assert taken(aws) == ids


def test_a_mapping_that_was_disabled_takes_after_a_kill_what_came_meanwhile(folder):
    aws = run(folder)
    mapping = map_stream(aws, make_stream(aws), Enabled=False)
    put(aws, ["a", "b"])
    kill(aws)
    aws = run(folder)
    put(aws, ["c"])
    assert taken(aws) == []
    aws.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)
    eventually(lambda: len(taken(aws)) >= 3)
    assert taken(aws) == ["a", "b", "c"]


def test_what_was_taken_is_not_taken_again_after_a_kill(folder):
    aws = run(folder)
    map_stream(aws, make_stream(aws))
    put(aws, ["a", "b"])
    eventually(lambda: taken(aws) == ["a", "b"])
    kill(aws)
    aws = run(folder)
    put(aws, ["c"])
    eventually(lambda: len(taken(aws)) >= 3)
    assert taken(aws) == ["a", "b", "c"]


def test_a_stream_that_is_made_again_owes_nothing_of_the_one_before(folder):
    aws = run(folder)
    map_stream(aws, make_stream(aws), Enabled=False)
    put(aws, ["of the old stream"])
    dynamodb = aws.client("dynamodb")
    dynamodb.update_table(TableName="answers", StreamSpecification={"StreamEnabled": False})
    again = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    stream = dynamodb.update_table(TableName="answers", StreamSpecification=again)["TableDescription"][
        "LatestStreamArn"
    ]
    map_stream(aws, stream)
    kill(aws)
    aws = run(folder)
    put(aws, ["of the new one"])
    eventually(lambda: taken(aws))
    assert taken(aws) == ["of the new one"]
