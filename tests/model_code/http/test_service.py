"""What is answered at which path, without a connection: each request by its own headers, whatever came before it."""

import json
from types import SimpleNamespace

import pytest

from model_code.artefact.folder import open_artefact
from model_code.http.service import Service


def request(**given):
    asked = {
        "path": b"/invocations",
        "method": b"POST",
        "content_type": None,
        "accept": None,
        "attributes": None,
        "json_bytes": None,
    }
    return SimpleNamespace(**{**asked, "body": b'{"instances": [{"weight": 9.0, "from": "C"}]}', **given})


@pytest.fixture(scope="module")
def service(parcels):
    return Service(open_artefact(parcels.models["gradient_boosting"]), name="parcels")


def test_requests_to_one_path_are_answered_each_by_its_own_headers(service):
    line, row = b'{"weight": 9.0, "from": "C"}', b"9.0,C"
    for _ in range(2):
        document = json.loads(service.answer(request(content_type=b"application/json")).body)
        lines = service.answer(request(content_type=b"application/jsonlines", body=line))
        csv = service.answer(request(content_type=b"Text/CSV; charset=utf-8", body=row))
        mixed = service.answer(request(content_type=b"text/csv", accept=b"application/json", body=row))
        assert [lines.content_type, csv.content_type, mixed.content_type] == [
            "application/jsonlines",
            "text/csv",
            "application/json",
        ]
        assert [json.loads(lines.body)] == [[float(cell) for cell in csv.body.split(b",")]] == document["predictions"]
        assert json.loads(mixed.body) == document


@pytest.mark.parametrize(
    ("asked", "status", "error"),
    [
        ({"path": b"/nowhere?x=1"}, 404, "not_found"),
        ({"method": b"PUT"}, 405, "method_not_allowed"),
        ({"path": b"/ping"}, 405, "method_not_allowed"),
        ({"content_type": b"image/png"}, 415, "unsupported_content_type"),
        ({"accept": b"\xff"}, 406, "unsupported_accept"),
    ],
)
def test_what_is_refused_is_refused_each_time_and_spoils_nothing(service, asked, status, error):
    for _ in range(2):
        refusal = service.answer(request(**asked))
        assert (refusal.status, json.loads(refusal.body)["error"]) == (status, error)
        assert service.answer(request(path=b"/invocations?any=1")).status == 200


def test_a_refused_method_is_told_the_one_that_is_allowed_and_a_head_is_as_good_as_a_get(service):
    assert [service.answer(request(path=path)).more for path in (b"/ping", b"/v2")] == [b"allow: GET\r\n"] * 2
    assert service.answer(request(method=b"GET")).more == b"allow: POST\r\n"
    assert service.answer(request(method=b"HEAD", path=b"/ping")).status == 200


@pytest.mark.parametrize(
    "target", [b"/v2/models/parcel%73", b"http://host:8080/v2/models/parcels?x=1", b"https://h/v2/models/parcels"]
)
def test_a_target_may_be_escaped_or_a_whole_address(service, target):
    assert json.loads(service.answer(request(path=target, method=b"GET")).body)["name"] == "parcels"


def test_a_callers_attributes_come_back_with_the_answer(service):
    assert service.answer(request(attributes=b"trace=1")).more == b"x-amzn-sagemaker-custom-attributes: trace=1\r\n"
    assert service.answer(request()).more == b""


def test_a_model_that_fails_is_named_in_the_log_and_not_to_the_client(parcels, capsys):
    def fail(body, form):
        raise ZeroDivisionError("9.0 of C")

    broken = SimpleNamespace(contract=parcels.contract, sha256="0", scorer=SimpleNamespace(reply_within=fail))
    reply = Service(broken, name="parcels").answer(request())
    assert (reply.status, json.loads(reply.body)["error"]) == (500, "internal_error")
    assert "9.0" not in reply.body.decode()
    assert json.loads(capsys.readouterr().out) == {"event": "failed", "error": "ZeroDivisionError"}
