"""What `fairway diff` reports beside the CDK's own lines: the contract, and the release that answers."""

import json

import boto3
import pytest
from moto import mock_aws

from domain import records
from domain.config.sections import read_config
from domain.contract.packed import packed
from domain.release.routing import EMPTY, promote
from fairway.cli import main
from fairway.stage.aws import contract_of
from tests.fairway.stage.test_change import CONTRACT

NOTHING = "Number of stacks with differences: 0"


@pytest.fixture
def dev(project, monkeypatch):
    """A stage on AWS whose templates are as deployed, and whose champion was made under the contract as it is."""
    for name, value in {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("fairway.deploy.deployment.differences", lambda *_, **__: (False, [NOTHING]))
    with mock_aws():
        ssm, dynamodb = (boto3.client(service, region_name="us-east-1") for service in ("ssm", "dynamodb"))
        dynamodb.create_table(
            TableName="routing",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "item", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "item", "KeyType": "HASH"}],
        )
        contract = packed(contract_of(project, read_config(project)))
        release = {"item": "release#r-1", "release": "r-1", "contract": contract}
        routing = promote(EMPTY, release="r-1", endpoint="e", at="2013-04-01T00:00:00Z", reason="the first")
        for item in (release, {"item": "routing", **routing}):
            dynamodb.put_item(TableName="routing", Item=records.to_item(item))
        ssm.put_parameter(Name="/fairway/flights/dev", Type="String", Value=json.dumps({"routing": "routing"}))
        yield project


def diff(project, capsys) -> dict:
    assert main(["diff", "--stage", "dev", "--project", str(project), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_diff_lists_what_the_contract_changes_for_the_champion(dev, capsys):
    assert diff(dev, capsys)["contract"] == []
    with (dev / CONTRACT).open("a") as file:
        file.write('\n[columns.gate]\ntype = "string"\nnullable = true\n')
    message = "columns.gate: is new and may be null; the next release learns from it"
    told = {"release": "r-1", "role": "champion", "column": "gate", "kind": "added", "message": message}
    assert diff(dev, capsys) == {
        "stage": "dev",
        "differs": False,
        "differences": [NOTHING],
        "contract": [told],
    }


def test_and_that_a_deployment_would_be_refused_where_it_breaks_the_champion(dev, capsys, monkeypatch):
    monkeypatch.setattr("fairway.terminal.done.on_terminal", lambda: True)
    with (dev / CONTRACT).open("a") as file:
        file.write('\n[columns.gate]\ntype = "string"\n')
    assert main(["diff", "--stage", "dev", "--project", str(dev)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[:2] == [NOTHING, "Contract"]
    assert out.splitlines()[2].startswith("champion r-1: columns.gate: is new, and rows without it are refused; ")
    assert f"`fairway deploy --project {dev} --stage dev` needs --breaking" in err


def test_a_stage_that_is_to_replay_what_a_stage_without_a_lake_captured_is_refused_by_name(dev, capsys):
    settings = dev / "fairway.toml"
    given = '[stages.dev]\nrelease.replay_days = 7\nrelease.replay_from = "prod"\n'
    settings.write_text(settings.read_text().replace("[stages.dev]\n", given))
    boto3.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Type="String", Value="30")
    assert main(["deploy", "--stage", "dev", "--project", str(dev), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["error"], told["message"].split("; ")[0]) == (
        "replay_from",
        "release.replay_from = 'prod': must be a stage with a lake in us-east-1 of account 123456789012",
    )
