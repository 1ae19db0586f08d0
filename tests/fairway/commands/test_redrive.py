"""Records that the capture gave up, read again from where the queue says that they are, and captured."""

import io
import json
import zipfile

import pytest

from tests.fairway.conftest import ROLE

# Writes down what it got; a record that is poison stops it, as one that the lake refuses would.
CODE = """
import json
def handler(event, context):
    items = [record["dynamodb"]["NewImage"] for record in event["Records"]]
    if any("poison" in item for item in items):
        raise ValueError("no room")
    print("GOT " + json.dumps([item["id"]["S"] for item in items]))
    odd = sum("odd" in item for item in items)
    return {"captured": len(items) - odd, "set_aside": odd}
"""
FIRST = f"{1:021}"  # of the 21 digits that a number of the stream has at least


@pytest.fixture
def capturing(place):
    """The project with a stream of predictions, a queue of the undelivered, and a function that captures."""
    dynamodb, sqs, lambda_ = place.aws("dynamodb"), place.aws("sqs"), place.aws("lambda")
    dynamodb.create_table(
        TableName="answers",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", CODE)
    lambda_.create_function(
        FunctionName="capturing",
        Runtime="python3.13",
        Handler="index.handler",
        Role=ROLE,
        Code={"ZipFile": code.getvalue()},
    )
    queue = sqs.create_queue(QueueName="undelivered")["QueueUrl"]
    place.enter(capture="capturing", undelivered=queue)
    yield place
    dynamodb.delete_table(TableName="answers")
    lambda_.delete_function(FunctionName="capturing")
    logs = place.aws("logs")
    for group in logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/capturing")["logGroups"]:
        logs.delete_log_group(logGroupName=group["logGroupName"])
    sqs.delete_queue(QueueUrl=queue)


def put(place, *ids: str, **more) -> list[dict]:
    """Store answers; return all the records of the stream."""
    for id in ids:
        item = {"id": {"S": id}, "features": {"S": "{}"}, **more}
        place.aws("dynamodb").put_item(TableName="answers", Item=item)
    streams = place.aws("dynamodbstreams")
    (stream,) = streams.list_streams(TableName="answers")["Streams"]
    shard = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"][0]["ShardId"]
    start = streams.get_shard_iterator(StreamArn=stream["StreamArn"], ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    found = streams.get_records(ShardIterator=start)["Records"]
    return [{**record, "stream": stream["StreamArn"], "shard": shard} for record in found]


def tell(place, body: dict) -> None:
    queue = place.aws("sqs").get_queue_url(QueueName="undelivered")["QueueUrl"]
    place.aws("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(body))


def tell_of(place, first: dict, last: dict) -> None:
    """Send what Lambda does for a batch that it gave up."""
    span = {"startSequenceNumber": first, "endSequenceNumber": last}
    place_of = {name: record["dynamodb"]["SequenceNumber"] for name, record in span.items()}
    tell(place, {"DDBStreamBatchInfo": {"shardId": first["shard"], "streamArn": first["stream"], **place_of}})


def got(place) -> list[list[str]]:
    events = place.aws("logs").filter_log_events(logGroupName="/aws/lambda/capturing")["events"]
    told = [each["message"].partition("GOT ")[2] for each in events if "GOT [" in each["message"]]
    return [json.loads(text) for text in told]


def waiting(place) -> list[dict]:
    queue = place.aws("sqs").get_queue_url(QueueName="undelivered")["QueueUrl"]
    found = place.aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def test_the_answers_of_a_batch_are_captured_and_its_message_goes(capturing):
    place = capturing
    records = put(place, "a", "b")
    place.aws("dynamodb").put_item(TableName="answers", Item={"id": {"S": "remembered"}})
    records = put(place, "c", "d")
    tell_of(place, records[1], records[3])
    tell(place, {"another": "event"})
    done = place.values("redrive")
    queue = done.pop("queue")
    none = {"set_aside": 0, "failed": [], "lost": []}
    assert done == {"messages": 1, "captured": 2, "others": 1, **none}
    assert got(place) == [["b", "c"]]
    assert waiting(place) == [{"another": "event"}]
    code, out, _ = place.run("redrive")
    assert (code, out.splitlines()) == (
        0,
        ["captured 0 answers of 0 messages", f"1 messages are other events and stay in {queue}"],
    )


def test_what_fails_again_stays_with_the_reason_and_what_is_mended_is_then_captured(capturing):
    place = capturing
    put(place, "a")
    records = put(place, "b", poison={"BOOL": True})
    tell_of(place, records[0], records[1])
    code, out, _ = place.run("redrive")
    assert (code, out.splitlines()) == (
        1,
        ["captured 0 answers of 0 messages", "not captured: ValueError: no room (1 messages)"],
    )
    assert len(waiting(place)) == 1
    mended = CODE.replace('"poison" in item', "False")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", mended)
    place.aws("lambda").update_function_code(FunctionName="capturing", ZipFile=code.getvalue())
    assert place.values("redrive")["captured"] == 2
    assert waiting(place) == []


def test_what_the_stream_has_no_longer_is_named_as_lost(capturing):
    place = capturing
    (record,) = put(place, "a")
    gone = {**record, "dynamodb": {"SequenceNumber": FIRST}}
    tell_of(place, gone, gone)
    code, out, _ = place.run("redrive", "--json")
    found = json.loads(out)
    assert (code, found["captured"], found["lost"]) == (1, 0, [f"the stream no longer has the records from {FIRST} on"])
    assert len(waiting(place)) == 1


def test_a_record_that_was_set_aside_is_tried_again_from_the_lake(capturing):
    place = capturing
    for id, more in (("a", {}), ("b", {"odd": {"BOOL": True}})):
        image = {"id": {"S": id}, "features": {"S": "{}"}, **more}
        record = {"eventID": id, "eventName": "INSERT", "dynamodb": {"SequenceNumber": "7", "NewImage": image}}
        body = json.dumps({"reason": "made_at = None: must be text", "record": record})
        key = f"quarantine/captured/{id}.json"
        place.aws("s3").put_object(Bucket="lake", Key=key, Body=body)
        tell(place, {"function": "capture", "reason": "why", "record": f"s3://lake/{key}"})
    done = place.values("redrive")
    assert (done["messages"], done["captured"], done["set_aside"]) == (2, 1, 1)
    assert sorted(got(place)) == [["a"], ["b"]]
    assert waiting(place) == []
