"""Who answers, by the settings and by what became of the endpoint: it, the model in the function, or the prior."""

import dataclasses
import json
import shutil
import tempfile
import time

import pytest

from domain.names import Metric
from domain.reasons import PLANNED
from lambdas.aws import artefacts, clients
from lambdas.request import asking, carried, embedded, sleeping
from lambdas.request import predict as function
from lambdas.request.predict import handler
from model_code import kernel
from tests.lambdas import stage, trained
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import POST, ROW, row
from tests.lambdas.trained import KEY, URI

pytestmark = pytest.mark.skipif(not kernel.BUILT, reason="the kernel is not built")


@pytest.fixture(autouse=True)
def cold_start(monkeypatch, tmp_path, aws):
    """A process that begins, with an empty /tmp and the lake where moto has it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(asking, "MODELS", embedded.Models(carried.open_model))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", clients.url_of("dynamodb", "us-east-1"))
    clients.artefacts.cache_clear()
    function.ROUTING.routing, function.ROUTING.read_at = None, float("-inf")
    yield
    clients.artefacts.cache_clear()


@pytest.fixture
def serving(monkeypatch):
    """Sets settings of [serving]."""

    def serving(**settings):
        config = dataclasses.replace(stage.CONFIG, serving=dataclasses.replace(stage.CONFIG.serving, **settings))
        for module in (asking, function, sleeping):
            monkeypatch.setattr(module, "CONFIG", config)

    return serving


@pytest.fixture
def released(aws):
    """Releases a model to everybody, as its training, its judge and its release flow leave it."""

    def released(candidate="gradient_boosting", **changed):
        folder = trained.model(candidate)
        aws.upload(KEY, trained.archive_of(folder))
        aws.released(model_uri=URI, sha256=trained.signed(folder), **changed)
        aws.route()
        return folder

    return released


def score(folder, row):
    """P(positive) as the container's own code gives it."""
    return json.loads(trained.reply(folder, row))["predictions"][0]


def who(answer: dict) -> tuple:
    return answer["source"], answer["release"], answer.get("instead_of", answer["reason"])


# ---- serving.mode = "function"


def test_the_function_answers_to_the_last_bit_as_the_endpoint_would_and_asks_none(aws, model, released, serving):
    folder = released()
    serving(mode="function")
    rows = [row(f"AA-{n}", hour=n % 24, distance=100 + n, carrier="AA") for n in range(50)]
    status, document = call(handler, POST, rows)
    answers = document["predictions"]
    assert status == 200
    assert [answer["probability"] for answer in answers] == [score(folder, one) for one in rows]
    assert {who(answer) for answer in answers} == {("function", "r-1", "champion")}
    assert (model.calls, len({answer["probability"] for answer in answers}) > 5) == ([], True)


def test_the_first_request_after_a_release_waits_for_its_model_and_the_second_does_not(released, serving, monkeypatch):
    released()
    serving(mode="function")
    opened = []
    was = artefacts.open_release
    monkeypatch.setattr(artefacts, "open_release", lambda item, verify: opened.append(item) or was(item, verify=verify))
    assert [call(handler, POST, ROW)[1]["source"] for _ in range(3)] == ["function"] * 3
    assert [item["release"] for item in opened] == ["r-1"]


def test_a_model_that_takes_too_long_to_open_is_late_and_there_for_the_next_request(released, serving, monkeypatch):
    released()
    serving(mode="function", deadline_ms=50)

    was = artefacts.open_release

    def slow(item, verify):
        time.sleep(0.4)
        return was(item, verify=verify)

    monkeypatch.setattr(artefacts, "open_release", slow)
    assert who(call(handler, POST, ROW)[1]) == ("fallback", "r-1", "deadline of 50 ms passed")
    asking.MODELS.opened("r-1").result(30)
    assert who(call(handler, POST, ROW)[1]) == ("function", "r-1", "champion")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("plan.bin", b"another model", "ArtefactRefused"),
        ("golden.json", b"{}", "ArtefactRefused"),
        ("manifest.json", b'{"format": "plan"}', "ArtefactRefused"),
        ("more.py", b"import os", "ArtefactRefused"),
    ],
)
def test_an_artefact_that_was_changed_in_the_lake_answers_nobody(
    aws, released, serving, tmp_path, name, content, reason
):
    folder = shutil.copytree(released(), tmp_path / "changed")
    (folder / name).write_bytes(content)
    aws.upload(KEY, trained.archive_of(folder))
    serving(mode="function")
    assert who(call(handler, POST, ROW)[1]) == ("fallback", "r-1", f"model not in the function ({reason})")


def test_a_release_that_this_stage_did_not_sign_answers_nobody(aws, released, serving):
    released(signature="AAAA")
    serving(mode="function")
    assert who(call(handler, POST, ROW)[1]) == ("fallback", "r-1", "model not in the function (SignatureRefused)")


def test_a_model_that_no_plan_expresses_is_not_carried_and_nothing_of_it_is_loaded(released, serving, caplog):
    released("neighbours")
    serving(mode="function")
    assert who(call(handler, POST, ROW)[1]) == ("fallback", "r-1", "model not in the function (NotCarried)")
    assert "release r-1 is not a plan, so only an endpoint can answer with it: " in caplog.text


def test_an_artefact_beyond_the_limit_is_not_read(released, serving, monkeypatch):
    released()
    serving(mode="function")
    monkeypatch.setattr(clients, "MOST_CARRIED_MB", 0)
    assert who(call(handler, POST, ROW)[1]) == ("fallback", "r-1", "model not in the function (TooLarge)")


def test_an_artefact_that_is_in_tmp_is_not_fetched_again_unless_it_was_changed_there(
    aws, released, serving, tmp_path, monkeypatch
):
    folder = released()
    serving(mode="function")
    assert call(handler, POST, ROW)[1]["source"] == "function"
    (kept,) = (tmp_path / "fairway-artefacts").iterdir()
    assert kept.name == trained.signed(folder)

    aws.s3.delete_object(Bucket=stage.LAKE, Key=KEY)
    monkeypatch.setattr(asking, "MODELS", embedded.Models(carried.open_model))
    assert call(handler, POST, ROW)[1]["source"] == "function"

    aws.upload(KEY, trained.archive_of(folder))
    (kept / "plan.bin").write_bytes(b"another model")
    monkeypatch.setattr(asking, "MODELS", embedded.Models(carried.open_model))
    assert call(handler, POST, ROW)[1]["probability"] == score(folder, ROW)


# ---- in the other modes, where an endpoint does not answer


@pytest.mark.parametrize(
    ("status", "error", "why"),
    [
        (400, "ValidationError", "endpoint missing"),
        (429, "ModelNotReadyException", "model not ready"),
        (400, "ThrottlingException", "throttled"),
        (424, "ModelError", "model error 500"),
    ],
)
def test_where_an_endpoint_fails_its_model_answers_in_the_function_and_says_why(
    model, released, capsys, status, error, why
):
    folder = released()
    model.fails(status, error, **({"OriginalStatusCode": 500} if error == "ModelError" else {}))
    _, answer = call(handler, POST, ROW)
    assert who(answer) == ("function", "r-1", why)
    assert answer["probability"] == score(folder, ROW)
    measured = json.loads(capsys.readouterr().out)
    assert (measured[Metric.STAND_INS], measured[Metric.FALLBACKS]) == (1, 0)
    assert measured["stand_in_reasons"] == {why: 1}


def test_what_sleeps_on_purpose_is_stood_in_for_and_alarms_nobody(model, released, serving, capsys):
    released()
    serving(idle_hours=1, outside="fallback", office_hours="mon 00:00-00:01")
    model.fails(400, "ValidationError")
    _, answer = call(handler, POST, ROW)
    measured = json.loads(capsys.readouterr().out)
    assert (answer["source"], answer["instead_of"] in PLANNED, Metric.STAND_INS in measured) == (
        "function",
        True,
        False,
    )


def test_a_late_endpoint_leaves_time_for_the_function_which_answers_by_the_deadline(model, released, serving):
    released()
    serving(deadline_ms=1500)
    model.drips(0.1, 60)
    _, answer = call(handler, POST, ROW)
    assert who(answer) == ("function", "r-1", "deadline of 1500 ms passed")


def test_an_endpoint_that_answers_costs_no_model_in_the_function(model, released, tmp_path):
    released()
    model.says([0.71])
    _, answer = call(handler, POST, ROW)
    assert (who(answer), answer["probability"]) == (("model", "r-1", "champion"), 0.71)
    assert list(tmp_path.iterdir()) == []


def test_a_row_that_the_endpoint_could_not_score_is_not_asked_again(model, released):
    released()
    model.says([{"error": "no"}])
    assert who(call(handler, POST, ROW)[1]) == ("fallback", "r-1", "model could not score the row")


def test_a_model_that_no_plan_expresses_keeps_its_endpoint_and_the_prior(model, released):
    released("neighbours")
    model.fails(400, "ValidationError")
    assert who(call(handler, POST, ROW)[1]) == ("fallback", "r-1", "endpoint missing")
    model.says([0.71])
    assert who(call(handler, POST, ROW)[1]) == ("model", "r-1", "champion")


def test_what_could_not_be_opened_is_tried_again_after_a_while():
    now, tried = [0.0], []

    def fails(release):
        tried.append(now[0])
        raise OSError("no")

    models = embedded.Models(fails, clock=lambda: now[0])
    for now[0] in (0.0, 1.0, embedded.AGAIN_S, embedded.AGAIN_S + 1):
        assert isinstance(models.opened("r-1").exception(10), OSError)
    assert tried == [0.0, embedded.AGAIN_S]


def test_only_the_newest_models_stay_in_memory():
    opened = []
    models = embedded.Models(lambda release: opened.append(release) or (lambda body: body))
    for release in ("a", "b", "c", "d", "a", "e", "a", "b"):
        models.opened(release).result(10)
    assert opened == ["a", "b", "c", "d", "e", "b"]
