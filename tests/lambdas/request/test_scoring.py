import threading
import time

import pytest

from lambdas.aws.connections import Unreachable
from lambdas.request import scoring
from lambdas.request.scoring import Call, ModelFailed, ask_all, failure_of, scores_of
from tests.lambdas import stage

ROWS = [{"hour": 5}]


def reasons(replies) -> list:
    return [str(score) for reply in replies for score in reply.scores]


def test_a_model_that_answers_byte_by_byte_is_late_too(model):
    model.drips(0.05, 60)
    started = time.monotonic()
    replies = ask_all([Call("e", ROWS, stage.CONTRACT, "r-1")], checked_under="", deadline_ms=300)
    assert reasons(replies) == ["deadline of 300 ms passed"]
    assert time.monotonic() - started < 1.0


def test_endpoints_are_asked_at_once_and_the_late_one_delays_no_other(model):
    def answers(endpoint, instances):
        time.sleep(2.0 if endpoint == "late" else 0.25)
        return 200, {"predictions": [0.5]}, ""

    model.answers = answers
    started = time.monotonic()
    replies = ask_all(
        [Call(name, ROWS, stage.CONTRACT, "r-1") for name in ("a", "late", "b")], checked_under="", deadline_ms=700
    )
    assert [reply.scores for reply in (replies[0], replies[2])] == [[0.5], [0.5]]
    assert reasons(replies[1:2]) == ["deadline of 700 ms passed"]
    assert time.monotonic() - started < 1.2


def test_a_call_that_was_not_begun_in_time_is_never_made(model):
    model.says([0.5])
    go = threading.Event()
    for _ in range(8):
        scoring.WAITING.submit(go.wait, 10)
    replies = ask_all([Call("e", ROWS, stage.CONTRACT, "r-1")], checked_under="", deadline_ms=50)
    go.set()
    for done in [scoring.WAITING.submit(time.sleep, 0.05) for _ in range(8)]:
        done.result(10)
    assert (reasons(replies), model.calls) == (["deadline of 50 ms passed"], [])


def test_an_endpoint_that_cannot_be_reached_is_a_reason():
    assert str(failure_of(Unreachable("runtime: ConnectionRefusedError"))) == "endpoint not reachable (Unreachable)"


@pytest.mark.parametrize(
    ("score", "fine"), [(1.0000000001, True), (-1e-10, True), (1.001, False), (1, True), (0, True)]
)
def test_a_probability_may_be_off_by_rounding_only(score, fine):
    reply = scores_of(b'{"predictions": [%s]}' % str(score).encode(), 1, contract=stage.CONTRACT)
    assert [isinstance(given, ModelFailed) for given in reply.scores] == [not fine]
