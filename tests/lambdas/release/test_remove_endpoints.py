import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lambdas.aws.hosting import Hosted
from lambdas.release.remove_endpoints import PAUSE_S, Effects, handler, outcome_of
from tests.lambdas.release.test_retire import host, hosted

EVENT = {
    "RequestType": "Delete",
    "StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/flights-local-service/1",
    "RequestId": "request-1",
    "LogicalResourceId": "Endpoints",
    "PhysicalResourceId": "endpoints-flights-local-",
}
ANSWER = {name: EVENT[name] for name in ("StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId")}


class Context:
    """Lambda's own, of a function that has just begun."""

    def get_remaining_time_in_millis(self):
        return 300_000


@pytest.fixture
def cloudformation():
    """Where an answer is to be sent, and the answers that came."""
    answers = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            answers.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/answer?signature=x", answers
        server.shutdown()


def test_with_the_stack_go_its_endpoints_and_nobody_elses(aws, cloudformation):
    url, answers = cloudformation
    for name in ("flights-local-r-1", "flights-local-r-2", "flights-prod-r-1"):
        host(aws, name)
    handler({**EVENT, "ResponseURL": url}, Context())
    assert answers == [{**ANSWER, "Status": "SUCCESS", "Reason": "removed 6"}]
    assert hosted(aws) == {
        "endpoints": ["flights-prod-r-1"],
        "configs": ["flights-prod-r-1"],
        "models": ["flights-prod-r-1"],
    }


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_nothing_else_touches_them(aws, cloudformation, kind):
    url, answers = cloudformation
    host(aws, "flights-local-r-1")
    first = {name: value for name, value in EVENT.items() if name != "PhysicalResourceId"}
    handler({**first, "RequestType": kind, "ResponseURL": url}, Context())
    assert answers == [{**ANSWER, "Status": "SUCCESS", "Reason": "removed 0"}]
    assert hosted(aws)["endpoints"] == ["flights-local-r-1"]


def test_a_failure_is_an_answer_too():
    def things():
        raise RuntimeError("no network")

    answer = outcome_of(EVENT, Effects(things, remove=pytest.fail, sleep=pytest.fail, left_s=pytest.fail))
    assert answer == {**ANSWER, "Status": "FAILED", "Reason": "RuntimeError: no network"}


def endpoint(status: str) -> Hosted:
    return Hosted("endpoint", "flights-local-r-1", datetime(2013, 4, 1, tzinfo=UTC), status)


def test_an_endpoint_that_is_still_being_made_is_waited_for():
    states, removed, slept = iter(["Creating", "Creating", "InService"]), [], []
    answer = outcome_of(
        EVENT, Effects(lambda: [endpoint(next(states))], removed.append, slept.append, left_s=lambda: 300)
    )
    assert (answer["Status"], removed, slept) == ("SUCCESS", [endpoint("InService")], [PAUSE_S, PAUSE_S])


@pytest.mark.parametrize("a_look_s", [0, 7, 40])
def test_an_endpoint_that_is_never_done_fails_the_removal_while_there_is_time_to_say_so(a_look_s):
    left = [300.0]

    def things():
        left[0] -= a_look_s
        return [endpoint("Creating")]

    def sleep(seconds):
        left[0] -= seconds

    answer = outcome_of(EVENT, Effects(things, pytest.fail, sleep, left_s=lambda: left[0]))
    reason = "EndpointsBusy: flights-local-r-1: still being made or changed; delete the stack again in a few minutes"
    assert (answer["Status"], answer["Reason"]) == ("FAILED", reason)
    assert 20 <= left[0] < 120
