"""What is too much is refused at once, with AWS's own answers, and is taken again as soon as there is room."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

from botocore.exceptions import ClientError

from local.ministack.overload import Bucket
from tests.local.conftest import allow, eventually
from tests.local.ministack.test_http_api import call, make_api

SHED = "ConcurrentInvocationLimitExceeded"
SLOW = """
import time
def handler(event, context):
    time.sleep(event["seconds"])
    return "done"
"""

UNTIL = """
import os, time
def handler(event, context):
    while not os.path.exists(event["file"]):
        time.sleep(0.05)
    return "done"
"""


def test_a_function_beyond_its_reserved_concurrency_is_throttled_and_then_runs_again(aws):
    function = aws.function(SLOW, Timeout=300)
    aws.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)
    assert aws.invoke(function, {"seconds": 0}) == ("done", None)
    seen = Event()
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(kept_busy, aws, function, seen)
        try:
            refused = eventually(lambda: throttled(aws, function))
        finally:
            seen.set()
        assert set(busy.result()) == {("done", None)}
    assert refused["Error"]["Code"] == "TooManyRequestsException"
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert refused["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert aws.invoke(function, {"seconds": 0}) == ("done", None)


def kept_busy(aws, function: str, until: Event) -> list:
    """What the function answered, a second each time; it may be the other caller's turn, too."""
    answers = []
    while not until.is_set():
        with suppress(ClientError):
            answers.append(aws.invoke(function, {"seconds": 1}))
    return answers


def throttled(aws, function: str) -> dict | None:
    try:
        aws.invoke(function, {"seconds": 0})
    except ClientError as error:
        return error.response
    return None


def test_a_flow_catches_the_throttling_of_a_function_by_its_name(aws):
    function = aws.function(SLOW, Timeout=300)
    aws.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    caught = {"ErrorEquals": ["Lambda.TooManyRequestsException"], "Output": "throttled", "Next": "Caught"}
    states = {
        "Call": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": function, "Payload": {"seconds": 0}},
            "Catch": [caught],
            "End": True,
        },
        "Caught": {"Type": "Succeed"},
    }
    assert aws.run(aws.machine(states, allow("lambda:InvokeFunction")))["output"] == "throttled"


def test_an_api_whose_function_is_throttled_is_unavailable(cloud):
    _, function, url = make_api(cloud)
    functions = cloud.client("lambda")
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    assert call(f"{url}/predictions", key=cloud.root) == (503, {"message": "Service Unavailable"})
    functions.delete_function_concurrency(FunctionName=function)
    assert call(f"{url}/predictions", key=cloud.root)[0] == 201


def test_an_api_beyond_its_burst_answers_429_and_recovers_at_its_rate(cloud):
    api_id, _, url = make_api(cloud)
    settings = {"ThrottlingRateLimit": 0.5, "ThrottlingBurstLimit": 3}
    cloud.client("apigatewayv2").update_stage(ApiId=api_id, StageName="$default", DefaultRouteSettings=settings)
    answers = [call(f"{url}/predictions", key=cloud.root) for _ in range(8)]
    assert [status for status, _ in answers[:3]] == [201] * 3
    assert (429, {"message": "Too Many Requests"}) in answers[3:]
    assert {status for status, _ in answers} == {201, 429}
    assert eventually(lambda: call(f"{url}/predictions", key=cloud.root)[0] == 201, timeout_s=10)


def test_under_a_load_beyond_the_account_every_request_is_answered_or_shed_and_then_all_are_answered(aws, tmp_path):
    """100 clients at once, each of whose requests works until the first is refused, where 32 may be under way."""
    function, room = aws.function(UNTIL, Timeout=300), tmp_path / "room"
    event = {"file": str(room)}
    with ThreadPoolExecutor(100) as pool:
        asked = [pool.submit(throttled_or_done, aws, function, event) for _ in range(100)]
        try:
            assert eventually(lambda: SHED in {one.result() for one in asked if one.done()})
        finally:
            room.touch()
        assert {one.result() for one in asked} == {"done", SHED}
    assert [throttled_or_done(aws, function, event) for _ in range(5)] == ["done"] * 5


def throttled_or_done(aws, function: str, event: dict) -> str:
    try:
        found, kind = aws.invoke(function, event)
        return kind or found
    except ClientError as error:
        return error.response["Reason"]


def test_a_bucket_gives_its_burst_and_then_its_rate():
    now = time.monotonic()
    bucket = Bucket(2.0, 3, clock=lambda: now)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now += 0.5
    assert [bucket.take(), bucket.take()] == [True, False]
    now += 100
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
