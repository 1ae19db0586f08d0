import json
import time

import pytest

from lambdas.request.outcomes import handler
from tests.lambdas import stage
from tests.lambdas.http_api import call

POST = "POST /outcomes"
PREDICTION = {
    "id": "p-1",
    "entity_id": "flight 1",
    "event_time": "2013-04-01T09:15:00Z",
    "made_at": "2013-04-01T08:00:00Z",
    "prediction": True,
    "probability": 0.71,
    "release": "r-1",
    "role": "champion",
    "source": "model",
    "features": "{}",
}


def predicted(aws, **values) -> None:
    aws.put(stage.PREDICTIONS, **{**PREDICTION, **values})


def stored(aws) -> list[dict]:
    """The outcomes without the moment they came in, and what they counted."""
    return sorted(
        ({k: v for k, v in item.items() if k not in ("received_at", "counted")} for item in aws.items(stage.OUTCOMES)),
        key=str,
    )


def joined(**values) -> dict:
    kept = ("entity_id", "event_time", "made_at", "prediction", "probability", "release", "role", "source")
    return {
        **{name: PREDICTION[name] for name in kept},
        "prediction_id": "p-1",
        "outcome": True,
        "correct": True,
        "value_usd": 40.0,
        **values,
    }


@pytest.mark.parametrize(
    "named",
    [
        {"prediction_id": "p-1"},
        {"entity_id": "flight 1"},
        {"entity_id": "flight 1", "event_time": "2013-04-01T05:15:00-04:00"},
    ],
)
def test_an_outcome_is_joined_to_its_prediction(aws, named):
    predicted(aws)
    assert call(handler, POST, {**named, "outcome": True}) == (200, {"accepted": 1, "joined": 1, "unmatched": 0})
    assert stored(aws) == [joined()]


@pytest.mark.parametrize(
    ("prediction", "outcome", "correct", "value_usd"),
    [(True, True, True, 40.0), (True, False, False, -12.0), (False, True, False, -25.0), (False, False, True, 0.0)],
)
def test_an_outcome_is_worth_what_the_project_says(aws, prediction, outcome, correct, value_usd):
    predicted(aws, prediction=prediction)
    call(handler, POST, {"prediction_id": "p-1", "outcome": outcome})
    assert stored(aws) == [joined(prediction=prediction, outcome=outcome, correct=correct, value_usd=value_usd)]


def test_without_a_moment_it_belongs_to_the_newest_prediction(aws):
    predicted(aws, id="old", event_time="2013-03-31T09:15:00Z", made_at="2013-03-31T08:00:00Z")
    predicted(aws)
    call(handler, POST, {"entity_id": "flight 1", "outcome": True})
    assert stored(aws) == [joined()]


def test_with_a_moment_it_belongs_to_the_newest_prediction_of_that_moment(aws):
    predicted(aws, id="too early", made_at="2013-04-01T07:00:00Z")
    predicted(aws)
    predicted(aws, id="another day", event_time="2013-04-02T09:15:00Z", made_at="2013-04-02T08:00:00Z")
    call(handler, POST, {"entity_id": "flight 1", "event_time": "2013-04-01T09:15:00Z", "outcome": True})
    assert stored(aws) == [joined()]


def test_an_outcome_that_nobody_predicted_is_kept(aws):
    predicted(aws, event_time="2013-04-02T09:15:00Z")
    sent = [
        {"entity_id": "flight 1", "event_time": "2013-04-01T09:15:00Z", "outcome": True},
        {"entity_id": "flight 2", "outcome": False},
        {"prediction_id": "p-2", "outcome": False},
    ]
    assert call(handler, POST, sent) == (200, {"accepted": 3, "joined": 0, "unmatched": 3})
    assert stored(aws) == [
        {"entity_id": "flight 1", "event_time": "2013-04-01T09:15:00Z", "outcome": True},
        {"entity_id": "flight 2", "event_time": "unknown", "outcome": False},
        {"entity_id": "prediction#p-2", "event_time": "unknown", "outcome": False},
    ]


def test_the_same_outcome_again_changes_nothing_not_even_when_it_came(aws):
    predicted(aws)
    sent = {"prediction_id": "p-1", "outcome": True}
    first = call(handler, POST, sent)
    once = aws.items(stage.OUTCOMES)
    assert call(handler, POST, sent) == first
    assert aws.items(stage.OUTCOMES) == once


def test_a_corrected_outcome_takes_the_place_of_the_first(aws):
    predicted(aws)
    call(handler, POST, {"prediction_id": "p-1", "outcome": True})
    call(handler, POST, {"prediction_id": "p-1", "outcome": False})
    assert stored(aws) == [joined(outcome=False, correct=False, value_usd=-12.0)]


def test_an_outcome_is_joined_when_it_comes_again_after_its_prediction(aws):
    sent = {"entity_id": "flight 1", "event_time": "2013-04-01T09:15:00Z", "outcome": True}
    assert call(handler, POST, sent)[1] == {"accepted": 1, "joined": 0, "unmatched": 1}
    predicted(aws)
    assert call(handler, POST, sent)[1] == {"accepted": 1, "joined": 1, "unmatched": 0}
    assert stored(aws) == [joined()]


@pytest.mark.parametrize("named", [{"entity_id": "flight 1"}, {"prediction_id": "p-1"}])
def test_an_outcome_before_its_prediction_is_one_record_once_it_comes_again(aws, named):
    sent = {**named, "outcome": True}
    assert call(handler, POST, sent)[1] == {"accepted": 1, "joined": 0, "unmatched": 1}
    predicted(aws)
    for _ in range(2):
        assert call(handler, POST, sent)[1] == {"accepted": 1, "joined": 1, "unmatched": 0}
        assert stored(aws) == [joined()]


ENTITY, ID = {"entity_id": "flight 1"}, {"prediction_id": "p-1"}
AT = {**ENTITY, "event_time": "2013-04-01T09:15:00Z"}


@pytest.mark.parametrize(
    ("first", "again"),
    [(ENTITY, ID), (ID, ENTITY), (ID, AT), (AT, ID)],
    ids=["entity, id", "id, entity", "id, moment", "moment, id"],
)
def test_an_outcome_that_names_first_the_one_and_then_the_other_is_one_record(aws, first, again):
    assert call(handler, POST, {**first, "outcome": True})[1]["unmatched"] == 1
    predicted(aws)
    for sent in (again, first, again):
        assert call(handler, POST, {**sent, "outcome": True})[1]["joined"] == 1
        assert stored(aws) == [joined()]


def test_a_function_that_dies_after_it_stored_the_joined_outcome_loses_nothing(aws, monkeypatch):
    call(handler, POST, {**ENTITY, "outcome": True})
    predicted(aws)
    with monkeypatch.context() as dying:
        dying.setattr("lambdas.request.outcomes._remove_outcome", lambda record: 1 / 0)
        assert call(handler, POST, {**ID, "outcome": True})[0] == 500
    assert joined() in stored(aws) and len(stored(aws)) == 2
    assert call(handler, POST, {**ID, "outcome": True})[1]["joined"] == 1
    assert stored(aws) == [joined()]


def test_another_outcome_without_a_prediction_is_not_lost_to_a_joined_one(aws):
    earlier = {"entity_id": "flight 1", "outcome": False}  # of an event that nobody predicted
    call(handler, POST, earlier)
    predicted(aws)
    call(handler, POST, {"entity_id": "flight 1", "outcome": True})
    assert stored(aws) == [joined(), {**earlier, "event_time": "unknown"}]


def test_what_is_known_of_another_time_stays_beside_a_joined_outcome(aws):
    call(handler, POST, {"entity_id": "flight 1", "outcome": False})
    predicted(aws)
    call(handler, POST, {"entity_id": "flight 1", "event_time": "2013-04-01T09:15:00Z", "outcome": True})
    assert len(stored(aws)) == 2


@pytest.mark.parametrize(
    "named",
    [
        {"prediction_id": "p-1"},
        {"entity_id": "flight 1"},
        {"entity_id": "flight 1", "event_time": "2013-04-01T09:15:00Z"},
    ],
)
def test_an_expired_prediction_is_not_joined_though_it_is_still_in_the_table(aws, named):
    predicted(aws, expires_at=int(time.time()) - 3 * 86_400)
    assert call(handler, POST, {**named, "outcome": True})[1]["unmatched"] == 1
    predicted(aws, expires_at=int(time.time()) + 86_400)
    assert call(handler, POST, {**named, "outcome": True})[1]["joined"] == 1


def test_of_an_entity_the_newest_that_has_not_expired_is_joined(aws):
    predicted(aws, id="gone", made_at="2013-04-03T08:00:00Z", expires_at=int(time.time()) - 1)
    predicted(aws)
    call(handler, POST, {"entity_id": "flight 1", "outcome": True})
    assert stored(aws) == [joined()]


def test_predictions_are_left_as_they_were(aws):
    predicted(aws)
    call(handler, POST, {"prediction_id": "p-1", "outcome": True})
    assert aws.items(stage.PREDICTIONS) == [PREDICTION]


def test_a_remembered_request_is_no_prediction(aws):
    aws.put(stage.PREDICTIONS, id="request#1", fingerprint="x")
    assert call(handler, POST, {"prediction_id": "request#1", "outcome": True})[1]["unmatched"] == 1


FORM = "an outcome has prediction_id and outcome, or entity_id, outcome and optionally event_time"


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (7, f"found 7; {FORM}"),
        ({}, f"found []; {FORM}"),
        ({"outcome": True}, f"found ['outcome']; {FORM}"),
        (dict.fromkeys("abcdefgh"), f"found ['a', 'b', 'c', 'd', 'e']; {FORM}"),
        ({"entity_id": "a"}, f"found ['entity_id']; {FORM}"),
        (
            {"entity_id": "a", "prediction_id": "b", "outcome": True},
            f"found ['entity_id', 'outcome', 'prediction_id']; {FORM}",
        ),
        ({"entity_id": "", "outcome": True}, "entity_id = '': must be text of 1 to 10000 characters"),
        ({"entity_id": "\ud800", "outcome": True}, "entity_id = '\\ud800': must be text of 1 to 10000 characters"),
        ({"prediction_id": 7, "outcome": True}, "prediction_id = 7: must be text of 1 to 100 characters"),
        ({"entity_id": "a", "outcome": "yes"}, "outcome = 'yes': must be true or false"),
        ({"entity_id": "a", "outcome": 1}, "outcome = 1: must be true or false"),
        ({"entity_id": "a", "outcome": None}, "outcome is missing; it must have a value"),
        (
            {"entity_id": "a", "event_time": "yesterday", "outcome": True},
            "event_time = 'yesterday': must be ISO 8601 text such as 2013-04-01T09:30:00Z",
        ),
        (
            {"entity_id": "a", "event_time": "9999-12-31T23:59:59Z", "outcome": True},
            "event_time = '9999-12-31T23:59:59Z': must not be in the future; send an outcome once it has happened",
        ),
    ],
)
def test_a_wrong_outcome_is_refused_with_all_that_came_with_it(aws, sent, message):
    status, reply = call(handler, POST, [{"entity_id": "fine", "outcome": True}, sent])
    assert (status, reply) == (
        400,
        {"error": "bad_request", "message": f"row 1: {message}", "problems": [{"row": 1, "message": message}]},
    )
    assert aws.items(stage.OUTCOMES) == []


@pytest.mark.parametrize(
    ("body", "status"), [([], 400), ("{", 400), ([{"entity_id": "a", "outcome": True}] * 101, 413)]
)
def test_no_outcome_and_too_many_are_refused(aws, body, status):
    assert call(handler, POST, body)[0] == status


def test_one_line_measures_what_came_in_and_what_it_was_worth(aws, capsys):
    predicted(aws)
    call(handler, POST, [{"prediction_id": "p-1", "outcome": True}, {"entity_id": "nobody", "outcome": True}])
    measured = json.loads(capsys.readouterr().out)
    assert {name: measured[name] for name in ("Outcomes", "Unmatched", "ValueUsd")} == {
        "Outcomes": 2,
        "Unmatched": 1,
        "ValueUsd": 40.0,
    }
    call(handler, POST, {"prediction_id": "p-1", "outcome": True})  # as whoever heard no answer does
    again = json.loads(capsys.readouterr().out)
    assert (again["Outcomes"], "ValueUsd" in again) == (1, False)
    assert [metric["Unit"] for metric in measured["_aws"]["CloudWatchMetrics"][0]["Metrics"]] == [
        "Count",
        "Count",
        "None",
    ]


# ---- counted in the window of the prediction


def counted(aws) -> dict[str, float]:
    """What the outcomes of r-1 added to the window of 2013-04-01, whichever part holds it."""
    sums: dict[str, float] = {}
    for item in aws.items(stage.EVIDENCE):
        if item["rollout"] == "outcomes#r-1" and item["item"].startswith("2013-04-01#"):
            for name, number in item.items():
                if name not in ("rollout", "item") and number:
                    sums[name] = sums.get(name, 0) + number
    return sums


RIGHT = {
    "outcomes": 1,
    "true_positive": 1,
    "value_usd": 40,
    "predicted": 0.71,
    "log_loss": 0.342490309,
    "brier": 0.0841,
    "happened_35": 1,
}


def test_an_outcome_counts_once_in_the_window_of_its_prediction_however_often_it_is_sent(aws):
    predicted(aws)
    for _ in range(3):
        call(handler, POST, {"prediction_id": "p-1", "outcome": True})
    assert counted(aws) == RIGHT


def test_a_correction_takes_back_what_the_outcome_before_it_counted(aws):
    predicted(aws)
    for outcome in (False, True, False, True):
        call(handler, POST, {"prediction_id": "p-1", "outcome": outcome})
    assert counted(aws) == RIGHT


def test_what_the_prior_answered_counts_nowhere(aws):
    predicted(aws, source="fallback", release=None)
    call(handler, POST, {"prediction_id": "p-1", "outcome": True})
    assert aws.items(stage.EVIDENCE) == []


def test_a_window_judges_the_model_at_the_usual_threshold_whatever_decided_the_row(aws):
    predicted(aws, prediction=False, threshold=0.8)
    call(handler, POST, {"prediction_id": "p-1", "outcome": True})
    assert counted(aws) == RIGHT
    (outcome,) = aws.items(stage.OUTCOMES)
    assert (outcome["correct"], outcome["value_usd"]) == (False, -25)
