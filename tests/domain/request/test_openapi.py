"""The description of the API says what the contract does."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV30SpecValidator

from domain.contract.schema import Column, Contract
from domain.contract.values import check_row
from domain.request.openapi import document, example_of
from tests.domain.request.test_answers import CLASSES, NUMBERED, REGRESSION

SHOP = Contract(
    "shop",
    "binary",
    (
        Column("customer", "string", role="key"),
        Column("at", "timestamp", role="event_time"),
        Column("visits", "integer", minimum=0, maximum=500),
        Column("basket", "float", nullable=True, minimum=-5.5, unit="EUR", source="till", owner="shop@example.com"),
        Column("channel", "string", categories=("web", "app"), description="How it was bought"),
        Column("floor", "integer", categories=(1, 2), nullable=True),
        Column("vip", "boolean"),
        Column("remark", "string", role="ignored"),
        Column("paid", "boolean", role="target"),
    ),
    prior=0.3,
)
EVERY = (SHOP, REGRESSION, CLASSES, NUMBERED)


@pytest.mark.parametrize("contract", EVERY, ids=lambda contract: contract.task)
def test_every_task_has_a_valid_description(contract):
    described = json.loads(json.dumps(document(contract, project="p", url="https://example.com")))
    OpenAPIV30SpecValidator(described).validate()
    assert described["info"]["version"] == contract.hash
    assert described["servers"] == [{"url": "https://example.com"}]


def test_a_column_is_described_with_its_limits_its_unit_and_whose_it_is():
    columns = schema_of(SHOP, "Row")["properties"]
    assert list(columns) == ["customer", "at", "visits", "basket", "channel", "floor", "vip", "remark"]
    assert columns["basket"] == {
        "type": "number",
        "format": "double",
        "minimum": -5.5,
        "nullable": True,
        "description": "in EUR; from till; owner: shop@example.com",
    }
    assert columns["channel"] == {
        "type": "string",
        "maxLength": 1024,
        "enum": ["web", "app"],
        "description": "How it was bought",
    }
    assert columns["floor"]["enum"] == [1, 2, None]


def test_a_row_needs_what_the_contract_needs_and_nothing_that_defaults():
    assert schema_of(SHOP, "Row")["required"] == ["customer", "visits", "channel", "vip"]
    nullable = Contract("c", "regression", (Column("a", "float", nullable=True), REGRESSION.target), prior=1.0)
    assert "required" not in schema_of(nullable, "Row")


@pytest.mark.parametrize("contract", EVERY, ids=lambda contract: contract.task)
def test_the_example_of_a_row_is_accepted(contract):
    assert check_row(contract, with_now(contract, schema_of(contract, "Row")["example"]), with_target=False)[1] == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Column("a", "integer", minimum=7), 7),
        (Column("a", "integer", maximum=-3), -3),
        (Column("a", "float", minimum=2.5), 2.5),
        (Column("a", "float"), 1.5),
        (Column("a", "string", categories=("x",)), "x"),
    ],
)
def test_an_example_is_within_the_limits(column, value):
    assert example_of(column) == value


VALUES = {
    "customer": ["c-1", "", None, 7, "x" * 1025],
    "at": ["2026-01-31T09:30:00Z", None],
    "visits": [0, 3, 500, 501, -1, 2.0, 2.5, "3", None, True, 2**54],
    "basket": [-5.5, -6, 0, 1e300, None, "1.5", False],
    "channel": ["web", "shop", None, 1],
    "floor": [1, 2, 3, None, "1"],
    "vip": [True, False, None, 1, "true"],
    "remark": ["a", None],
    "elsewhere": [1],
}
rows = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()})


@given(rows)
def test_a_row_that_the_description_allows_has_no_problem_in_the_contract(row):
    if is_valid(row, SHOP, "Row"):
        assert check_row(SHOP, with_now(SHOP, row), with_target=False)[1] == []


@given(rows)
def test_a_row_that_the_contract_refuses_is_not_in_the_description(row):
    """But for what is written otherwise than a schema can say: a key as a number."""
    if check_row(SHOP, with_now(SHOP, row), with_target=False)[1]:
        assert not is_valid(row, SHOP, "Row")


@pytest.mark.parametrize(
    ("sent", "allowed"),
    [
        ({"prediction_id": "a", "outcome": True}, True),
        ({"entity_id": "a", "event_time": "2026-01-31T09:30:00Z", "outcome": False}, True),
        ({"entity_id": "a"}, False),
        ({"entity_id": "a", "outcome": None}, False),
        ({"entity_id": "", "outcome": True}, False),
        ({"entity_id": "a", "outcome": 1}, False),
        ({"entity_id": "a", "outcome": True, "when": "now"}, False),
    ],
)
def test_an_outcome_is_of_the_target_s_type(sent, allowed):
    assert is_valid(sent, SHOP, "Outcome") is allowed


def schema_of(contract: Contract, name: str) -> dict:
    return document(contract, project="p")["components"]["schemas"][name]


def with_now(contract: Contract, row: dict) -> dict:
    """As the handler does with a row that has no event time."""
    time = contract.event_time
    return row if time is None or row.get(time.name) else {**row, time.name: "2026-01-31T09:30:00Z"}


def is_valid(value, contract: Contract, name: str) -> bool:
    return not list(jsonschema.Draft7Validator(as_json_schema(schema_of(contract, name))).iter_errors(value))


def as_json_schema(schema: dict) -> dict:
    """OpenAPI 3.0 spells null otherwise than JSON Schema."""
    properties = {
        name: {**one, "type": [one["type"], "null"]} if one.get("nullable") else one
        for name, one in schema["properties"].items()
    }
    return {**schema, "properties": properties}
