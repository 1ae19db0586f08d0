"""Describe the API of a project in OpenAPI 3.0.3, from its contract: what a row must be, and what comes back.

It keeps to what code generators read: no `oneOf` but for one row or a list, no nested anonymous objects, and
`nullable` as that version spells it. What a schema cannot say is said in words.
"""

from typing import Any

from domain.contract.schema import Column, Contract
from domain.contract.values import LARGEST_INTEGER, LONGEST_TEXT
from domain.request.answers import Source
from domain.request.limits import (
    LARGEST_PAGE,
    LONGEST_ENTITY_ID,
    LONGEST_KEY,
    LONGEST_PREDICTION_ID,
    MOST_ROWS,
    PAGE,
)

VERSION = "3.0.3"
Schema = dict[str, Any]
TYPES: dict[str, Schema] = {
    "string": {"type": "string", "maxLength": LONGEST_TEXT},
    "integer": {"type": "integer", "format": "int64", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER},
    "float": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "timestamp": {"type": "string", "format": "date-time"},
}
EXAMPLES: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "float": 1.5,
    "boolean": True,
    "timestamp": "2026-01-31T09:30:00Z",
}
REFUSALS = {
    "400": "The body is not JSON, a row breaks the contract, or a parameter is wrong; `problems` names each row.",
    "403": "The signature is wrong or expired, or no policy allows the route.",
    "404": "It is not there, or it has expired.",
    "409": "The Idempotency-Key was used with a different body.",
    "413": "More rows or bytes than a request may have.",
    "429": "More requests a second than the stage allows; wait and repeat.",
    "503": "The answers could not be stored, so none is returned, or too many requests are under way; repeat.",
}
EVERYWHERE = ("403", "429", "503")


def document(contract: Contract, *, project: str, url: str = ".") -> dict[str, Any]:
    """Return the description of the API, as plain JSON values; `url` is where the stage answers."""
    return {
        "openapi": VERSION,
        "info": {
            "title": f"Predictions of {project}",
            "version": contract.hash,
            "description": (
                f"Rows are checked against the contract {contract.name!r}, whose hash is the version. Every request is "
                "signed with AWS Signature Version 4 for the service execute-api. A model that fails is no error: the "
                "answer has status 200, source `fallback` and the reason."
            ),
        },
        "servers": [{"url": url}],
        "security": [{"sigv4": []}],
        "paths": {
            "/predictions": {"post": _predict(), "get": _list()},
            "/predictions/{id}": {"get": _read()},
            "/outcomes": {"post": _outcomes()},
            "/openapi.json": {"get": _describe()},
        },
        "components": {
            "securitySchemes": {"sigv4": _SIGV4},
            "schemas": _schemas(contract),
        },
    }


_SIGV4: Schema = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "description": "AWS Signature Version 4",
    "x-amazon-apigateway-authtype": "awsSigv4",
}


# ---- the routes


def _predict() -> Schema:
    return {
        "operationId": "predict",
        "summary": f"Answer one row, or a list of 1 to {MOST_ROWS}",
        "description": "Each answer is stored before it is returned. One wrong row refuses the whole request.",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "A request that is repeated with the same key within 24 hours gets the same answers.",
                "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
            }
        ],
        "requestBody": _body({"oneOf": [_ref("Row"), _list_of("Row")]}),
        "responses": _responses(
            "One answer, or in `predictions` one for each row, in their order",
            {"oneOf": [_ref("Prediction"), _ref("Predictions")]},
            "400",
            "409",
            "413",
        ),
    }


def _list() -> Schema:
    limit = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE}
    return {
        "operationId": "listPredictions",
        "summary": "Read the stored predictions of an entity, the newest first",
        "parameters": [
            _query("entity_id", {"type": "string", "minLength": 1}, "The key of the rows", required=True),
            _query("limit", limit, "The most predictions of a page"),
            _query("next", {"type": "string"}, "The `next` of the page before"),
        ],
        "responses": _responses("A page", _ref("Page"), "400"),
    }


def _read() -> Schema:
    return {
        "operationId": "getPrediction",
        "summary": "Read one stored prediction",
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Its id"}
        ],
        "responses": _responses("The prediction", _ref("Prediction"), "404"),
    }


def _outcomes() -> Schema:
    return {
        "operationId": "sendOutcomes",
        "summary": f"Report what happened, for one prediction or 1 to {MOST_ROWS}",
        "description": "An outcome names its prediction or its entity, not both. Repeating it is safe.",
        "requestBody": _body({"oneOf": [_ref("Outcome"), _list_of("Outcome")]}),
        "responses": _responses("How many were stored, and joined to their predictions", _ref("Heard"), "400", "413"),
    }


def _describe() -> Schema:
    return {
        "operationId": "describe",
        "summary": "Read this description",
        "responses": _responses("OpenAPI", {"type": "object"}),
    }


def _body(schema: Schema) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _responses(description: str, schema: Schema, *refused: str) -> Schema:
    content = {"application/json": {"schema": _ref("Refusal")}}
    refusals = {
        status: {"description": REFUSALS[status], "content": content} for status in sorted({*refused, *EVERYWHERE})
    }
    return {"200": {"description": description, "content": {"application/json": {"schema": schema}}}, **refusals}


def _query(name: str, schema: Schema, description: str, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of(name: str) -> Schema:
    return {"type": "array", "items": _ref(name), "minItems": 1, "maxItems": MOST_ROWS}


# ---- the schemas


def _schemas(contract: Contract) -> dict[str, Schema]:
    predictions = {"type": "array", "items": _ref("Prediction")}
    return {
        "Row": _row(contract),
        "Prediction": _prediction(contract),
        "Predictions": _object({"predictions": predictions}),
        "Page": _object({"predictions": predictions, "next": {"type": "string", "nullable": True}}),
        "Outcome": _outcome(contract),
        "Heard": _object({name: {"type": "integer"} for name in ("accepted", "joined", "unmatched")}),
        "Problem": _object(
            {
                "row": {"type": "integer", "description": "From 0"},
                "column": {"type": "string"},
                "value": {"nullable": True, "description": "As it was sent, shortened"},
                "rule": {"type": "string"},
                "allowed": {"type": "string"},
                "message": {"type": "string"},
            },
            required=["row", "message"],
        ),
        "Refusal": _object(
            {
                "error": {"type": "string", "description": "For programs; not there if API Gateway itself refused"},
                "message": {"type": "string", "description": "For people"},
                "problems": {"type": "array", "items": _ref("Problem")},
            },
            required=["message"],
        ),
    }


def _object(properties: dict[str, Schema], required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }


def _row(contract: Contract) -> Schema:
    columns = contract.to_score
    required = [one.name for one in columns if not one.nullable and one.role != "event_time"]
    schema = _object({one.name: _column_schema(one) for one in columns}, required)
    schema["example"] = {one.name: example_of(one) for one in columns if one.role not in ("ignored", "event_time")}
    if not required:
        del schema["required"]  # an empty list is not allowed
    return {**schema, "additionalProperties": False}


def _column_schema(column: Column) -> Schema:
    """Return the schema of a column's values in a request, with its limits and where they come from."""
    schema = dict(TYPES[column.type])
    if column.role == "ignored":
        schema.pop("maxLength", None)  # no model reads it
    if column.role == "key" and column.type == "string":
        schema["minLength"] = 1
    if column.minimum is not None:
        schema["minimum"] = column.minimum
    if column.maximum is not None:
        schema["maximum"] = column.maximum
    optional = column.nullable or column.role in ("ignored", "event_time")
    if optional:
        schema["nullable"] = True
    if column.categories is not None:
        schema["enum"] = [*column.categories, *([None] if optional else [])]
    if words := _words(column):
        schema["description"] = words
    return schema


def _words(column: Column) -> str:
    unit = f"in {column.unit}" if column.unit else ""
    source = f"from {column.source}" if column.source else ""
    owner = f"owner: {column.owner}" if column.owner else ""
    default = "the time of the request where it is left out" if column.role == "event_time" else ""
    return "; ".join(filter(None, (column.description, unit, default, source, owner)))


def example_of(column: Column) -> Any:
    """Return a value that the contract accepts."""
    if column.categories:
        return column.categories[0]
    example = EXAMPLES[column.type]
    if column.type not in ("integer", "float"):
        return example
    number = max(column.minimum, example) if column.minimum is not None else example
    number = min(column.maximum, number) if column.maximum is not None else number
    return int(number) if column.type == "integer" else float(number)


def _prediction(contract: Contract) -> Schema:
    text, moment = {"type": "string"}, {"type": "string", "format": "date-time"}
    chance = {"type": "number", "format": "double", "minimum": 0, "maximum": 1}
    properties: dict[str, Schema] = {
        "id": text,
        "entity_id": {**text, "description": "The row's key"},
        "prediction": _predicted(contract),
        "probability": {**chance, "nullable": True, "description": "Of the positive class, or of the predicted one"},
        "release": {**text, "nullable": True, "description": "The release that answered"},
        "role": {**text, "nullable": True},
        "source": {**text, "enum": list(Source), "description": "`fallback`: no model answered in time"},
        "reason": {**text, "description": "Why this release answered, or why the fallback did"},
        "made_at": moment,
        "event_time": {**moment, "nullable": True},
    }
    required = list(properties)
    if contract.task == "multiclass":
        properties["probabilities"] = {"type": "object", "additionalProperties": chance}
    properties["confidence"] = _confidence(contract)
    if contract.task == "binary":
        properties["threshold"] = {**chance, "description": "From which this decision is yes, if not the stage's own"}
    properties["arm"] = {**text, "description": "Of a rollout or an experiment; the champion's is `champion`"}
    properties["rollout"] = {**text, "description": "The rollout or experiment that the answer is evidence for"}
    properties["share"] = {**chance, "description": "Of all entities, in that arm when the answer was made"}
    properties["instead_of"] = {**text, "description": "Why the endpoint did not answer, if the function did"}
    return _object(properties, required)


def _confidence(contract: Contract) -> Schema:
    """Return the schema of how sure an answer is (domain/request/confidence.py); only `says` is always there."""
    chance = {"type": "number", "format": "double", "minimum": 0, "maximum": 1}
    counted = {"type": "integer", "minimum": 0}
    properties: dict[str, Schema] = {
        "coverage": {**chance, "description": "How often the outcome lies in the set or the interval"},
        "rows": {**counted, "description": "That the coverage rests on"},
        "cases": {**counted, "description": "Similar ones that were counted"},
        "happened": {**counted, "description": "Of these"},
        "says": {"type": "string", "description": "The cases in a sentence"},
    }
    if contract.task == "regression":
        ends = {"type": "array", "items": _predicted(contract), "minItems": 2, "maxItems": 2, "nullable": True}
        properties["interval"] = {**ends, "description": "Low and high end; null: any value"}
        return _object(properties, ["says"])
    outcomes = {"type": "array", "items": _predicted(contract), "minItems": 1, "nullable": True}
    properties["set"] = {**outcomes, "description": "Possible outcomes; null: any"}
    properties["unusual"] = {
        "type": "boolean",
        "description": "No class was likely enough; the set has the likeliest",
    }
    properties["probability"] = {**chance, "description": "As it was in similar cases"}
    properties["low"] = {**chance, "description": "If one more such case had not happened"}
    properties["high"] = {**chance, "description": "And if it had"}
    properties["flagged"] = {"type": "boolean", "description": "A person should look at it"}
    return _object(properties, ["says"])


def _predicted(contract: Contract) -> Schema:
    if contract.task == "regression":
        return {"type": "number", "format": "double"}
    if contract.task == "binary":
        return {"type": "boolean"}
    kind = "integer" if contract.target.type == "integer" else "string"
    return {"type": kind}


def _outcome(contract: Contract) -> Schema:
    about: dict[str, Schema] = {
        "prediction_id": {"type": "string", "minLength": 1, "maxLength": LONGEST_PREDICTION_ID},
        "entity_id": {"type": "string", "minLength": 1, "maxLength": LONGEST_ENTITY_ID},
    }
    if contract.event_time:
        about["event_time"] = {**TYPES["timestamp"], "description": "Of the row, where an entity has several"}
    happened = {name: value for name, value in _column_schema(contract.target).items() if name != "nullable"}
    return {**_object({**about, "outcome": happened}, ["outcome"]), "additionalProperties": False}
