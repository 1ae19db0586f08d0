"""Who answers a row, what the answer says, and what is stored of it."""

import json
from datetime import UTC, datetime

from domain.reasons import Reason
from domain.release.routing import EMPTY, choose, promote
from domain.timestamps import parse_timestamp
from lambdas.request.predict import handler, predict
from lambdas.request.scoring import ModelFailed, Scores
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import MANY, NO_MODEL, POST, ROW, UNCOUNTED, row, said

CHAMPION = {"release": "r-1", "role": "champion", "arm": "champion", "source": "model", "reason": "champion"}


def test_the_champion_answers_and_the_answer_is_stored_with_its_features(aws, model):
    aws.route()
    model.says([0.71])
    before = datetime.now(UTC)

    status, answer = call(handler, POST, ROW)

    assert status == 200
    given = {
        "entity_id": ROW["flight_id"],
        "prediction": True,
        "probability": 0.71,
        "confidence": UNCOUNTED,
        **CHAMPION,
        "event_time": ROW["departure"],
    }
    assert said(answer) == given
    assert before <= parse_timestamp(answer["made_at"]) <= datetime.now(UTC)
    (stored,) = aws.items(stage.PREDICTIONS)
    nothing = dict.fromkeys(column.name for column in stage.CONTRACT.features)
    features = {**nothing, **{name: ROW[name] for name in ROW if name in nothing}}
    expires_at = int(parse_timestamp(answer["made_at"]).timestamp()) + 400 * 86400
    assert json.loads(stored.pop("features")) == features
    assert stored.pop("latency_ms") > 0
    assert stored == {**answer, "contract_hash": stage.CONTRACT.hash, "expires_at": expires_at}
    assert model.calls == [("flights-local-r-1", [features])]


def test_a_list_is_answered_in_its_order_by_one_call_of_the_endpoint(aws, model):
    aws.route()
    model.scores(lambda instance: instance["hour"] / 100)

    status, reply = call(handler, POST, [row(f"flight {hour}", hour=hour) for hour in range(24)])

    assert status == 200
    assert [(one["entity_id"], one["probability"]) for one in reply["predictions"]] == [
        (f"flight {h}", h / 100) for h in range(24)
    ]
    assert len(model.calls) == 1
    assert {one["id"] for one in aws.items(stage.PREDICTIONS)} == {one["id"] for one in reply["predictions"]}


def test_each_release_is_asked_once_for_the_rows_of_its_entities(aws, model):
    canary = {
        "rollout": "r-2/1",
        "arm": "canary",
        "role": "canary",
        "release": "r-2",
        "endpoint": "flights-local-r-2",
        "start": 0.0,
        "end": 0.4,
        "since": "2013-04-01T00:00:00Z",
    }
    routing = aws.routing(champion=aws.route()["champion"], claims=[canary])
    model.scores(lambda instance: instance["distance"] / 1000)
    rows = [row(f"flight {n}", distance=n + 1) for n in range(50)]

    _, reply = call(handler, POST, rows)

    expected = [choose(routing, one["flight_id"]) for one in rows]
    names = ("release", "role", "arm", "rollout", "share")
    assert [[one[name] for name in names] for one in reply["predictions"]] == [
        [getattr(one, name) for name in names] for one in expected
    ]
    assert [one["probability"] for one in reply["predictions"]] == [(n + 1) / 1000 for n in range(len(rows))]
    assert {one["reason"] for one in reply["predictions"]} == {"champion", "canary at 40 %"}
    assert {(one["arm"], one["rollout"], one["share"]) for one in aws.items(stage.PREDICTIONS)} == {
        ("champion", "r-2/1", 0.4),
        ("canary", "r-2/1", 0.4),
    }
    assert sorted((endpoint, len(rows)) for endpoint, rows in model.calls) == [
        ("flights-local-r-1", sum(one.release == "r-1" for one in expected)),
        ("flights-local-r-2", sum(one.release == "r-2" for one in expected)),
    ]


def test_a_row_that_does_not_say_when_is_about_now(aws):
    _, answer = call(handler, POST, {name: value for name, value in ROW.items() if name != "departure"})
    assert answer["event_time"] == answer["made_at"]


def test_an_event_time_is_kept_in_utc(aws):
    _, answer = call(handler, POST, row("a", departure="2013-04-01T05:15:00-04:00"))
    assert answer["event_time"] == "2013-04-01T09:15:00Z"


def test_what_the_contract_ignores_may_be_left_away(aws):
    status, answer = call(handler, POST, {name: value for name, value in ROW.items() if name != "month"})
    assert (status, answer["entity_id"]) == (200, ROW["flight_id"])


def test_an_entity_too_long_for_a_key_is_found_by_its_hash(aws):
    name = "ü" * 1000
    _, answer = call(handler, POST, row(name))
    assert len(answer["entity_id"]) == 32
    assert call(handler, MANY, query={"entity_id": name}) == (200, {"predictions": [answer], "next": None})


def test_nothing_is_answered_that_could_not_be_stored(aws, model):
    aws.route()
    model.says([0.71])
    aws.dynamodb.delete_table(TableName=stage.PREDICTIONS)
    status, reply = call(handler, POST, ROW)
    message = "the answers could not be stored, so none is returned; trying again is safe"
    assert (status, reply) == (503, {"error": "unavailable", "message": message})


def test_the_decision_needs_no_aws():
    class Answered:
        recall = remember = None

        def __init__(self):
            self.saved = []

        def save(self, records):
            self.saved += records

    answered, now = Answered(), datetime(2013, 4, 1, 9, tzinfo=UTC)
    routing = promote(EMPTY, release="r-1", endpoint="e", at="2013-04-01T00:00:00Z", reason="the first")

    answers, _ = predict(
        [row("a"), row("b")],
        key=None,
        now=now,
        route=lambda: routing,
        ask=lambda calls: [Scores([0.5, ModelFailed(Reason.THROTTLED)]) for _ in calls],
        answered=answered,
    )

    common = {
        "release": "r-1",
        "role": "champion",
        "arm": "champion",
        "made_at": "2013-04-01T09:00:00Z",
        "event_time": ROW["departure"],
    }
    assert [{k: v for k, v in one.items() if k not in ("id", "latency_ms")} for one in answers] == [
        {
            "entity_id": "a",
            "prediction": True,
            "probability": 0.5,
            "confidence": UNCOUNTED,
            "source": "model",
            "reason": "champion",
            **common,
        },
        {
            "entity_id": "b",
            "prediction": False,
            "probability": 0.24,
            "confidence": NO_MODEL,
            "source": "fallback",
            "reason": "throttled",
            "cause": "THROTTLED",
            **common,
        },
    ]
    assert [record["id"] for record in answered.saved] == [one["id"] for one in answers]


def test_a_challengers_own_threshold_decides_its_rows_and_is_stored_with_them(aws, model):
    challenger = {
        "rollout": "experiment#r-1/1",
        "arm": "challenger",
        "role": "challenger",
        "release": "r-1",
        "endpoint": "flights-local-r-1",
        "start": 0.0,
        "end": 0.5,
        "since": "2013-04-01T00:00:00Z",
        "threshold": 0.4,
    }
    aws.routing(champion=aws.route()["champion"], claims=[challenger])
    model.scores(lambda instance: 0.45)
    _, reply = call(handler, POST, [row(f"flight {n}") for n in range(50)])
    assert {(one["role"], one["prediction"], one.get("threshold")) for one in reply["predictions"]} == {
        ("champion", False, None),
        ("challenger", True, 0.4),
    }
    assert {(one["role"], one["prediction"], one.get("threshold")) for one in aws.items(stage.PREDICTIONS)} == {
        ("champion", False, None),
        ("challenger", True, 0.4),
    }
