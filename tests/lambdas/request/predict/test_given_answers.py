"""GET: answers that were given, by their id and by entity."""

import base64
import functools
import json
import operator
import time

import pytest

from lambdas.request.predict import handler
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import MANY, ONE, POST, ROW, row


def test_an_answer_is_found_by_its_id(aws, model):
    aws.route()
    model.says([0.71])
    _, answer = call(handler, POST, ROW)
    assert call(handler, ONE, path={"id": answer["id"]}) == (200, answer)


@pytest.mark.parametrize("unknown", ["nobody", "ü", "x" * 5000])
def test_an_unknown_id_is_not_found(aws, unknown):
    status, reply = call(handler, ONE, path={"id": unknown})
    assert (status, reply["error"]) == (404, "not_found")


def test_a_remembered_request_is_not_a_prediction(aws):
    call(handler, POST, ROW, headers={"idempotency-key": "key-1"})
    (request,) = [item["id"] for item in aws.items(stage.PREDICTIONS) if "entity_id" not in item]
    assert call(handler, ONE, path={"id": request})[0] == 404


def test_the_answers_of_an_entity_come_newest_first_page_by_page(aws):
    given = [call(handler, POST, row("a", hour=hour))[1] for hour in range(5)]
    call(handler, POST, row("b"))

    pages, query = [], {"entity_id": "a", "limit": "2"}
    while True:
        _, page = call(handler, MANY, query=query)
        pages.append(page["predictions"])
        if page["next"] is None:
            break
        query["next"] = page["next"]

    assert [len(page) for page in pages if page] == [2, 2, 1]
    assert functools.reduce(operator.iadd, pages, []) == given[::-1]


def test_an_answer_that_has_expired_is_gone_though_it_is_still_in_the_table(aws):
    _, old = call(handler, POST, row("a", hour=1))
    _, new = call(handler, POST, row("a", hour=2))
    (item,) = [each for each in aws.items(stage.PREDICTIONS) if each["id"] == old["id"]]
    aws.put(stage.PREDICTIONS, **{**item, "expires_at": int(time.time()) - 3 * 86_400})
    assert call(handler, ONE, path={"id": old["id"]})[0] == 404
    assert call(handler, MANY, query={"entity_id": "a"}) == (200, {"predictions": [new], "next": None})


def test_an_entity_that_nobody_asked_about_has_no_answers(aws):
    assert call(handler, MANY, query={"entity_id": "nobody"}) == (200, {"predictions": [], "next": None})


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"entity_id": ""},
        *({"entity_id": "a", "limit": limit} for limit in ("0", "101", "-1", "x", "", "9" * 5000, "²")),
    ],
)
def test_a_question_without_an_entity_or_with_a_wrong_limit_is_a_bad_request(aws, query):
    status, reply = call(handler, MANY, query=query)
    assert (status, reply["error"]) == (400, "bad_request")


def token(*values) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


MADE_UP = [
    token(1, 2),
    token("", ""),
    token("a" * 32, "yesterday"),
    token("a" * 32, "2013-04-01" * 500),
    token("x" * 3000, "2013-04-01"),
    token("request#1", "2013-04-01T00:00:00Z"),
    token("\ud800", "\ud800"),
    token("a" * 32, None),
    token("a" * 32),
]


@pytest.mark.parametrize("token", ["", "x", "bnVsbA==", "W10=", "ü", *MADE_UP])
def test_a_page_that_was_never_given_out_is_a_bad_request(aws, token):
    status, reply = call(handler, MANY, query={"entity_id": "a", "next": token})
    assert (status, reply["error"]) == (400, "bad_request")
