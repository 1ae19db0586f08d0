"""What is known of people does not reach the logs: neither features nor keys, however a request ends."""

import logging

import pytest

from lambdas.request import capture, outcomes, predict
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import ROW
from tests.lambdas.request.test_capture import record

SECRET = "Miller-4711"
PERSON = {**ROW, "flight_id": SECRET, "temp": 47.1125, "dest": "IAH"}
TOLD = {"entity_id": SECRET, "event_time": "2013-04-01", "outcome": True}


@pytest.fixture
def logged(capsys, caplog):
    """What a request wrote: standard output and error, and every record with its traceback."""
    caplog.set_level(logging.DEBUG)

    def text() -> str:
        written = capsys.readouterr()
        return written.out + written.err + caplog.text

    return text


def ended(aws, model, how: str) -> list[int]:
    """Statuses of requests about the person, which end in this way."""
    if how == "answered":
        model.says([0.7])
    elif how == "model fails":
        model.fails(424, "ModelError", OriginalStatusCode=500, Message=f"bad row {SECRET}")
    elif how == "malformed":
        model.replies(f'{{"predictions": ["{SECRET}"]}}'.encode())
    elif how == "not stored":
        aws.dynamodb.delete_table(TableName=stage.PREDICTIONS)
    body = {**PERSON, "hour": 99, "carrier": SECRET} if how == "refused" else PERSON
    asked = call(predict.handler, "POST /predictions", body, headers={"Idempotency-Key": SECRET})
    read = call(predict.handler, "GET /predictions", query={"entity_id": SECRET})
    told = call(outcomes.handler, "POST /outcomes", {**TOLD, "outcome": SECRET} if how == "refused" else TOLD)
    return [asked[0], read[0], told[0]]


@pytest.mark.parametrize(
    ("how", "statuses"),
    [
        ("answered", [200, 200, 200]),
        ("model fails", [200, 200, 200]),
        ("malformed", [200, 200, 200]),
        ("refused", [400, 200, 400]),
        ("not stored", [500, 500, 500]),
    ],
)
def test_no_feature_and_no_key_reaches_a_log(aws, model, logged, how, statuses):
    aws.route()
    assert ended(aws, model, how) == statuses
    text = logged()
    assert [secret for secret in (SECRET, "47.1125") if secret in text] == []
    assert text


@pytest.mark.parametrize(
    ("damage", "counted"),
    [
        ({}, {"captured": 1, "set_aside": 0}),
        ({"features": f'["{SECRET}"]'}, {"captured": 0, "set_aside": 1}),
        ({"made_at": SECRET}, {"captured": 0, "set_aside": 1}),
    ],
)
def test_nor_does_what_the_capture_reads_or_sets_aside(aws, logged, caplog, damage, counted):
    caplog.set_level(logging.INFO, logger="botocore")  # which has the messages themselves below that
    aws.sqs.create_queue(QueueName=stage.UNDELIVERED)
    features = f'{{"carrier": "{SECRET}"}}'
    stored = {"entity_id": SECRET, "features": features, "caller": SECRET, **damage}
    assert capture.handler({"Records": [record(1, **stored)]}, None) == counted
    text = logged()
    assert SECRET not in text and '"captured"' in text
