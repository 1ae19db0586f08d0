"""Outside office hours."""

import json
from dataclasses import replace

import pytest

from domain.config.sections import Serving
from lambdas.aws import clients
from lambdas.request import sleeping
from lambdas.request.predict import handler
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import POST, ROW, row


@pytest.fixture
def asleep(aws, model, monkeypatch):
    """The champion's endpoint is not there, by these settings; the functions that were called are returned."""
    aws.route()
    model.fails(400, "ValidationError")
    called = []

    class Functions:
        """Lambda, as far as it is asked: moto runs functions in Docker."""

        def post(self, call, path, body, **headers):
            called.append((path, headers["x-amz-invocation-type"]))

    def use(**serving):
        monkeypatch.setattr(sleeping, "CONFIG", replace(stage.CONFIG, serving=Serving(**serving)))
        monkeypatch.setattr(clients, "functions", Functions)
        return called

    return use


NEVER_NOW = {"office_hours": "mon 00:00-00:01", "wake_minutes": 0}  # these tests do not run in that minute of the week


def test_outside_office_hours_the_fallback_answers_says_so_and_alarms_nobody(aws, asleep, capsys):
    called = asleep(**NEVER_NOW)
    status, answer = call(handler, POST, ROW)
    assert (status, answer["source"], answer["reason"], answer["release"]) == (
        200,
        "fallback",
        "outside office hours",
        "r-1",
    )
    measured = json.loads(capsys.readouterr().out)
    assert (measured["Fallbacks"], measured["Asleep"], called) == (0, 1, [])


def test_the_first_who_asks_wakes_the_endpoint_and_nobody_else(aws, asleep):
    called = asleep(**NEVER_NOW, outside="wake")
    answers = [call(handler, POST, row(name))[1] for name in ("a", "b")]
    assert [answer["reason"] for answer in answers] == ["asleep, waking"] * 2
    assert called == [("/2015-03-31/functions/flights-local-hours/invocations", "Event")]
    assert aws.item(stage.ROUTING, item="hours")["woken_at"] >= answers[0]["made_at"]
    aws.put(stage.ROUTING, item="hours", woken_at="2013-04-01T00:00:00Z")  # another night
    call(handler, POST, row("c"))
    assert len(called) == 2


def test_whoever_cannot_wake_it_still_gets_an_answer(aws, asleep, monkeypatch):
    asleep(**NEVER_NOW, outside="wake")
    monkeypatch.setattr(sleeping, "ROUTING", "a-table-that-is-not-there")
    assert call(handler, POST, ROW)[1]["reason"] == "asleep, waking"


def test_within_the_hours_a_missing_endpoint_is_a_fault(aws, asleep, capsys):
    asleep(office_hours="mon-sun 00:00-24:00")
    assert call(handler, POST, ROW)[1]["reason"] == "endpoint missing"
    assert json.loads(capsys.readouterr().out)["Fallbacks"] == 1
