"""What is measured and logged of a request, and what never is."""

import json

from domain.records import prediction_id
from lambdas.request.predict import handler
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import POST, ROW, row


def test_one_line_measures_the_request(aws, model, capsys):
    aws.route()
    model.says([0.71, {"error": "?"}])
    call(handler, POST, [row("a"), row("b")])
    (line,) = capsys.readouterr().out.splitlines()
    measured = json.loads(line)
    (metrics,) = measured["_aws"]["CloudWatchMetrics"]
    assert metrics == {
        "Namespace": "Fairway",
        "Dimensions": [["project", "stage"]],
        "Metrics": [
            {"Name": "Requests", "Unit": "Count"},
            {"Name": "Predictions", "Unit": "Count"},
            {"Name": "Fallbacks", "Unit": "Count"},
            {"Name": "Latency", "Unit": "Milliseconds"},
            {"Name": "ModelLatency", "Unit": "Milliseconds"},
        ],
    }
    named = ("project", "stage", "Requests", "Predictions", "Fallbacks", "fallback_reasons")
    assert {name: measured[name] for name in named} == {
        "project": "flights",
        "stage": "local",
        "Requests": 1,
        "Predictions": 2,
        "Fallbacks": 1,
        "fallback_reasons": {"model could not score the row": 1},
    }
    assert measured["Latency"] >= measured["ModelLatency"] > 0


def test_nothing_of_a_row_is_ever_logged(aws, model, capsys, caplog):
    secret = "Ada Lovelace"
    aws.route()
    model.fails(424, "ModelError", OriginalStatusCode=500)
    call(handler, POST, row(secret))
    call(handler, POST, row(secret, hour=secret))
    aws.dynamodb.delete_table(TableName=stage.PREDICTIONS)
    call(handler, POST, row(secret))
    assert secret not in capsys.readouterr().out + caplog.text
    assert "model error 500" in caplog.text


def test_what_nobody_foresaw_is_logged_and_is_500(aws, model, caplog):
    aws.put(stage.PREDICTIONS, id="request#" + prediction_id("", "key"), expires_at=2**40)  # without its answers
    status, reply = call(handler, POST, ROW, headers={"Idempotency-Key": "key"})
    message = "an internal error; nothing was answered, trying again is safe"
    assert (status, reply) == (500, {"error": "internal", "message": message})
    assert "KeyError" in caplog.text
