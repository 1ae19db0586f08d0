"""A stream of predictions, in whatever pieces and however often it comes, becomes the lake's hours."""

import io
import json

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.records import to_item
from lambdas.request import capture
from tests.lambdas import stage

FEATURES = '{"carrier": "UA", "distance": 2475}'
PREDICTION = {
    "id": "p-1",
    "entity_id": "flight 1",
    "event_time": "2013-04-01T09:15:00Z",
    "made_at": "2013-04-01T08:00:00Z",
    "prediction": True,
    "probability": 0.1 + 0.2,
    "release": "r-1",
    "role": "champion",
    "arm": "champion",
    "source": "model",
    "reason": "champion",
    "features": FEATURES,
    "contract_hash": "ab",
    "latency_ms": 12.5,
    "caller": "arn:aws:iam::123456789012:role/app",
    "expires_at": 4_000_000_000,
}
ROW = {
    "id": "p-1",
    "entity_id": "flight 1",
    "event_time": "2013-04-01T09:15:00Z",
    "made_at": "2013-04-01T08:00:00Z",
    "release": "r-1",
    "role": "champion",
    "arm": "champion",
    "source": "model",
    "reason": "champion",
    "prediction": "true",
    "features": FEATURES,
    "contract_hash": "ab",
    "probability": 0.1 + 0.2,
    "latency_ms": 12.5,
}


def record(number: int, **values) -> dict:
    """The record of a prediction as Lambda hands it over."""
    image = to_item({**PREDICTION, "id": f"p-{number}", **values})
    return {
        "eventID": f"{number:032x}"[::-1],
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {"id": image["id"]},
            "NewImage": image,
            "SequenceNumber": f"{10**20 + number}",
            "StreamViewType": "NEW_IMAGE",
        },
    }


def rows(content: bytes) -> list[dict]:
    found = pq.read_table(io.BytesIO(content)).to_pylist()
    return [{name: value for name, value in row.items() if value is not None} for row in found]


def captured(aws) -> dict[str, list[dict]]:
    """{key: rows} of everything captured."""
    listed = aws.s3.list_objects_v2(Bucket=stage.LAKE, Prefix="captured/").get("Contents", [])
    keys = [each["Key"] for each in listed]
    return {key: rows(aws.s3.get_object(Bucket=stage.LAKE, Key=key)["Body"].read()) for key in keys}


@pytest.fixture
def undelivered(aws):
    """The messages in the queue of the undelivered."""
    url = aws.sqs.create_queue(QueueName=stage.UNDELIVERED)["QueueUrl"]

    def messages() -> list[dict]:
        found = aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]

    return messages


def test_an_answer_is_captured_as_it_was_given(aws):
    assert capture.handler({"Records": [record(1)]}, None) == {"captured": 1, "set_aside": 0}
    assert captured(aws) == {"captured/hour=2013-04-01T08/100000000000000000001-10000000.parquet": [ROW]}


def test_a_fallback_a_rollout_and_the_probabilities_of_classes_are_captured(aws):
    many = {"probabilities": {"setosa": 0.25, "virginica": 0.75}, "prediction": "virginica", "probability": 0.75}
    rollout = {"rollout": "r-2/20130401", "arm": "canary", "share": 0.05, "role": "canary"}
    alone = {"source": "fallback", "reason": "no release yet", "release": None, "role": None, "arm": None}
    capture.handler({"Records": [record(1, **many, **rollout), record(2, **alone)]}, None)
    ((first, second),) = captured(aws).values()
    classes = {"probabilities": '{"setosa": 0.25, "virginica": 0.75}', "prediction": '"virginica"', "probability": 0.75}
    assert first == {**ROW, **rollout, **classes}
    left = {name: value for name, value in ROW.items() if name not in ("release", "role", "arm")}
    assert second == {**left, "id": "p-2", "source": "fallback", "reason": "no release yet"}


def test_late_and_disordered_answers_are_in_the_files_of_their_own_hours(aws):
    hours = {1: "09:59:59.5Z", 2: "10:00:00Z", 3: "08:00:00Z", 4: "09:00:00Z"}
    capture.handler({"Records": [record(n, made_at=f"2013-04-01T{at}") for n, at in hours.items()]}, None)
    assert {key: [row["id"] for row in found] for key, found in captured(aws).items()} == {
        "captured/hour=2013-04-01T08/100000000000000000003-30000000.parquet": ["p-3"],
        "captured/hour=2013-04-01T09/100000000000000000001-10000000.parquet": ["p-1", "p-4"],
        "captured/hour=2013-04-01T10/100000000000000000002-20000000.parquet": ["p-2"],
    }


BROKEN = {
    "no features": ({"features": "[]"}, "features = '[]': must be a JSON object"),
    "features that are no JSON": ({"features": "{"}, "features = '{': must be a JSON object"),
    "no moment": ({"made_at": "noon"}, "made_at = 'noon': must be ISO 8601 text such as 2013-04-01T08:00:00Z"),
    "no number": ({"probability": "high"}, "probability = 'high': must be a number"),
    "no entity": ({"entity_id": None, "source": 5}, "entity_id = None: must be text; source = 5: must be text"),
}


@pytest.mark.parametrize(("values", "reason"), BROKEN.values(), ids=list(BROKEN))
def test_a_record_that_is_no_answer_is_set_aside_with_its_reason_and_stops_nothing(aws, undelivered, values, reason):
    broken = record(2, **values)
    assert capture.handler({"Records": [record(1), broken, record(3)]}, None) == {"captured": 2, "set_aside": 1}
    ((first, third),) = captured(aws).values()
    assert (first["id"], third["id"]) == ("p-1", "p-3")
    key = "quarantine/captured/100000000000000000002-20000000.json"
    assert aws.document(key) == {"reason": reason, "record": broken}
    assert undelivered() == [{"function": "capture", "reason": reason, "record": f"s3://{stage.LAKE}/{key}"}]


@pytest.mark.parametrize("image", [{}, {"NewImage": {"id": {"S": "a", "N": "1"}}}, {"NewImage": "text"}])
def test_a_record_that_no_table_would_send_is_set_aside_too(aws, undelivered, image):
    odd = record(1)
    odd["dynamodb"] = {"SequenceNumber": "7", **image}
    assert capture.handler({"Records": [odd, record(2)]}, None) == {"captured": 1, "set_aside": 1}
    assert [message["record"].rpartition("/")[2] for message in undelivered()] == ["7-10000000.json"]


# ---- each once, whatever Lambda does

HOURS = ("2013-04-01T08:30:00Z", "2013-04-01T09:30:00Z", "2013-04-01T10:30:00Z")


@st.composite
def deliveries(draw) -> tuple[list[dict], list[tuple[int, int]]]:
    """Records of several hours, and the spans of them that Lambda delivers: a span that fails, perhaps after its files
    were written, comes again whole or in halves.
    """
    count = draw(st.integers(1, 24))
    records = [record(number, made_at=draw(st.sampled_from(HOURS))) for number in range(count)]
    spans: list[tuple[int, int]] = []

    def deliver(start: int, end: int) -> None:
        spans.extend([(start, end)] * draw(st.integers(1, 3)))
        if end - start > 1 and draw(st.booleans()):
            middle = start + (end - start) // 2
            deliver(start, middle)
            deliver(middle, end)

    start = 0
    while start < count:
        end = draw(st.integers(start + 1, count))
        deliver(start, end)
        start = end
    return records, spans


@settings(max_examples=200)
@given(deliveries())
def test_each_answer_is_there_once_however_often_its_batch_comes_whole_or_in_halves(delivered):
    records, spans = delivered
    files: dict[str, bytes] = {}
    for start, end in spans:
        found, unreadable = capture.read_records(records[start:end])
        capture.write_hours(found, {}, write=files.__setitem__)
        assert unreadable == []
    ids = [row["id"] for content in files.values() for row in rows(content)]
    assert sorted(ids) == sorted(f"p-{number}" for number in range(len(records)))
