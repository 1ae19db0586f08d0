"""The Python client and `fairway predict`: signed, on kept connections, repeated only where that is safe."""

import json

import pytest

from fairway.client import Fairway
from fairway.terminal.errors import Failed, Refused
from tests.fairway.api import serving


def echo(request):
    rows = request["body"]
    answers = [{"id": f"id-{row['n']}", "probability": 0.5} for row in (rows if isinstance(rows, list) else [rows])]
    return 200, {"predictions": answers} if isinstance(rows, list) else answers[0]


@pytest.fixture
def api(place):
    """Builds a client of an API that gives these answers, one after the other, the last one for ever."""
    opened = []

    def build(*answers):
        given = list(answers)
        server = serving(given.pop(0) if len(given) > 1 else given[0])
        url, seen = server.__enter__()
        opened.append(server)
        place.enter(api_url=url)
        return Fairway(project=place.folder, timeout_s=5), seen

    yield build
    for server in opened:
        server.__exit__(None, None, None)


def test_a_row_gets_an_answer_and_a_list_a_list_over_one_connection_signed_for_the_api(api):
    client, seen = api(echo)
    assert client.predict({"n": 1}) == {"id": "id-1", "probability": 0.5}
    assert client.predict([{"n": 1}, {"n": 2}]) == [
        {"id": "id-1", "probability": 0.5},
        {"id": "id-2", "probability": 0.5},
    ]
    assert {request["path"] for request in seen} == {"/api/predictions"}
    assert len({request["connection"] for request in seen}) == 1
    for request in seen:
        authorization = request["headers"]["authorization"]
        assert authorization.startswith("AWS4-HMAC-SHA256 Credential=000000000000/")
        assert "/us-east-1/execute-api/aws4_request" in authorization and "idempotency-key" in authorization


def test_a_prediction_is_tried_again_under_the_same_key_when_no_answer_came(api):
    client, seen = api(lambda _: (0, None), lambda _: (503, {"message": "busy"}), echo)
    assert client.predict({"n": 1}, idempotency_key="mine")["id"] == "id-1"
    assert [request["headers"]["idempotency-key"] for request in seen] == ["mine"] * 3


def test_stored_answers_are_read_back_by_id_and_by_entity(api):
    client, seen = api(
        lambda request: (200, {"predictions": [{"id": "1"}]} if "?" in request["path"] else {"id": "a/b"})
    )
    assert client.prediction("a/b") == {"id": "a/b"}
    assert client.predictions("UA 1|é") == [{"id": "1"}]
    assert [request["path"] for request in seen] == [
        "/api/predictions/a%2Fb",
        "/api/predictions?entity_id=UA%201%7C%C3%A9",
    ]


def test_a_breach_of_the_contract_names_every_problem_and_is_not_tried_again(api):
    reply = {
        "error": "contract",
        "message": "2 problems",
        "problems": [{"message": "hour = 25"}, {"message": "origin = 'XXX'"}],
    }
    client, seen = api(lambda _: (400, reply))
    with pytest.raises(Refused) as refused:
        client.predict({"n": 1})
    assert (refused.value.error, refused.value.message.splitlines()) == (
        "contract",
        ["/predictions answered 400: 2 problems", "  hour = 25", "  origin = 'XXX'"],
    )
    assert len(seen) == 1


def test_without_credentials_nothing_is_tried_again(api, monkeypatch):
    client, seen = api(echo)
    monkeypatch.setattr("fairway.client.time.sleep", lambda pause: pytest.fail(f"waited {pause} s"))
    monkeypatch.setattr(client.stage.session, "get_credentials", lambda: None)
    with pytest.raises(Refused, match="no AWS credentials to sign with"):
        client.predict({"n": 1})
    assert seen == []


def test_a_long_file_says_how_far_it_is(place, api, tmp_path, monkeypatch):
    monkeypatch.setattr("fairway.terminal.progress.PLAIN_EVERY_S", 0.0)
    api(lambda request: (200, {"predictions": [{"id": "1"} for _ in request["body"]]}))
    (tmp_path / "rows.csv").write_text("hour\n" + "1\n" * 250)
    code, _, err = place.run("predict", "--file", tmp_path / "rows.csv")
    assert code == 0
    assert err.splitlines()[:4] == ["Asking for predictions", "  100 answered", "  200 answered", "  250 answered"]


def test_who_may_not_ask_is_told_so(api):
    client, _ = api(lambda _: (403, {"message": "Forbidden"}))
    with pytest.raises(Failed, match="answered 403: Forbidden"):
        client.predict({"n": 1})


def test_predict_prints_a_list_whatever_it_was_given(place, api):
    api(echo)
    assert [answer["id"] for answer in place.values("predict", "--json", '{"n": 7}')] == ["id-7"]
    assert [answer["id"] for answer in place.values("predict", "--json", '[{"n": 7}, {"n": 8}]')] == ["id-7", "id-8"]


def test_predict_reads_a_file_with_the_contracts_types_a_hundred_rows_at_a_time(place, api, tmp_path):
    _client, seen = api(lambda request: (200, {"predictions": [{"id": row["hour"]} for row in request["body"]]}))
    file = tmp_path / "rows.csv"
    file.write_text("flight_id,hour,temp,late\n" + "".join(f"007,{n % 24},,true\n" for n in range(150)))
    assert [answer["id"] for answer in place.values("predict", "--file", file)] == [n % 24 for n in range(150)]
    assert [len(request["body"]) for request in seen] == [100, 50]
    assert seen[0]["body"][1] == {"flight_id": "007", "hour": 1, "temp": None, "late": True}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give either --json ROWS or --file FILE"),
        (["--json", "{not json"], "--json: not valid JSON"),
        (["--json", "[1]"], "must be an object of column names to values, or a list of them; found 1"),
        (["--json", "[]"], "must be an object of column names to values, or a list of them; found []"),
        (["--file", "nowhere.csv"], "nowhere.csv: not found"),
    ],
)
def test_predict_refuses_what_is_no_row_in_json_always(place, words, said):
    code, out, _ = place.run("predict", *words)
    failure = json.loads(out)
    assert code == 2 and said in failure["message"]


def test_an_api_that_is_not_there_is_named(place):
    place.enter(api_url="http://127.0.0.1:9/")
    code, out, _ = place.run("predict", "--json", '{"n": 1}')
    failure = json.loads(out)
    assert (code, failure["error"]) == (1, "no_reply")
    assert "http://127.0.0.1:9/predictions" in failure["message"] and "`fairway up --project " in failure["message"]
