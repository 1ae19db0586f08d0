"""Stages on moto for the tests of forgetting."""

import boto3
import pytest
from moto import mock_aws

from tests.fairway.forget.stored import Stage, deploy, fill, runner


@pytest.fixture
def aws(monkeypatch):
    """An AWS account with the usual credentials in the environment."""
    for name, value in {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="us-east-1")


@pytest.fixture
def stage(aws, project, capsys) -> Stage:
    """A stage that is deployed and empty."""
    deploy(aws)
    return Stage(aws, project, runner(project, capsys))


@pytest.fixture
def filled(stage, tmp_path) -> Stage:
    """A stage with the entity in every place."""
    fill(stage, tmp_path)
    return stage
