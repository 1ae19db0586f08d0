"""The Python client: signed, on kept connections, repeated only where that is safe, page by page."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.auth import SigV4Auth

from fairway.client import Credentials, Failed, Fairway, Refused

KEYS = Credentials("AKIDEXAMPLE", "secret")


def client_of(url: str) -> Fairway:
    return Fairway(url=url, region="eu-west-1", credentials=KEYS, timeout_s=5)


def echo(request):
    rows = request["body"]
    answers = [{"id": f"id-{row['n']}", "probability": 0.5} for row in (rows if isinstance(rows, list) else [rows])]
    return 200, {"predictions": answers} if isinstance(rows, list) else answers[0]


def test_a_row_gets_an_answer_and_a_list_a_list_over_one_connection_signed_for_the_api(api):
    url, seen = api(echo)
    client = client_of(url)
    assert client.predict({"n": 1}) == {"id": "id-1", "probability": 0.5}
    assert client.predict([{"n": 1}, {"n": 2}]) == [
        {"id": "id-1", "probability": 0.5},
        {"id": "id-2", "probability": 0.5},
    ]
    assert {request["path"] for request in seen} == {"/api/predictions"}
    assert len({request["connection"] for request in seen}) == 1
    for request in seen:
        authorization = request["headers"]["authorization"]
        assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        assert "/eu-west-1/execute-api/aws4_request" in authorization and "idempotency-key" in authorization


def test_a_body_is_sent_at_once_and_not_held_back_until_its_headers_are_acknowledged(api, monkeypatch):
    options = []
    monkeypatch.setattr(
        socket.socket,
        "setsockopt",
        lambda own, *option: options.append(option) or own.__class__.__base__.setsockopt(own, *option),
    )
    url, _ = api(echo)
    client_of(url).predict({"n": 1})
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://abc123.execute-api.eu-central-1.amazonaws.com", "eu-central-1"),
        ("https://abc123.execute-api.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
    ],
)
def test_the_region_is_read_from_a_url_of_aws(monkeypatch, url, region):
    regions = []
    monkeypatch.setattr(SigV4Auth, "add_auth", lambda signer, request: regions.append(signer._region_name))
    monkeypatch.setattr("fairway.client.connections.Connections.exchange", lambda *_: pytest.fail("sent"))
    with pytest.raises(pytest.fail.Exception):
        Fairway(url=url, credentials=KEYS).predict({"n": 1})
    assert regions == [region]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("abc123.execute-api.eu-central-1.amazonaws.com", "url = 'abc123.*: must be the API's, such as https://"),
        ("https://api.example.com", "must contain its region; pass region= or set AWS_DEFAULT_REGION"),
    ],
)
def test_a_url_that_cannot_be_signed_for_is_refused(monkeypatch, url, reason):
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(Refused, match=reason):
        Fairway(url=url)


def test_a_prediction_is_tried_again_under_the_same_key_when_no_answer_came(api):
    url, seen = api(lambda _: (0, None), lambda _: (503, {"message": "busy"}), echo)
    assert client_of(url).predict({"n": 1}, idempotency_key="mine")["id"] == "id-1"
    assert [request["headers"]["idempotency-key"] for request in seen] == ["mine"] * 3


def test_a_kept_connection_that_the_api_closed_is_replaced_at_once(api, monkeypatch):
    monkeypatch.setattr("fairway.client.api.time.sleep", lambda pause: pytest.fail(f"waited {pause} s"))
    url, seen = api(echo, lambda _: (0, None), echo)
    client = client_of(url)
    assert [client.predict({"n": 1})["id"] for _ in range(2)] == ["id-1"] * 2
    first, closed, again = (request["connection"] for request in seen)
    assert first == closed != again


def test_threads_share_the_connections_and_none_is_used_by_two_at_once(api):
    together = threading.Barrier(4, timeout=20)

    def answer_together(request):
        together.wait()
        return echo(request)

    url, seen = api(answer_together)
    client = client_of(url)
    for _ in range(2):
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda number: client.predict({"n": number}), range(4)))
    at_once = [{request["connection"] for request in seen[first : first + 4]} for first in (0, 4)]
    assert len(at_once[0]) == 4 and at_once[0] == at_once[1]


def test_a_stored_answer_is_read_back_by_its_id(api):
    url, seen = api(lambda request: (200, {"id": "a/b"}))
    assert client_of(url).prediction("a/b") == {"id": "a/b"}
    assert [request["path"] for request in seen] == ["/api/predictions/a%2Fb"]


def test_the_answers_about_an_entity_are_read_page_by_page_as_they_are_wanted(api):
    url, seen = api(
        lambda _: (200, {"predictions": [{"id": "1"}, {"id": "2"}], "next": "a=="}),
        lambda _: (200, {"predictions": [{"id": "3"}], "next": None}),
    )
    answers = client_of(url).predictions("UA 1|é", page=2)
    assert seen == []
    assert next(answers) == {"id": "1"}
    assert [request["path"] for request in seen] == ["/api/predictions?entity_id=UA%201%7C%C3%A9&limit=2"]
    assert list(answers) == [{"id": "2"}, {"id": "3"}]
    assert seen[1]["path"] == "/api/predictions?entity_id=UA%201%7C%C3%A9&limit=2&next=a%3D%3D"


def test_a_breach_of_the_contract_names_every_problem_and_is_not_tried_again(api):
    problems = [{"message": "hour = 25"}, {"message": "origin = 'XXX'"}]
    url, seen = api(lambda _: (400, {"error": "contract", "message": "2 problems", "problems": problems}))
    with pytest.raises(Refused) as refused:
        client_of(url).predict({"n": 1})
    assert (refused.value.error, refused.value.status, refused.value.problems) == ("contract", 400, problems)
    assert refused.value.message.splitlines() == [
        "POST /predictions: answered 400: 2 problems",
        "  hour = 25",
        "  origin = 'XXX'",
    ]
    assert len(seen) == 1


def test_a_caller_without_permission_is_told_so(api):
    url, _ = api(lambda _: (403, {"message": "Forbidden"}))
    with pytest.raises(Failed, match="answered 403: Forbidden"):
        client_of(url).predict({"n": 1})


def test_without_credentials_nothing_is_tried_again(api, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr("fairway.client.api.time.sleep", lambda pause: pytest.fail(f"waited {pause} s"))
    url, seen = api(echo)
    with pytest.raises(Refused, match="no AWS credentials to sign with"):
        Fairway(url=url, region="eu-west-1").predict({"n": 1})
    assert seen == []


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        (lambda client: client.predict({"n": 1}, idempotency_key="ключ"), "idempotency_key = "),
        (lambda client: client.predict({"customer": "x\ud800"}), "customer = "),
        (lambda client: client.prediction("\ud800"), "prediction_id = "),
        (lambda client: client.prediction(""), "prediction_id = "),
        (lambda client: list(client.predictions("\ud800")), "entity_id = "),
        (lambda client: client.outcomes({"entity_id": "a", "outcome": b"1"}), "outcome = "),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name_before_anything_is_sent(api, ask, named):
    url, seen = api(echo)
    with pytest.raises(Refused, match=f"^{named}"):
        ask(client_of(url))
    assert seen == []


def test_a_project_and_a_stage_find_the_api_too(place, api):
    url, seen = api(echo)
    place.enter(api_url=url)
    assert Fairway(project=place.folder).predict({"n": 1})["id"] == "id-1"
    assert "/us-east-1/execute-api/aws4_request" in seen[0]["headers"]["authorization"]
