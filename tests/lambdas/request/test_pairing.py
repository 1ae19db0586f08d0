"""Pairs in function mode: capture asks the other release's model itself, as predict does."""

import dataclasses
import json

import pytest

from lambdas.aws.artefacts import NotCarried
from lambdas.request import capture, carried, embedded
from model_code.answers.answering import respond
from model_code.artefact.folder import open_artefact
from tests.lambdas import stage, trained
from tests.lambdas.request.predict.asking import ROW
from tests.lambdas.request.test_capture import captured, record
from tests.lambdas.request.test_evidence import CHAMPION, begin, counts


@pytest.fixture
def function_mode(aws, monkeypatch):
    """A canary, r-2, that no endpoint has; `carries(model)` lets the function have one."""
    serving = dataclasses.replace(stage.CONFIG.serving, mode="function")
    monkeypatch.setattr(capture, "CONFIG", dataclasses.replace(stage.CONFIG, serving=serving))
    begin(aws, CHAMPION["rollout"])
    aws.carries = lambda opened: monkeypatch.setattr(carried, "MODELS", embedded.Models(opened))
    return aws


def test_the_row_is_scored_by_the_other_releases_model_without_an_endpoint(function_mode):
    artefact = open_artefact(trained.model("gradient_boosting"))
    opened = []
    function_mode.carries(lambda release: opened.append(release) or (lambda body: respond(artefact, body).body))
    capture.handler({"Records": [record(1, **CHAMPION, features=json.dumps(ROW))]}, None)
    ((row,),) = captured(function_mode).values()
    assert (opened, row["other_release"], 0 <= row["other_probability"] <= 1) == (["r-2"], "r-2", True)
    (found,) = counts(function_mode)
    assert (found.paired, found.champion_rows) == (1, 1)


def test_a_model_that_the_function_cannot_carry_costs_the_pair_alone(function_mode):
    def refused(release: str):
        raise NotCarried(f"release {release} is no plan")

    function_mode.carries(refused)
    assert capture.handler({"Records": [record(1, **CHAMPION)]}, None) == {"captured": 1, "set_aside": 0}
    ((row,),) = captured(function_mode).values()
    assert (row["other_cause"], "other_prediction" in row) == ("NOT_CARRIED", False)
