"""A stage on AWS, which differs from the local one in where it is and in nothing else."""

import json

import boto3
import pytest
from moto import mock_aws

from domain import records
from domain.release.routing import EMPTY
from fairway.cli import main


@pytest.fixture
def aws(monkeypatch):
    """An AWS account with the usual credentials in the environment, and nothing of ours in it."""
    for name, value in {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="us-east-1")


def test_a_stage_that_was_never_deployed_says_how(aws, project, capsys):
    assert main(["status", "--stage", "dev", "--project", str(project)]) == 2
    assert capsys.readouterr().err == (
        "error: stage 'dev' of project 'flights' is not deployed in us-east-1 of this account "
        f"(no parameter /fairway/flights/dev); `fairway deploy --project {project} --stage dev` deploys it\n"
    )


def test_a_deployed_stage_is_found_through_its_address_book(aws, project, capsys):
    champion = {"release": "r-1", "endpoint": "e", "since": ""}
    for table, keys in (("routing", {"item": "HASH"}), ("runs", {"kind": "HASH", "run": "RANGE"})):
        aws("dynamodb").create_table(
            TableName=f"flights-dev-{table}",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        )
    routing = {**EMPTY, "version": 1, "champion": champion, "reason": "approved"}
    item = records.to_item({"item": "routing", **routing})
    aws("dynamodb").put_item(TableName="flights-dev-routing", Item=item)
    book = {"api_url": "https://api.example", "routing": "flights-dev-routing", "runs": "flights-dev-runs"}
    aws("ssm").put_parameter(Name="/fairway/flights/dev", Type="String", Value=json.dumps(book))
    assert main(["status", "--stage", "dev", "--project", str(project), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "stage": "dev",
        "api_url": "https://api.example",
        "champion": "r-1",
        "reason": "approved",
        "quality": None,
        "threshold": None,
        "releases": [],
        "rollout": None,
        "loop": None,
        "unfinished": [],
        "declared_not_simulated": [],
        "warnings": [],
    }
