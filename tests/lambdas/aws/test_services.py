"""Calls without botocore, against a real HTTP server: what is sent again, what is not, and which connections are
kept.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lambdas.aws.connections import Connections, TimedOut, Unreachable
from lambdas.aws.services import DynamoDB, Rest, ServiceError
from lambdas.aws.sigv4 import Credentials
from tests.lambdas.scripted_server import Reply, ScriptedServer

THROTTLED = Reply(
    400, {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "message": "slower"}
)
REFUSED = Reply(400, {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "no"})
BROKEN = Reply(500, {"__type": "com.amazon.coral.service#InternalServerError"})


@pytest.fixture
def server():
    made = ScriptedServer()
    yield made
    made.close()


@pytest.fixture
def slept() -> list:
    return []


def service(kind, server, slept, *, tries=4, read_s=5.0, **more):
    connections = Connections(server.url, connect_s=1, read_s=read_s)
    known = Credentials("key", "secret", "token")
    return kind("dynamodb", connections, known, region="us-east-1", tries=tries, sleep=slept.append, **more)


@pytest.fixture
def dynamodb(server, slept):
    return service(DynamoDB, server, slept)


def test_a_call_is_dynamodb_s_json_signed_with_the_role_s_token(server, dynamodb):
    server.replies = [Reply(document={"Item": {"id": {"S": "a"}}})]
    assert dynamodb.call("GetItem", TableName="t", Key={"id": {"S": "a"}}) == {"Item": {"id": {"S": "a"}}}
    ((_, path, headers, body),) = server.asked
    assert (path, body) == ("/", b'{"TableName": "t", "Key": {"id": {"S": "a"}}}')
    sent = {name.lower(): value for name, value in headers.items()}
    assert {name: sent[name] for name in ("x-amz-target", "content-type", "x-amz-security-token")} == {
        "x-amz-target": "DynamoDB_20120810.GetItem",
        "content-type": "application/x-amz-json-1.0",
        "x-amz-security-token": "token",
    }
    assert sent["authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/")


def test_binary_attributes_are_bytes_on_both_sides(server, dynamodb):
    server.replies = [Reply(document={"Item": {"B": {"B": "AP8="}, "text": {"M": {"B": {"S": "AP8="}}}}})]
    found = dynamodb.call("PutItem", Item={"B": {"B": b"\x00\xff"}})
    assert found == {"Item": {"B": {"B": b"\x00\xff"}, "text": {"M": {"B": {"S": "AP8="}}}}}
    assert server.asked[0][3] == b'{"Item": {"B": {"B": "AP8="}}}'


@pytest.mark.parametrize("passing", [THROTTLED, BROKEN, Reply(503, b"<html>busy</html>"), Reply(never=True)])
def test_what_passes_is_tried_again_ever_later(server, dynamodb, slept, passing):
    server.replies = [passing, passing, Reply(document={"done": True})]
    assert dynamodb.call("GetItem") == {"done": True}
    assert [0 <= pause <= most for pause, most in zip(slept, (0.1, 0.2), strict=True)] == [True, True]


@pytest.mark.parametrize(
    ("reply", "code", "status"),
    [
        (THROTTLED, "ProvisionedThroughputExceededException", 400),
        (BROKEN, "InternalServerError", 500),
        (Reply(502, b""), "Http502", 502),
    ],
)
def test_what_does_not_pass_in_time_is_raised_by_its_name(server, dynamodb, slept, reply, code, status):
    server.replies = [reply] * 4
    with pytest.raises(ServiceError) as raised:
        dynamodb.call("GetItem")
    assert (raised.value.code, raised.value.status, len(server.asked), len(slept)) == (code, status, 4, 3)


def test_what_waiting_cannot_help_is_not_tried_again(server, dynamodb):
    server.replies = [REFUSED]
    with pytest.raises(ServiceError, match=r"dynamodb PutItem: ConditionalCheckFailedException \(400\) no"):
        dynamodb.call("PutItem")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "damaged", [Reply(document=b'{"Item": '), Reply(document=b"[]"), Reply(headers={"x-amz-crc32": 1})]
)
def test_a_reply_that_is_damaged_counts_as_none(server, dynamodb, damaged):
    server.replies = [damaged, Reply(document={"done": True})]
    assert dynamodb.call("GetItem") == {"done": True}
    server.replies = [damaged] * 4
    with pytest.raises(Unreachable, match="the reply to GetItem"):
        dynamodb.call("GetItem")


def test_calls_share_one_connection_and_threads_have_their_own(server, dynamodb):
    server.replies = [Reply()] * 5
    for _ in range(5):
        dynamodb.call("GetItem")
    assert server.connections == 1
    server.replies = [Reply(after_s=0.2)] * 3 + [Reply()] * 3
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: dynamodb.call("GetItem"), range(3)))
    for _ in range(3):
        dynamodb.call("GetItem")
    assert server.connections == 3


def test_a_connection_that_was_closed_meanwhile_is_replaced_unnoticed(server, slept):
    once = service(Rest, server, slept, tries=1)
    server.replies = [
        Reply(document=b"1", hangs_up=True),
        Reply(document=b"2"),
        Reply(never=True),
        Reply(document=b"4"),
    ]
    assert once.post("InvokeEndpoint", "/a", b"") == b"1"
    time.sleep(0.1)
    assert once.post("InvokeEndpoint", "/a", b"") == b"2"
    assert once.post("InvokeEndpoint", "/a", b"") == b"4"  # hung up on while asking: another connection is tried once
    assert (server.connections, slept) == (3, [])


def test_nobody_waits_longer_than_said(server, slept):
    hasty = service(Rest, server, slept, tries=1, read_s=0.2)
    server.replies = [Reply(after_s=1.0)]
    started = time.monotonic()
    with pytest.raises(TimedOut):
        hasty.post("InvokeEndpoint", "/a", b"")
    assert time.monotonic() - started < 0.8


def test_a_service_that_hangs_is_not_tried_again_and_again(server, slept):
    patient = service(DynamoDB, server, slept, tries=10, read_s=0.2, longest_s=0.5)
    server.replies = [Reply(after_s=1.0)] * 10
    started = time.monotonic()
    with pytest.raises(TimedOut):
        patient.call("GetItem")
    assert time.monotonic() - started < 1.0
    assert len(slept) < 4


def test_who_is_not_there_is_unreachable(server, slept):
    server.close()
    with pytest.raises(Unreachable, match="ConnectionRefusedError"):
        service(Rest, server, slept, tries=2).post("InvokeEndpoint", "/a", b"")
    assert len(slept) == 1


def test_a_model_s_error_comes_with_what_it_said(server, slept):
    said = {"Message": "the model failed", "OriginalStatusCode": 500}
    server.replies = [Reply(424, said, {"x-amzn-errortype": "ModelError:http://internal.amazon.com/coral/"})]
    with pytest.raises(ServiceError) as raised:
        service(Rest, server, slept).post(
            "InvokeEndpoint", "/endpoints/e/invocations", b"{}", accept="application/json"
        )
    assert (raised.value.code, raised.value.more) == ("ModelError", said)
    assert server.asked[0][2]["accept"] == "application/json"
