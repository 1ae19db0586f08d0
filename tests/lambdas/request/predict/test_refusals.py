"""What is refused, and in which words."""

import json
from datetime import UTC, datetime

import pytest

from lambdas.request.http import BadRequest
from lambdas.request.predict import handler, predict
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import POST, ROW, row


def test_every_problem_of_every_row_is_named_and_nothing_is_asked_or_stored(aws, model):
    aws.route()
    rows = [
        ROW,
        row("b", carrier="ZZ", hour=-1, color="red"),
        {name: value for name, value in ROW.items() if name != "dest"},
        "not a row",
    ]
    status, reply = call(handler, POST, rows)
    assert status == 400
    carriers = "9E, AA, AS, B6, DL, EV, F9, FL, HA, MQ, OO, UA, ... (16 in all)"
    assert reply == {
        "error": "bad_request",
        "message": ("5 problems in 3 of 4 rows; the first: row 1: color = 'red': is not in the contract 'flights'"),
        "problems": [
            problem(1, "color", "red", "unknown_column", "is not in the contract 'flights'", "color = 'red': "),
            problem(1, "carrier", "ZZ", "category", f"must be one of {carriers}", "carrier = 'ZZ': "),
            problem(1, "hour", -1, "minimum", "must be at least 0", "hour = -1: "),
            problem(2, "dest", None, "null", "must have a value", "dest is missing; it "),
            problem(
                3, "(row)", "not a row", "type", "must be an object of column names to values", "(row) = 'not a row': "
            ),
        ],
    }
    assert (model.calls, aws.items(stage.PREDICTIONS)) == ([], [])


def problem(number, column, value, rule, allowed, found):
    message = f"row {number}: {found}{allowed}"
    return {"row": number, "column": column, "value": value, "rule": rule, "allowed": allowed, "message": message}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "nonsense",
        "null",
        "7",
        '"text"',
        "[]",
        "true",
        '{"hour": NaN}',
        '{"hour": Infinity}',
        "[" * 100_000,
        "1" * 5000,
    ],
)
def test_a_body_that_holds_no_rows_is_a_bad_request(aws, body):
    status, reply = call(handler, POST, body)
    assert (status, reply["error"]) == (400, "bad_request")
    assert len(reply["message"]) < 300


@pytest.mark.parametrize("value", ["\ud800", "x" * 900_000, 10**400, {"a": {}}, [[]], "text", True])
def test_a_value_of_any_kind_is_refused_in_a_few_words(aws, value):
    status, reply = call(handler, POST, row("a", distance=value))
    assert (status, len(reply["problems"])) == (400, 1)
    assert len(json.dumps(reply)) < 1500


def test_half_a_surrogate_pair_is_no_text(aws):
    status, reply = call(handler, POST, '{"flight_id": "\\ud800", "color": 1}')
    assert status == 400
    assert reply["problems"][1]["column"] == "flight_id"


def test_a_body_of_many_unknown_columns_gets_a_reply_that_fits(aws):
    status, reply = call(handler, POST, {f"c{n}": 1 for n in range(60_000)})
    assert (status, len(reply["problems"])) == (400, 1000)
    assert reply["message"].startswith("60009 problems in 1 of 1 rows; the first: ")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW] * 101, "101 rows: must be at most 100; score more as a batch"),
        ([row("x" * 900_000), row("y" * 200_000)], "the body has 1,100,4"),
    ],
)
def test_too_much_at_once_is_413(aws, rows, message):
    status, reply = call(handler, POST, rows)
    assert (status, reply["error"]) == (413, "too_large")
    assert reply["message"].startswith(message)


def test_a_body_may_come_in_base64(aws):
    status, answer = call(handler, POST, raw=json.dumps(ROW).encode())
    assert (status, answer["entity_id"]) == (200, ROW["flight_id"])


def test_a_body_that_is_not_utf_8_is_a_bad_request(aws):
    status, reply = call(handler, POST, raw=b'{"flight_id": "\xff"}')
    assert (status, reply["error"]) == (400, "bad_request")


@pytest.mark.parametrize("broken", [None, {}, {"distance": "far"}, 7])
def test_an_unscorable_row_is_refused_before_any_call(broken):
    with pytest.raises(BadRequest):
        predict([broken], key="k", now=datetime.now(UTC), route=pytest.fail, ask=pytest.fail, answered=None)
