"""A release is asked, and its answer read, by the contract that it was made under."""

from dataclasses import replace

import pytest

from domain.contract.packed import packed
from domain.contract.schema import Column
from lambdas.aws.routes import Made, ReleasesMade, read_made
from lambdas.request import predict as module
from lambdas.request.predict import handler
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import POST, ROW

COLUMNS = stage.CONTRACT.columns


@pytest.fixture(autouse=True)
def unread(monkeypatch):
    """As in a new function: no release's contract was read yet."""
    monkeypatch.setattr(module, "MADE", ReleasesMade(stage.ROUTING, read_made, instead=stage.CONTRACT))


def made_under(aws, columns: tuple[Column, ...], **more) -> None:
    """Let the champion be one that was made under these columns."""
    aws.released(contract=packed(replace(stage.CONTRACT, columns=columns, **more)))
    aws.route()


def test_it_is_sent_the_features_that_it_was_made_with(aws, model):
    """A column that is new since is not sent; one that is ignored since is sent while requests bring it."""
    older = tuple(replace(one, role="feature") if one.name == "month" else one for one in COLUMNS if one.name != "temp")
    made_under(aws, older)
    model.says([0.71])

    status, answer = call(handler, POST, ROW)

    assert (status, answer["source"], answer["probability"]) == (200, "model", 0.71)
    ((_, (sent,)),) = model.calls
    assert list(sent) == [column.name for column in older if column.role == "feature"]
    assert (sent["month"], sent["seats"], "temp" in sent) == (4, None, False)


def test_a_column_that_is_gone_is_not_sent_as_null(aws, model):
    """The container tells what is null from what nobody can send any more."""
    made_under(aws, (Column("gone", "float"), *COLUMNS))
    model.says([0.71])
    call(handler, POST, ROW)
    ((_, (sent,)),) = model.calls
    assert "gone" not in sent


def test_its_answer_is_read_by_its_own_contract(aws, model):
    """The question was another one then: a number, and no probability."""
    made_under(aws, COLUMNS, task="regression")
    model.says([17.5])
    _, answer = call(handler, POST, ROW)
    assert (answer["source"], answer["prediction"]) == ("model", 17.5)


def test_the_container_is_told_under_which_contract_the_rows_were_checked(aws, model):
    made_under(aws, COLUMNS)
    model.says([0.71])
    call(handler, POST, ROW)
    assert model.checked_under == [stage.CONTRACT.hash]


@pytest.mark.parametrize("known", [{}, {"contract": "no such text"}])
def test_one_whose_contract_cannot_be_read_is_asked_by_the_deployed_one(aws, model, known):
    aws.released(**known)
    aws.route()
    model.says([0.71])
    _, answer = call(handler, POST, ROW)
    assert (answer["source"], answer["probability"]) == ("model", 0.71)


def test_a_release_is_read_again_after_a_while_and_what_is_known_is_kept_where_that_fails():
    read, now = [], [0.0]

    def once_an_hour(_, name):
        read.append((name, now[0]))
        if now[0] == 900:
            raise RuntimeError("no answer")
        return Made(stage.CONTRACT, {"rows": now[0]}) if name == "r-1" else None

    made = ReleasesMade("routing", once_an_hour, instead=stage.CONTRACT, fresh_s=900, clock=lambda: now[0])
    found = []
    for now[0] in (0.0, 899.0, 900.0, 1799.0, 1800.0):
        found.append(made.of("r-1").confidence["rows"])
        assert made.of("r-2") == Made(stage.CONTRACT)
    assert found == [0.0, 0.0, 0.0, 0.0, 1800.0]
    assert read == [(name, at) for at in (0.0, 900.0, 1800.0) for name in ("r-1", "r-2")]
