"""What the API says of itself is what it does."""

import jsonschema
import pytest

from domain.request.openapi import document
from lambdas.request.predict import handler
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import POST, ROW, row


def schema(name: str) -> dict:
    described = document(stage.CONTRACT, project=stage.CONFIG.project.name)
    return {**described["components"]["schemas"][name], "components": described["components"]}


def null_too(one):
    """OpenAPI 3.0 spells null otherwise than JSON Schema."""
    if isinstance(one, list):
        return [null_too(each) for each in one]
    if not isinstance(one, dict):
        return one
    inner = {name: null_too(each) for name, each in one.items()}
    return {**inner, "type": [one["type"], "null"]} if one.get("nullable") is True and "type" in one else inner


def check(document, name: str) -> None:
    """Every field that was replied is described, and is as described."""
    jsonschema.Draft7Validator(null_too(schema(name))).validate(document)
    assert set(document) <= set(schema(name)["properties"])


def test_the_stage_serves_its_description():
    assert call(handler, "GET /openapi.json") == (200, document(stage.CONTRACT, project=stage.CONFIG.project.name))


@pytest.mark.parametrize("released", [False, True])
def test_an_answer_is_as_described_whoever_gave_it(aws, model, released):
    if released:
        aws.route()
        model.says([0.7])
    _, answer = call(handler, POST, ROW)
    check(answer, "Prediction")
    _, stored = call(handler, "GET /predictions/{id}", path={"id": answer["id"]})
    check(stored, "Prediction")
    _, page = call(handler, "GET /predictions", query={"entity_id": ROW["flight_id"]})
    check(page, "Page")


def test_answers_to_several_rows_are_as_described(aws):
    _, reply = call(handler, POST, [row("a"), row("b")])
    check(reply, "Predictions")


def test_a_refusal_is_as_described(aws):
    status, reply = call(handler, POST, [{**ROW, "carrier": None}])
    assert status == 400
    check(reply, "Refusal")
