"""`fairway resume` against moto."""

from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from domain.config.sections import read_config
from domain.money import spending
from domain.records import from_item, routing_write, to_item
from domain.release.routing import EMPTY
from fairway.money.resume import resume
from fairway.stage.aws import Stage
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress

ROOT = Path(__file__).parents[3]
CHAMPION = {"release": "r-1", "endpoint": "e-1", "since": ""}
STOPPED = {**EMPTY, "version": 3, "previous": [CHAMPION], "reason": "spent"}
KEY = {"AttributeName": "item", "KeyType": "HASH"}


@pytest.fixture
def table(monkeypatch):
    """The routing table of a stage that `resume` connects to."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with mock_aws():
        session = boto3.Session(region_name="us-east-1")
        made = session.client("dynamodb")
        made.create_table(
            TableName="routing",
            KeySchema=[KEY],
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "item", "AttributeType": "S"}],
        )
        stage = Stage(ROOT, read_config(ROOT), session, None, {"routing": "routing"})
        monkeypatch.setattr("fairway.money.resume.connect", lambda folder, name: stage)
        put(made, item="release#r-1", release="r-1", state="champion", run="train-1")
        yield made


def put_routing(table, routing):
    table.put_item(TableName="routing", Item=routing_write(routing)["Item"])


def put(table, **item):
    table.put_item(TableName="routing", Item=to_item(item))


def item(table, name):
    return from_item(table.get_item(TableName="routing", Key=to_item({"item": name}))["Item"])


def resumed():
    with Progress() as progress:
        return resume(ROOT, "local", progress=progress)


def test_one_command_undoes_all_that_was_stopped(table, monkeypatch):
    monkeypatch.setattr("fairway.stage.promotion.is_up", lambda stage, release: True)
    put_routing(table, STOPPED)
    put(
        table,
        item="guard",
        month="2026-11",
        actions=["stop_training", "stop_model"],
        spent_usd=10.0,
        budget_usd=10.0,
        at="t",
    )
    assert resumed().values == {"stage": "local", "resumed": ["stop_training", "stop_model"]}
    assert item(table, "routing")["champion"]["release"] == "r-1"
    assert spending.refusal(item(table, "guard"), now="2026-11-20") is None
    with pytest.raises(Refused, match="the guard stopped nothing in stage 'local'"):
        resumed()


def test_a_model_whose_endpoint_was_removed_meanwhile_is_deployed_again(table, monkeypatch):
    did = []
    put_routing(table, STOPPED)
    put(table, item="guard", month="2026-11", actions=["stop_model"], spent_usd=10.0, budget_usd=10.0, at="t")
    monkeypatch.setattr("fairway.stage.promotion.is_up", lambda stage, release: False)
    monkeypatch.setattr("fairway.stage.promotion.deploy", lambda stage, item: did.append(item["run"]) or "an-execution")
    monkeypatch.setattr(
        "fairway.stage.promotion.wait_until_it_answers",
        lambda stage, release, execution, progress: did.append(execution),
    )
    assert resumed().values["resumed"] == ["stop_model"]
    assert did == ["train-1", "an-execution"]


@pytest.mark.parametrize("actions", [["stop_training"], []], ids=["another action this month", "nothing this month"])
def test_a_model_that_an_earlier_month_stopped_is_brought_back_too(table, monkeypatch, actions):
    monkeypatch.setattr("fairway.stage.promotion.is_up", lambda stage, release: True)
    put_routing(table, STOPPED)
    put(table, item="guard", month="2026-11", actions=actions, spent_usd=10.0, budget_usd=10.0, at="t")
    assert resumed().values["resumed"] == [*actions, "stop_model"]
    assert item(table, "routing")["champion"]["release"] == "r-1"


def test_training_alone_is_resumed_without_touching_who_answers(table):
    put_routing(table, {**EMPTY, "version": 3, "champion": CHAMPION})
    put(table, item="guard", month="2026-11", actions=["stop_training"], spent_usd=10.0, budget_usd=10.0, at="t")
    assert resumed().values["resumed"] == ["stop_training"]
    assert item(table, "routing")["version"] == 3


def test_where_nothing_was_stopped_there_is_nothing_to_resume(table):
    with pytest.raises(Refused, match="the guard stopped nothing"):
        resumed()
