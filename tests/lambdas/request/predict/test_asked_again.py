"""A request that is sent again under the same Idempotency-Key."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lambdas.request.predict import handler
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import POST, ROW, row


def test_a_repeated_request_gets_the_stored_answers_and_no_second_scoring(aws, model):
    aws.route()
    model.says([0.71, 0.3])
    first = call(handler, POST, [row("a"), row("b")], headers={"idempotency-key": "key-1"})
    stored = aws.items(stage.PREDICTIONS)
    model.says([0.1, 0.1])

    again = call(handler, POST, [row("a"), row("b")], headers={"idempotency-key": "key-1"})

    assert again == first
    assert len(model.calls) == 1
    assert sorted(aws.items(stage.PREDICTIONS), key=str) == sorted(stored, key=str)


def test_the_order_of_keys_and_spaces_does_not_make_another_request(aws):
    first = call(handler, POST, json.dumps(ROW), headers={"idempotency-key": "key-1"})
    again = call(handler, POST, json.dumps(dict(reversed(ROW.items())), indent=2), headers={"idempotency-key": "key-1"})
    assert again == first


def test_a_key_used_for_another_body_is_a_conflict(aws):
    call(handler, POST, row("a"), headers={"idempotency-key": "key-1"})
    status, reply = call(handler, POST, row("b"), headers={"idempotency-key": "key-1"})
    message = "Idempotency-Key 'key-1' was used for another body; use a new key for a new request"
    assert (status, reply) == (409, {"error": "conflict", "message": message})


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_1_to_255_characters(aws, key):
    status, reply = call(handler, POST, ROW, headers={"idempotency-key": key})
    message = f"the Idempotency-Key has {len(key)} characters; 1 to 255 are allowed"
    assert (status, reply) == (400, {"error": "bad_request", "message": message})


def test_of_requests_at_the_same_time_with_one_key_all_get_the_answers_of_the_first(aws, model):
    aws.route()
    together, scores = threading.Barrier(6, timeout=10), iter(range(1, 7))

    def answers(endpoint, instances):
        score = next(scores) / 10
        together.wait()  # every request is scored before any is remembered
        return 200, {"predictions": [score]}, ""

    model.answers = answers
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: call(handler, POST, ROW, headers={"idempotency-key": "key-1"}), range(6)))

    assert [status for status, _ in replies] == [200] * 6
    assert len({json.dumps(reply, sort_keys=True) for _, reply in replies}) == 1
    (stored,) = [item for item in aws.items(stage.PREDICTIONS) if "entity_id" in item]
    assert (stored["id"], stored["probability"]) == (replies[0][1]["id"], replies[0][1]["probability"])


def test_a_request_killed_before_its_answers_were_stored_is_finished_by_its_repetition(aws, model):
    aws.route()
    model.says([0.71])
    _, answer = call(handler, POST, ROW, headers={"idempotency-key": "key-1"})
    aws.dynamodb.delete_item(TableName=stage.PREDICTIONS, Key={"id": {"S": answer["id"]}})
    _, again = call(handler, POST, ROW, headers={"idempotency-key": "key-1"})
    assert again == answer
    assert aws.item(stage.PREDICTIONS, id=answer["id"])["probability"] == 0.71


def test_a_key_is_free_again_once_its_request_expired(aws):
    call(handler, POST, row("a"), headers={"idempotency-key": "key-1"})
    (request,) = [item for item in aws.items(stage.PREDICTIONS) if item["id"].startswith("request#")]
    aws.put(stage.PREDICTIONS, **{**request, "expires_at": 1})
    status, answer = call(handler, POST, row("b"), headers={"idempotency-key": "key-1"})
    assert (status, answer["entity_id"]) == (200, "b")
    assert {item["entity_id"] for item in aws.items(stage.PREDICTIONS) if "entity_id" in item} == {"a", "b"}
