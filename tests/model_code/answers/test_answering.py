"""Rows that were checked under another contract than the model's own are answered as far as the model can."""

import json

import pytest

from model_code.answers.answering import respond
from model_code.answers.reply import Reply
from model_code.artefact.folder import open_artefact
from tests.model_code.serving import ROW

OTHER = "0123456789abcdef"  # the hash of another contract
UNSEEN = [
    {**ROW, "shelf": 4},  # a new category
    {**ROW, "größe (cm)": -5.0},  # below the minimum
    {**ROW, "class": None},  # may be null by now
    {**ROW, "colour": "red"},  # a column that the model never knew
    {name: ROW[name] for name in ("class", "shelf")},  # without those that may be null
]


@pytest.fixture(scope="module", params=["gradient_boosting", "logistic_regression", "prior"])
def artefact(returns, request):
    return open_artefact(returns.models[request.param])


def asked(artefact, rows: list, **more) -> Reply:
    return respond(artefact, json.dumps({"instances": rows, **more}).encode())


def test_a_value_that_another_contract_allows_reaches_the_model_as_the_unseen_it_is(artefact):
    reply = asked(artefact, UNSEEN, contract=OTHER)
    known = [{name: row.get(name) for name in ROW} for row in UNSEEN]
    seen = [{**row, "shelf": str(row["shelf"])} for row in known]
    expected = [scores[-1] for scores in artefact.scorer.score_lists(seen)]
    assert (json.loads(reply.body)["predictions"], reply.refused) == (expected, 0)


def test_under_its_own_contract_or_none_a_model_keeps_its_limits(artefact):
    for more in ({}, {"contract": artefact.contract.hash}, {"contract": 7}):
        *refused, last = json.loads(asked(artefact, UNSEEN, **more).body)["predictions"]
        assert [one["error"].split(",")[0] for one in refused] == [
            "shelf = 4: must be one of 1",
            "größe (cm) = -5.0: must be at least 0",
            "class is missing; it must have a value",
            "'colour' is not in the contract 'returns'",
        ]
        assert isinstance(last, float)


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({**ROW, "shelf": "top"}, "shelf = 'top': must be a whole number within +-9007199254740992"),
        ({"shelf": 30}, "class is missing; it must have a value"),
    ],
)
def test_another_type_and_a_column_that_is_gone_are_not_unseen_values(artefact, row, error):
    reply = asked(artefact, [ROW, row], contract=OTHER)
    first, second = json.loads(reply.body)["predictions"]
    assert (isinstance(first, float), second, reply.refused) == (True, {"error": error}, 1)
