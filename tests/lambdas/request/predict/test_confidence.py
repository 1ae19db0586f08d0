"""How sure an answer is, by the table in its release's item; and what happens to one that is not."""

import json
from dataclasses import replace

import pytest

from domain.config.sections import Business, Confidence
from domain.contract.packed import packed
from domain.packed import packed_json
from lambdas.aws.routes import ReleasesMade, read_made
from lambdas.request import predict as module
from lambdas.request.predict import handler
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import MANY, NO_MODEL, POST, ROW
from tests.lambdas.request.predict.test_description import check

NONE = {"cases": 0, "happened": 0}
TABLE = {
    "task": "binary",
    "coverage": 0.9,
    "rows": 5000,
    "threshold": 0.5,
    "all": {"rows": 5000, "distance": 0.6},
    "by_answer": {},
    "edges": [],
    "similar": [NONE, {"cases": 400, "happened": 90}, *[NONE] * 5, {"cases": 300, "happened": 222}, *[NONE] * 2],
    "doubt": {"bottom": [0.0, 0.5], "top": [0.49, 1.0], "low": [0.18, 0.7], "high": [0.19, 0.71]},
    "without_model": {"cases": 5000, "happened": 802},
    "prior_set": [False, True],
}
SURE = {
    "coverage": 0.9,
    "rows": 5000,
    "set": [True],
    "probability": 0.703,
    "low": 0.7,
    "high": 0.71,
    "cases": 300,
    "happened": 222,
    "says": "Of 300 similar cases, 222 had late = true (about 7 in 10).",
}
ALL_CASES = {
    "coverage": 0.9,
    "rows": 5000,
    "set": [False, True],
    "cases": 5000,
    "happened": 802,
    "says": "No model answered; of 5,000 cases in all, 802 had late = true (about 2 in 10).",
}


@pytest.fixture(autouse=True)
def champion(aws, monkeypatch):
    """A champion with a table, in a function that has not read it yet."""
    monkeypatch.setattr(module, "MADE", ReleasesMade(stage.ROUTING, read_made, instead=stage.CONTRACT))
    aws.released(contract=packed(stage.CONTRACT), confidence=packed_json(TABLE))
    aws.route()


@pytest.fixture
def settle(monkeypatch):
    """Change settings of [confidence] and [business]."""

    def change(business: Business | None = None, **confidence) -> None:
        config = replace(stage.CONFIG, confidence=Confidence(**confidence), business=business or Business())
        monkeypatch.setattr(module, "CONFIG", config)

    return change


def test_an_answer_says_how_sure_it_is_and_is_stored_with_it(aws, model):
    model.says([0.71])
    _, answer = call(handler, POST, ROW)
    assert answer["confidence"] == SURE
    check(answer, "Prediction")
    (stored,) = aws.items(stage.PREDICTIONS)
    assert stored["confidence"] == SURE
    assert call(handler, MANY, query={"entity_id": ROW["flight_id"]})[1]["predictions"] == [answer]


def test_the_sentence_has_the_verb_of_the_settings(model, settle):
    settle(happened="were late")
    model.says([0.71])
    _, answer = call(handler, POST, ROW)
    assert answer["confidence"]["says"] == "Of 300 similar cases, 222 were late (about 7 in 10)."


def test_the_fallback_counts_all_cases_of_the_release_that_should_have_answered(model):
    _, answer = call(handler, POST, ROW)
    assert (answer["source"], answer["confidence"]) == ("fallback", ALL_CASES)


SEGMENTS = {"column": "carrier", "priors": {"UA": {"cases": 400, "total": 250.0, "prior": 0.61}}}


def test_the_fallback_answers_by_the_prior_of_the_rows_segment_where_the_release_knows_one(aws):
    aws.released(contract=packed(stage.CONTRACT), confidence=packed_json({**TABLE, "segments": SEGMENTS}))
    _, answer = call(handler, POST, ROW)
    assert (answer["source"], answer["prediction"], answer["probability"]) == ("fallback", True, 0.61)
    says = "No model answered; of 400 cases with carrier = UA, 250 had late = true (about 6 in 10)."
    assert answer["confidence"] == {**ALL_CASES, "cases": 400, "happened": 250, "says": says}
    _, other = call(handler, POST, {**ROW, "carrier": "AA"})
    assert (other["probability"], other["confidence"]) == (stage.CONTRACT.prior, ALL_CASES)


def test_before_the_first_release_nothing_has_been_counted(aws):
    aws.routing()
    _, answer = call(handler, POST, ROW)
    assert (answer["source"], answer["confidence"]) == ("fallback", NO_MODEL)


def test_a_repeated_request_gets_the_confidence_of_the_first(aws, model):
    model.says([0.71])
    first = call(handler, POST, ROW, headers={"idempotency-key": "order-1"})
    aws.released(contract=packed(stage.CONTRACT))
    assert call(handler, POST, ROW, headers={"idempotency-key": "order-1"}) == first


# ---- abstain


def test_an_answer_that_is_not_sure_is_flagged_for_a_person(model, settle, capsys):
    settle(abstain="flag")
    model.says([0.45])
    _, answer = call(handler, POST, ROW)
    assert (answer["source"], answer["prediction"], answer["confidence"]["set"]) == ("model", False, [False, True])
    assert answer["confidence"]["flagged"] is True
    assert measured(capsys)["Unsure"] == 1
    model.says([0.71])
    assert "flagged" not in call(handler, POST, ROW)[1]["confidence"]
    assert "Unsure" not in measured(capsys)


def measured(capsys) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_an_answer_that_is_not_sure_is_left_to_the_fallback_which_is_no_failure(aws, model, settle, capsys):
    settle(abstain="fallback")
    model.says([0.45])
    _, answer = call(handler, POST, ROW)
    assert (answer["source"], answer["reason"], answer["release"]) == ("fallback", "model not sure", "r-1")
    assert (answer["prediction"], answer["probability"]) == (False, stage.CONTRACT.prior)
    assert answer["confidence"] == {
        **ALL_CASES,
        "says": "The model was not sure; of 5,000 cases in all, 802 had late = true (about 2 in 10).",
    }
    (stored,) = aws.items(stage.PREDICTIONS)
    assert stored["cause"] == "UNSURE"
    line = measured(capsys)
    assert (line["Fallbacks"], line["Unsure"]) == (0, 1)


def test_the_model_answers_where_its_decision_is_worth_as_much_as_the_fallbacks(model, settle):
    """Both say no; and a yes of the model would be worth more here than the no of the fallback."""
    settle(abstain="fallback", business=stage.CONFIG.business)
    for score in (0.45, 0.55):
        model.says([score])
        _, answer = call(handler, POST, ROW)
        assert (answer["source"], answer["confidence"]["set"]) == ("model", [False, True])


def test_by_default_an_answer_that_is_not_sure_is_given_as_it_is(model):
    model.says([0.45])
    _, answer = call(handler, POST, ROW)
    assert (answer["source"], answer["confidence"]["set"]) == ("model", [False, True])
    assert "flagged" not in answer["confidence"]
