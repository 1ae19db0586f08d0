"""Whatever keeps a model from answering: the fallback answers, and says why."""

import dataclasses
import json
from datetime import UTC, datetime

import pytest

from domain.names import Metric
from lambdas.request import asking
from lambdas.request import predict as function
from lambdas.request.predict import handler
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import NO_MODEL, POST, ROW, row, said

NO_RELEASE = {"release": None, "role": None, "source": "fallback", "reason": "no release yet"}


def test_before_the_first_release_the_contracts_prior_answers_and_no_model_is_asked(aws, model):
    status, answer = call(handler, POST, ROW)

    assert status == 200
    prior = {"entity_id": ROW["flight_id"], "prediction": False, "probability": 0.24, "confidence": NO_MODEL}
    assert said(answer) == {**prior, **NO_RELEASE, "event_time": ROW["departure"]}
    assert model.calls == []


def test_while_no_release_may_answer_the_fallback_says_why(aws, model):
    aws.routing(version=4, reason="100 % of the budget is spent")
    _, answer = call(handler, POST, ROW)
    assert (answer["source"], answer["reason"]) == ("fallback", "no release answers: 100 % of the budget is spent")


@pytest.mark.parametrize(
    ("status", "error", "more", "reason"),
    [
        (424, "ModelError", {"OriginalStatusCode": 500}, "model error 500"),
        (424, "ModelError", {"OriginalStatusCode": 413}, "model error 413"),
        (429, "ModelNotReadyException", {}, "model not ready"),
        (400, "ThrottlingException", {}, "throttled"),
        (503, "ServiceUnavailable", {}, "throttled"),
        (400, "ValidationError", {}, "endpoint missing"),
        (500, "InternalFailure", {}, "endpoint error InternalFailure"),
        (403, "AccessDeniedException", {}, "endpoint error AccessDeniedException"),
    ],
)
def test_a_failing_model_is_a_fallback_answer_that_says_why_and_is_not_asked_again(
    aws, model, status, error, more, reason
):
    aws.route()
    model.fails(status, error, **more)

    code, answer = call(handler, POST, ROW)

    assert code == 200
    assert (answer["probability"], answer["release"], answer["source"], answer["reason"]) == (
        0.24,
        "r-1",
        "fallback",
        reason,
    )
    assert len(model.calls) == 1
    assert aws.item(stage.PREDICTIONS, id=answer["id"])["reason"] == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed answer"),
        (b"<html>", "malformed answer"),
        (b"[0.5]", "malformed answer"),
        (b"{}", "malformed answer"),
        (b'{"predictions": 0.5}', "malformed answer"),
        (b'{"predictions": []}', "malformed answer"),
        (b'{"predictions": [0.5, 0.5]}', "malformed answer"),
        (b"[" * 100_000, "malformed answer"),
        (b'{"predictions": [NaN]}', "model gave no usable number"),
        (b'{"predictions": [Infinity]}', "model gave no usable number"),
        (b'{"predictions": [-0.1]}', "model gave no usable number"),
        (b'{"predictions": [1.5]}', "model gave no usable number"),
        (b'{"predictions": ["0.5"]}', "model gave no usable number"),
        (b'{"predictions": [true]}', "model gave no usable number"),
        (b'{"predictions": [null]}', "model gave no usable number"),
        (b'{"predictions": [[0.5]]}', "model gave no usable number"),
        (b'{"predictions": [{"error": "no such category"}]}', "model could not score the row"),
    ],
)
def test_an_answer_that_makes_no_sense_is_not_passed_on(aws, model, body, reason):
    aws.route()
    model.replies(body)
    status, answer = call(handler, POST, ROW)
    assert (status, answer["probability"], answer["source"], answer["reason"]) == (200, 0.24, "fallback", reason)


def test_a_row_that_the_model_cannot_score_spoils_no_other(aws, model):
    aws.route()
    model.says([0.6, {"error": "no such category"}, 0.2])
    _, reply = call(handler, POST, [row("a"), row("b"), row("c")])
    assert [(one["entity_id"], one["probability"], one["source"]) for one in reply["predictions"]] == [
        ("a", 0.6, "model"),
        ("b", 0.24, "fallback"),
        ("c", 0.2, "model"),
    ]


def test_a_late_model_is_not_waited_for(aws, model, monkeypatch):
    serving = dataclasses.replace(stage.CONFIG.serving, deadline_ms=300)
    monkeypatch.setattr(asking, "CONFIG", dataclasses.replace(stage.CONFIG, serving=serving))
    aws.route()
    model.sleeps(5)
    started = datetime.now(UTC)
    status, answer = call(handler, POST, ROW)
    assert (status, answer["source"], answer["reason"]) == (200, "fallback", "deadline of 300 ms passed")
    assert (datetime.now(UTC) - started).total_seconds() < 5


def test_while_the_routing_cannot_be_read_the_last_known_release_answers(aws, model):
    aws.route()
    model.says([0.71])
    call(handler, POST, ROW)
    aws.dynamodb.delete_table(TableName=stage.ROUTING)
    function.ROUTING.read_at = float("-inf")
    _, answer = call(handler, POST, ROW)
    assert (answer["release"], answer["source"]) == ("r-1", "model")


@pytest.mark.parametrize(
    "damage",
    [
        {"champion": "r-1"},
        {"champion": None},  # which is written as nothing at all
        {"champion": {"release": "r-1"}},
        {"claims": [7]},
        {"claims": None},
        {"version": "three"},
        {"previous": {}},
        {"reason": None},
    ],
)
def test_a_routing_that_somebody_damaged_gives_the_fallback_that_alarms_count(aws, model, capsys, damage):
    aws.put(stage.ROUTING, item="routing", **{**aws.route(), **damage})
    status, answer = call(handler, POST, ROW)
    assert (status, answer["source"], answer["reason"]) == (200, "fallback", "routing not readable")
    (measured,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert (measured[Metric.PREDICTIONS], measured[Metric.FALLBACKS]) == (1, 1)
    assert model.calls == []


def test_a_routing_that_was_never_read_leaves_the_fallback(aws):
    aws.dynamodb.delete_table(TableName=stage.ROUTING)
    status, answer = call(handler, POST, ROW)
    assert (status, answer["source"], answer["reason"]) == (200, "fallback", "routing not readable")
