"""Errors made of replies: the reason, every problem, the request's id, and a clock that is wrong."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from fairway.client.errors import Failed, Refused
from fairway.client.replies import refusal

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)


def reply(status: int, content: bytes, **headers: str) -> SimpleNamespace:
    return SimpleNamespace(status_code=status, content=content, headers=headers)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Refused), (404, Refused), (413, Refused), (403, Failed), (429, Failed), (500, Failed)]
)
def test_what_was_asked_wrongly_is_refused_and_the_rest_failed(status, kind):
    assert type(refusal(reply(status, b"{}"), "GET /predictions/1")) is kind


def test_an_error_has_its_status_its_problems_and_the_request_id():
    content = b'{"error": "bad_request", "message": "1 problem", "problems": [{"row": 0, "message": "hour = 25"}]}'
    error = refusal(reply(400, content, **{"Apigw-Requestid": "abc="}), "POST /predictions")
    assert (error.error, error.status, error.request_id) == ("bad_request", 400, "abc=")
    assert error.problems == [{"row": 0, "message": "hour = 25"}]
    assert error.message == "POST /predictions: answered 400: 1 problem\n  hour = 25"


def test_the_text_of_an_error_names_ten_problems_and_counts_the_others():
    problems = ", ".join(f'{{"row": {row}, "message": "row {row} is wrong"}}' for row in range(12))
    error = refusal(
        reply(400, b'{"message": "12 problems", "problems": [%s]}' % problems.encode()), "POST /predictions"
    )
    assert len(error.problems) == 12
    assert error.message.splitlines()[10:] == ["  row 9 is wrong", "  and 2 more, all in `problems`"]


def test_a_fault_of_the_service_names_the_request_for_its_operator():
    error = refusal(reply(503, b"<html>", **{"apigw-requestid": "abc="}), "POST /outcomes")
    assert str(error) == "POST /outcomes: answered 503: <html> (request abc=)"


@pytest.mark.parametrize(
    ("date", "code"),
    [
        ("Sat, 28 Nov 2026 11:40:00 GMT", "clock"),
        ("Sat, 28 Nov 2026 12:20:00 GMT", "clock"),
        ("Sat, 28 Nov 2026 11:56:00 GMT", "http_403"),
        ("yesterday", "http_403"),
    ],
)
def test_a_skewed_clock_is_reported_and_not_a_bare_forbidden(date, code):
    error = refusal(reply(403, b'{"message":"Forbidden"}', Date=date), "POST /predictions", now=NOW)
    assert (type(error), error.error) == (Failed, code)
    if code == "clock":
        assert str(error) == (
            "POST /predictions: refused, since the clock here shows 2026-11-28 12:00:00 UTC and the API's "
            f"2026-11-28 {date[17:25]} UTC; set the clock of this computer"
        )
