import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.config import Serving
from domain.contract import parse_timestamp
from domain.routing import EMPTY, choose, promote
from lambdas import clients, sleeping
from lambdas import predict as function
from lambdas.predict import handler, predict
from lambdas.responses import BadRequest
from lambdas.scoring import ModelFailed, Scores
from tests.lambdas import stage
from tests.lambdas.http_api import call

POST, ONE, MANY = "POST /predictions", "GET /predictions/{id}", "GET /predictions"
ROW = {
    "flight_id": "UA-1545-EWR-2013-04-01",
    "departure": "2013-04-01T09:15:00Z",
    "carrier": "UA",
    "origin": "EWR",
    "dest": "IAH",
    "month": 4,
    "weekday": 1,
    "hour": 5,
    "minute": 15,
    "arrival_hour": 8,
    "distance": 1400,
    "temp": 39.02,
}
CHAMPION = {"release": "r-1", "role": "champion", "weight": 100, "source": "model", "reason": "champion at weight 100"}
NO_RELEASE = {"release": None, "role": None, "source": "fallback", "reason": "no release yet"}


def row(name: str, **values) -> dict:
    return {**ROW, "flight_id": name, **values}


@pytest.fixture(autouse=True)
def cold_start():
    """Nothing of the routing is remembered from the test before."""
    function.ROUTING.routing, function.ROUTING.read_at = None, float("-inf")


def said(answer: dict) -> dict:
    """The answer without what is new each time."""
    return {name: value for name, value in answer.items() if name not in ("id", "made_at")}


# ---- what is answered


def test_the_champion_answers_and_the_answer_is_stored_with_its_features(aws, model):
    aws.route()
    model.says([0.71])
    before = datetime.now(UTC)

    status, answer = call(handler, POST, ROW)

    assert status == 200
    given = {"entity_id": ROW["flight_id"], "prediction": True, "probability": 0.71, **CHAMPION, "event_time": ROW["departure"]}
    assert said(answer) == given
    assert before <= parse_timestamp(answer["made_at"]) <= datetime.now(UTC)
    (stored,) = aws.items(stage.PREDICTIONS)
    nothing = dict.fromkeys(column.name for column in stage.CONTRACT.features)
    features = {**nothing, **{name: ROW[name] for name in ROW if name in nothing}}
    expires_at = int(parse_timestamp(answer["made_at"]).timestamp()) + 400 * 86400
    assert json.loads(stored.pop("features")) == features
    assert stored == {**answer, "contract_hash": stage.CONTRACT.hash, "expires_at": expires_at}
    assert model.calls == [("flights-local-r-1", [features])]


def test_a_list_is_answered_in_its_order_by_one_call_of_the_endpoint(aws, model):
    aws.route()
    model.scores(lambda instance: instance["hour"] / 100)

    status, reply = call(handler, POST, [row(f"flight {hour}", hour=hour) for hour in range(24)])

    assert status == 200
    assert [(one["entity_id"], one["probability"]) for one in reply["predictions"]] == [(f"flight {h}", h / 100) for h in range(24)]
    assert len(model.calls) == 1
    assert {one["id"] for one in aws.items(stage.PREDICTIONS)} == {one["id"] for one in reply["predictions"]}


def test_each_release_is_asked_once_for_the_rows_of_its_entities(aws, model):
    routes = [
        {"release": "r-1", "endpoint": "flights-local-r-1", "role": "champion", "weight": 60, "since": "2013-04-01T00:00:00Z"},
        {"release": "r-2", "endpoint": "flights-local-r-2", "role": "challenger", "weight": 40, "since": "2013-04-01T00:00:00Z"},
    ]
    routing = aws.routes(*routes)
    model.scores(lambda instance: instance["distance"] / 1000)
    rows = [row(f"flight {n}", distance=n + 1) for n in range(50)]

    _, reply = call(handler, POST, rows)

    expected = [choose(routing, one["flight_id"]) for one in rows]
    who = [(one["release"], one["role"], one["weight"], one["probability"]) for one in reply["predictions"]]
    assert who == [(r["release"], r["role"], r["weight"], (n + 1) / 1000) for n, r in enumerate(expected)]
    assert sorted((endpoint, len(rows)) for endpoint, rows in model.calls) == [
        ("flights-local-r-1", sum(r["release"] == "r-1" for r in expected)),
        ("flights-local-r-2", sum(r["release"] == "r-2" for r in expected)),
    ]


def test_before_the_first_release_the_contracts_prior_answers_and_no_model_is_asked(aws, model):
    status, answer = call(handler, POST, ROW)

    assert status == 200
    prior = {"entity_id": ROW["flight_id"], "prediction": False, "probability": 0.24}
    assert said(answer) == {**prior, **NO_RELEASE, "event_time": ROW["departure"]}
    assert model.calls == []


def test_while_no_release_may_answer_the_fallback_says_why(aws, model):
    paused = {"version": 4, "changed_at": "", "reason": "100 % of the budget is spent", "routes": [], "previous": []}
    aws.put(stage.ROUTING, item="routing", **paused)
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
def test_a_failing_model_is_a_fallback_answer_that_says_why_and_is_not_asked_again(aws, model, status, error, more, reason):
    aws.route()
    model.fails(status, error, **more)

    code, answer = call(handler, POST, ROW)

    assert code == 200
    assert (answer["probability"], answer["release"], answer["source"], answer["reason"]) == (0.24, "r-1", "fallback", reason)
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


def test_a_late_model_is_not_waited_for(aws, model):
    aws.route()
    model.sleeps(2.2)
    started = datetime.now(UTC)
    status, answer = call(handler, POST, ROW)
    assert (status, answer["source"], answer["reason"]) == (200, "fallback", "deadline of 1500 ms passed")
    assert (datetime.now(UTC) - started).total_seconds() < 2.1


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


# ---- when DynamoDB fails


def test_nothing_is_answered_that_could_not_be_stored(aws, model):
    aws.route()
    model.says([0.71])
    aws.dynamodb.delete_table(TableName=stage.PREDICTIONS)
    status, reply = call(handler, POST, ROW)
    message = "the answers could not be stored, so none is given; trying again is safe"
    assert (status, reply) == (503, {"error": "unavailable", "message": message})


def test_while_the_routing_cannot_be_read_the_last_known_release_answers(aws, model):
    aws.route()
    model.says([0.71])
    call(handler, POST, ROW)
    aws.dynamodb.delete_table(TableName=stage.ROUTING)
    function.ROUTING.read_at = float("-inf")
    _, answer = call(handler, POST, ROW)
    assert (answer["release"], answer["source"]) == ("r-1", "model")


def test_a_routing_that_was_never_read_leaves_the_fallback(aws):
    aws.dynamodb.delete_table(TableName=stage.ROUTING)
    status, answer = call(handler, POST, ROW)
    assert (status, answer["source"], answer["reason"]) == (200, "fallback", "routing not readable")


# ---- what is refused


def test_every_problem_of_every_row_is_named_and_nothing_is_asked_or_stored(aws, model):
    aws.route()
    rows = [
        ROW,
        row("b", carrier="ZZ", hour=-1, color="red"),
        {name: value for name, value in ROW.items() if name != "dest"},
        "not a row",
    ]
    status, reply = call(handler, POST, rows)
    assert status == 400
    carriers = "9E, AA, AS, B6, DL, EV, F9, FL, HA, MQ, OO, UA, ... (16 in all)"
    assert reply == {
        "error": "bad_request",
        "message": "5 problems in 3 of 4 rows; the first: row 1: color = 'red': unknown_column, is not in the contract 'flights'",
        "problems": [
            problem(1, "color", "red", "unknown_column", "is not in the contract 'flights'"),
            problem(1, "carrier", "ZZ", "category", f"must be one of {carriers}"),
            problem(1, "hour", -1, "minimum", "must be at least 0"),
            problem(2, "dest", None, "null", "must have a value"),
            problem(3, "(row)", "not a row", "type", "must be an object of column names to values"),
        ],
    }
    assert (model.calls, aws.items(stage.PREDICTIONS)) == ([], [])


def problem(number, column, value, rule, allowed):
    message = f"row {number}: {column} = {value!r}: {rule}, {allowed}"
    return {"row": number, "column": column, "value": value, "rule": rule, "allowed": allowed, "message": message}


@pytest.mark.parametrize(
    "body",
    ["", "{", "nonsense", "null", "7", '"text"', "[]", "true", '{"hour": NaN}', '{"hour": Infinity}', "[" * 100_000, "1" * 5000],
)
def test_a_body_that_holds_no_rows_is_a_bad_request(aws, body):
    status, reply = call(handler, POST, body)
    assert (status, reply["error"]) == (400, "bad_request")
    assert len(reply["message"]) < 300


@pytest.mark.parametrize("value", ["\ud800", "x" * 900_000, 10**400, {"a": {}}, [[]], "text", True])
def test_a_value_of_any_kind_is_refused_in_a_few_words(aws, value):
    status, reply = call(handler, POST, row("a", distance=value))
    assert (status, len(reply["problems"])) == (400, 1)
    assert len(json.dumps(reply)) < 1500


def test_half_a_surrogate_pair_is_no_text(aws):
    status, reply = call(handler, POST, '{"flight_id": "\\ud800", "color": 1}')
    assert status == 400
    assert reply["problems"][1]["column"] == "flight_id"


def test_a_body_of_many_unknown_columns_gets_a_reply_that_fits(aws):
    status, reply = call(handler, POST, {f"c{n}": 1 for n in range(60_000)})
    assert (status, len(reply["problems"])) == (400, 1000)
    assert reply["message"].startswith("60009 problems in 1 of 1 rows; the first: ")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW] * 101, "101 rows; at most 100 are answered at once, score more as a batch"),
        ([row("x" * 900_000), row("y" * 200_000)], "the body has 1,100,4"),
    ],
)
def test_too_much_at_once_is_413(aws, rows, message):
    status, reply = call(handler, POST, rows)
    assert (status, reply["error"]) == (413, "too_large")
    assert reply["message"].startswith(message)


def test_a_body_may_come_in_base64(aws):
    status, answer = call(handler, POST, raw=json.dumps(ROW).encode())
    assert (status, answer["entity_id"]) == (200, ROW["flight_id"])


def test_a_body_that_is_not_utf_8_is_a_bad_request(aws):
    status, reply = call(handler, POST, raw=b'{"flight_id": "\xff"}')
    assert (status, reply["error"]) == (400, "bad_request")


@pytest.mark.parametrize("broken", [None, {}, {"distance": "far"}, 7])
def test_an_unscorable_row_is_refused_before_any_call(broken):
    with pytest.raises(BadRequest):
        predict([broken], key="k", now=datetime.now(UTC), route=pytest.fail, ask=pytest.fail, answered=None)


# ---- asked again


def test_a_repeated_request_gets_the_stored_answers_and_no_second_scoring(aws, model):
    aws.route()
    model.says([0.71, 0.3])
    first = call(handler, POST, [row("a"), row("b")], headers={"idempotency-key": "key-1"})
    stored = aws.items(stage.PREDICTIONS)
    model.says([0.1, 0.1])

    again = call(handler, POST, [row("a"), row("b")], headers={"idempotency-key": "key-1"})

    assert again == first
    assert len(model.calls) == 1
    assert sorted(aws.items(stage.PREDICTIONS), key=str) == sorted(stored, key=str)


def test_the_order_of_keys_and_spaces_does_not_make_another_request(aws):
    first = call(handler, POST, json.dumps(ROW), headers={"idempotency-key": "key-1"})
    again = call(handler, POST, json.dumps(dict(reversed(ROW.items())), indent=2), headers={"idempotency-key": "key-1"})
    assert again == first


def test_a_key_used_for_another_body_is_a_conflict(aws):
    call(handler, POST, row("a"), headers={"idempotency-key": "key-1"})
    status, reply = call(handler, POST, row("b"), headers={"idempotency-key": "key-1"})
    message = "Idempotency-Key 'key-1' was used for another body; use a new key for a new request"
    assert (status, reply) == (409, {"error": "conflict", "message": message})


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_1_to_255_characters(aws, key):
    status, reply = call(handler, POST, ROW, headers={"idempotency-key": key})
    message = f"the Idempotency-Key has {len(key)} characters; 1 to 255 are allowed"
    assert (status, reply) == (400, {"error": "bad_request", "message": message})


def test_of_requests_at_the_same_time_with_one_key_all_get_the_answers_of_the_first(aws, model):
    aws.route()
    together, scores = threading.Barrier(6, timeout=10), iter(range(1, 7))

    def answers(endpoint, instances):
        score = next(scores) / 10
        together.wait()  # every request is scored before any is remembered
        return 200, {"predictions": [score]}, ""

    model.answers = answers
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: call(handler, POST, ROW, headers={"idempotency-key": "key-1"}), range(6)))

    assert [status for status, _ in replies] == [200] * 6
    assert len({json.dumps(reply, sort_keys=True) for _, reply in replies}) == 1
    (stored,) = [item for item in aws.items(stage.PREDICTIONS) if "entity_id" in item]
    assert (stored["id"], stored["probability"]) == (replies[0][1]["id"], replies[0][1]["probability"])


def test_a_request_killed_before_its_answers_were_stored_is_finished_by_its_repetition(aws, model):
    aws.route()
    model.says([0.71])
    _, answer = call(handler, POST, ROW, headers={"idempotency-key": "key-1"})
    aws.dynamodb.delete_item(TableName=stage.PREDICTIONS, Key={"id": {"S": answer["id"]}})
    _, again = call(handler, POST, ROW, headers={"idempotency-key": "key-1"})
    assert again == answer
    assert aws.item(stage.PREDICTIONS, id=answer["id"])["probability"] == 0.71


def test_a_key_is_free_again_once_its_request_expired(aws):
    call(handler, POST, row("a"), headers={"idempotency-key": "key-1"})
    (request,) = [item for item in aws.items(stage.PREDICTIONS) if item["id"].startswith("request#")]
    aws.put(stage.PREDICTIONS, **{**request, "expires_at": 1})
    status, answer = call(handler, POST, row("b"), headers={"idempotency-key": "key-1"})
    assert (status, answer["entity_id"]) == (200, "b")
    assert {item["entity_id"] for item in aws.items(stage.PREDICTIONS) if "entity_id" in item} == {"a", "b"}


# ---- what was answered


def test_an_answer_is_found_by_its_id(aws, model):
    aws.route()
    model.says([0.71])
    _, answer = call(handler, POST, ROW)
    assert call(handler, ONE, path={"id": answer["id"]}) == (200, answer)


@pytest.mark.parametrize("unknown", ["nobody", "ü", "x" * 5000])
def test_an_unknown_id_is_not_found(aws, unknown):
    status, reply = call(handler, ONE, path={"id": unknown})
    assert (status, reply["error"]) == (404, "not_found")


def test_a_remembered_request_is_not_a_prediction(aws):
    call(handler, POST, ROW, headers={"idempotency-key": "key-1"})
    (request,) = [item["id"] for item in aws.items(stage.PREDICTIONS) if "entity_id" not in item]
    assert call(handler, ONE, path={"id": request})[0] == 404


def test_the_answers_of_an_entity_come_newest_first_page_by_page(aws):
    given = [call(handler, POST, row("a", hour=hour))[1] for hour in range(5)]
    call(handler, POST, row("b"))

    pages, query = [], {"entity_id": "a", "limit": "2"}
    while True:
        _, page = call(handler, MANY, query=query)
        pages.append(page["predictions"])
        if page["next"] is None:
            break
        query["next"] = page["next"]

    assert [len(page) for page in pages if page] == [2, 2, 1]
    assert sum(pages, []) == given[::-1]


def test_an_entity_that_nobody_asked_about_has_no_answers(aws):
    assert call(handler, MANY, query={"entity_id": "nobody"}) == (200, {"predictions": [], "next": None})


@pytest.mark.parametrize(
    "query",
    [{}, {"entity_id": ""}, *({"entity_id": "a", "limit": limit} for limit in ("0", "101", "-1", "x", "", "9" * 5000, "²"))],
)
def test_a_question_without_an_entity_or_with_a_wrong_limit_is_a_bad_request(aws, query):
    status, reply = call(handler, MANY, query=query)
    assert (status, reply["error"]) == (400, "bad_request")


@pytest.mark.parametrize("token", ["", "x", "bnVsbA==", "W10=", "WyIiLCAiIl0=", "WzEsIDJd", "ü"])
def test_a_page_that_was_never_given_out_is_a_bad_request(aws, token):
    status, reply = call(handler, MANY, query={"entity_id": "a", "next": token})
    assert (status, reply["error"]) == (400, "bad_request")


# ---- outside office hours


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
    assert (status, answer["source"], answer["reason"], answer["release"]) == (200, "fallback", "outside office hours", "r-1")
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


# ---- what is logged and measured


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
    aws.put(stage.ROUTING, item="routing", version=1)
    status, reply = call(handler, POST, ROW)
    message = "this is our fault; nothing was answered, trying again is safe"
    assert (status, reply) == (500, {"error": "internal", "message": message})
    assert "KeyError" in caplog.text


# ---- the decision, without any AWS


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
        ask=lambda calls: [Scores([0.5, ModelFailed("throttled")]) for _ in calls],
        answered=answered,
    )

    common = {"release": "r-1", "role": "champion", "weight": 100, "made_at": "2013-04-01T09:00:00Z", "event_time": ROW["departure"]}
    assert [{k: v for k, v in one.items() if k != "id"} for one in answers] == [
        {"entity_id": "a", "prediction": True, "probability": 0.5, "source": "model", "reason": "champion at weight 100", **common},
        {"entity_id": "b", "prediction": False, "probability": 0.24, "source": "fallback", "reason": "throttled", **common},
    ]
    assert [record["id"] for record in answered.saved] == [one["id"] for one in answers]
