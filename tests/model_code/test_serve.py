"""serve: the SageMaker hosting contract, through HTTP, with nothing installed but what the image has."""

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from model_code.answers.answering import respond
from model_code.answers.media_types import CSV, LINES
from model_code.answers.reply import JSON, RequestRefused
from model_code.artefact.folder import open_artefact
from tests.model_code.serving import (
    IMAGE_PYTHON,
    PATIENCE,
    ROOT,
    ROW,
    SECRET,
    ask,
    finish,
    half_sent,
    instances,
    serving,
    wait_for,
)


@pytest.fixture(scope="module")
def server(returns):
    with serving(returns.models["gradient_boosting"].parent, MAX_CONCURRENT_REQUESTS="2") as process:
        yield process


def test_ping_answers_and_golden_rows_get_their_golden_answers(server, returns):
    golden = open_artefact(returns.models["gradient_boosting"]).golden
    status, _, body = ask(server.port, "GET", "/ping")
    assert (status, body) == (200, b"")
    status, headers, body = ask(server.port, body=instances(*golden["instances"]), Content_Type="application/json")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["predictions"] == pytest.approx(golden["predictions"], abs=1e-12)


def test_the_images_own_health_check_sees_the_server_and_sees_none(server):
    dockerfile = (ROOT / "model_code/Dockerfile").read_text().replace("\\\n", "")
    program, *arguments = json.loads(re.search(r"HEALTHCHECK .*? CMD (\[.*\])", dockerfile)[1])
    assert program == "python"
    for port, healthy in ((server.port, True), (1, False)):
        environment = {"PATH": os.environ["PATH"], "SAGEMAKER_BIND_TO_PORT": str(port)}
        found = subprocess.run([IMAGE_PYTHON, *arguments], env=environment, capture_output=True, check=False)
        assert (found.returncode == 0) == healthy


def test_json_lines_and_csv_get_the_answers_of_json(server):
    rows = [ROW, {**ROW, "größe (cm)": None, "shelf": 1}]
    _, _, body = ask(server.port, body=instances(*rows))
    expected = json.loads(body)["predictions"]
    lines = "\n".join(map(json.dumps, rows)).encode()
    _, headers, body = ask(server.port, body=lines, Content_Type="application/jsonlines")
    assert headers["content-type"] == "application/jsonlines"
    assert [json.loads(line) for line in body.splitlines()] == expected
    named = f'shelf,class,größe (cm),1st.order\n30,"{SECRET}",181.5,true\n1,{SECRET},,yes\n'.encode()
    in_order = f"181.5,{SECRET},true,30,,\n,{SECRET},1,1,,\n".encode()
    for table in (named, in_order):
        _, headers, body = ask(server.port, body=table, Content_Type="text/csv; charset=utf-8")
        assert headers["content-type"] == "text/csv"
        assert [float(line) for line in body.splitlines()] == expected
        _, _, body = ask(server.port, body=table, Content_Type="text/csv", Accept="application/json")
        assert json.loads(body)["predictions"] == expected


def test_a_bad_row_is_answered_by_its_error_and_spoils_no_other(server):
    status, _, body = ask(server.port, body=instances(ROW, {**ROW, "shelf": 4}, "row", {**ROW, "stranger": 1}, ROW))
    first, category, shape, stranger, last = json.loads(body)["predictions"]
    assert status == 200
    assert first == last == pytest.approx(0.9, abs=0.1)
    assert category == {"error": "shelf = 4: must be one of 1, 2, 30"}
    assert shape == {"error": "row = 'row': must be an object of column names to values"}
    assert stranger == {"error": "'stranger' is not in the contract 'returns'"}


@pytest.mark.parametrize(
    ("request_", "status", "error"),
    [
        ({"method": "GET", "path": "/"}, 404, "not_found"),
        ({"method": "GET"}, 405, "method_not_allowed"),
        ({"body": b"{"}, 400, "bad_request"),
        ({"body": b"[]"}, 400, "bad_request"),
        ({"body": b"\xff"}, 400, "bad_request"),
        ({"body": b'"', "Content_Type": "text/csv"}, 400, "bad_request"),
        ({"body": b"{}", "Content_Type": "application/x-image"}, 415, "unsupported_content_type"),
        ({"body": instances(ROW), "Accept": "text/html"}, 406, "unsupported_accept"),
        ({"body": b" " * (6 * 1024 * 1024 + 1)}, 413, "too_large"),
    ],
)
def test_what_cannot_be_answered_gets_one_shape_of_error(server, request_, status, error):
    found, headers, body = ask(server.port, **request_)
    assert (found, headers["content-type"], json.loads(body)["error"]) == (status, "application/json", error)
    assert json.loads(body)["message"]


def test_six_megabytes_are_answered(server):
    rows = [ROW] * 40_000
    body = instances(*rows)
    assert 3e6 < len(body) < 6 * 1024 * 1024
    status, _, answer = ask(server.port, body=body)
    assert (status, len(json.loads(answer)["predictions"])) == (200, len(rows))


def test_rows_that_ask_for_more_reasons_than_fit_into_an_answer_are_refused_as_a_whole(server):
    status, _, body = ask(server.port, body=b'{"instances": [' + b"{}," * 200_000 + b"{}]}")
    assert (status, json.loads(body)["error"]) == (413, "too_many_faults")
    assert "shelf is missing; it must have a value" in json.loads(body)["message"] and len(body) < 500


def test_one_request_too_many_at_once_is_told_to_come_back(server):
    body = instances(ROW)
    waiting = [half_sent(server.port, body) for _ in range(2)]
    status, headers, refused = ask(server.port, body=body)
    assert (status, headers["retry-after"], json.loads(refused)["error"]) == (429, "1", "too_many_requests")
    assert ask(server.port, "GET", "/ping")[0] == 200
    assert [finish(connection, body)[0] for connection in waiting] == [200, 200]
    assert ask(server.port, body=body)[0] == 200


def test_sigterm_lets_a_request_finish_and_the_log_holds_no_row(returns):
    body = instances(ROW)
    with serving(returns.models["logistic_regression"].parent) as process:
        assert ask(process.port, body=body)[0] == 200
        assert ask(process.port, body=b"{" + body)[0] == 400
        connection = half_sent(process.port, body)
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: not lets_in(process.port))
        status, answer = finish(connection, body)
        assert (status, len(json.loads(answer)["predictions"])) == (200, 1)
        assert process.wait(timeout=PATIENCE) == 0
    logged = [json.loads(line) for line in process.log.splitlines()]
    events = [event for event in logged if event["event"] != "slow"]  # as this machine may be
    assert [event["event"] for event in events] == ["ready", "refused", "answered"]
    ready, refused, answered = events
    assert (ready["engine"], ready["workers"]) == ("kernel", 1)
    assert (refused["status"], refused["error"], refused["path"]) == (400, "bad_request", "/invocations")
    assert refused["ms"] == pytest.approx(refused["read_ms"] + refused["wait_ms"] + refused["score_ms"], abs=0.01)
    assert (answered["requests"], answered["rows"], answered["refused_rows"]) == (2, 2, 0)
    assert answered["read_ms"].keys() == answered["wait_ms"].keys() == answered["score_ms"].keys() == {"p50", "p99"}
    assert 0.001 < answered["score_ms"]["p99"] < 1000 * PATIENCE  # microseconds are told apart
    assert SECRET not in process.log and "181.5" not in process.log


def lets_in(port):
    with socket.socket() as probe:
        probe.settimeout(0.1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give root up")
def test_root_is_given_up_before_the_first_request(returns):
    with serving(returns.models["prior"].parent, SERVE_AS_UID="10001") as process:
        owner = Path(f"/proc/{process.pid}/status").read_text()
        assert "Uid:\t10001\t10001\t10001\t10001" in owner and "Gid:\t10001\t10001\t10001\t10001" in owner
        assert ask(process.port, body=instances(ROW))[0] == 200


def test_an_artefact_that_was_changed_is_never_served(returns, copy_of, run_verb, capsys):
    folder = copy_of(returns.models["prior"])
    (folder.rename(folder.parent / "model") / "golden.json").write_text("{}")
    assert run_verb("serve", folder.parent) == 1
    assert "model/golden.json was changed" in capsys.readouterr().err


def test_an_artefact_that_is_not_the_signed_one_is_never_served(returns, copy_of, run_verb, monkeypatch, capsys):
    folder = copy_of(returns.models["prior"])
    folder.rename(folder.parent / "model")
    monkeypatch.setenv("ARTEFACT_SHA256", "0" * 64)
    assert run_verb("serve", folder.parent) == 1
    assert "manifest.json is not the one that was signed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_CONCURRENT_REQUESTS", "0"),
        ("MAX_CONCURRENT_REQUESTS", "many"),
        ("REQUEST_DEADLINE_SECONDS", "nan"),
        ("SAGEMAKER_BIND_TO_PORT", "65536"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "-1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name_and_value(returns, run_verb, monkeypatch, capsys, name, value):
    monkeypatch.setenv(name, value)
    assert run_verb("serve", returns.models["prior"].parent) == 1
    assert f"{name} = '{value}': must be a number from" in capsys.readouterr().err


def test_a_multiclass_answer_has_a_probability_for_each_class(parcels):
    artefact = open_artefact(parcels.models["gradient_boosting"])
    reply = respond(artefact, instances({"weight": 9.0, "from": "C"}, {"weight": -1, "from": "C"}))
    document = json.loads(reply.body)
    assert document["classes"] == [1, 2, 3]
    assert sum(document["predictions"][0]) == pytest.approx(1)
    assert document["predictions"][0][2] > 0.9
    assert document["predictions"][1] == {"error": "weight = -1.0: must be at least 0"}
    assert (reply.rows, reply.refused) == (2, 1)
    csv = respond(artefact, b"9.0,C\n-1,C\n", "text/csv").body.decode().splitlines()
    assert [float(cell) for cell in csv[0].split(",")] == document["predictions"][0]
    assert csv[1] == ",,,weight = -1.0: must be at least 0"


def test_an_accept_header_may_list_and_weigh(parcels):
    artefact = open_artefact(parcels.models["prior"])
    body = instances({"weight": 1.0, "from": "A"})
    for accept, kind in {
        "": JSON,
        "text/html, application/jsonlines;q=0.5": LINES,
        "text/html, */*": JSON,
        "text/csv, application/jsonlines": CSV,
        "application/jsonlines;q=0.1, Text/CSV ; q=0.25": CSV,
        "text/*": CSV,
        "application/json;q=0, application/*": LINES,
        "application/json; charset=utf-8; q=0.5, */*;q=0.1": JSON,
        "text/csv;q=2": CSV,
    }.items():
        assert respond(artefact, body, accept=accept).content_type == kind, accept
    for accept in ("text/html", "application/json;q=0", "*/*;q=0.0"):
        with pytest.raises(RequestRefused):
            respond(artefact, body, accept=accept)


def test_nothing_heavy_is_imported_to_serve(returns):
    """scikit-learn alone would cost a cold start a second."""
    probe = "import sys, pathlib, model_code.serve; model_code.serve.open_artefact(pathlib.Path(sys.argv[1])); "
    probe += "print([name for name in ('sklearn', 'scipy', 'joblib', 'pandas') if name in sys.modules])"
    found = subprocess.run(
        [IMAGE_PYTHON, "-c", probe, returns.models["prior"]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
