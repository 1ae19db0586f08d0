"""What goes with a stage and what stays: nothing that holds data goes unasked, and nothing that costs is left by
accident.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from domain.config.sections import read_config
from scripts import destroy as script

ROOT = Path(__file__).parents[2]
LAKE = {"LogicalResourceId": "Lake", "PhysicalResourceId": "lake-of-dev", "ResourceType": "AWS::S3::Bucket"}
KEY = {"LogicalResourceId": "Key", "PhysicalResourceId": "1234", "ResourceType": "AWS::KMS::Key"}
STATE = {"LastUpdatedTimestamp": "2026-11-22T00:00:00Z", "ResourceStatus": "CREATE_COMPLETE"}
VERDICT = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights-dev/1"
ENDPOINT, OTHER = "flights-dev-r-20130401-ead07d6b", "flights-dev-two-r-20130401-ead07d6b"


@pytest.fixture
def client(monkeypatch):
    """Clients of an account in which the stage dev left what CloudFormation does not remove, and another stage too."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        clients = {name: boto3.client(name) for name in ("s3", "logs", "cloudformation", "sagemaker")}
        fill(clients["s3"], clients["logs"])
        with listing(clients["cloudformation"]), verdicts(clients["sagemaker"]):
            yield clients.get


def fill(s3, logs) -> None:
    s3.create_bucket(Bucket="lake-of-dev")
    s3.put_bucket_versioning(Bucket="lake-of-dev", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"first", b"second"):
        s3.put_object(Bucket="lake-of-dev", Key="rows/a.parquet", Body=body)
    s3.delete_object(Bucket="lake-of-dev", Key="rows/a.parquet")
    for endpoint in (ENDPOINT, OTHER):
        logs.create_log_group(logGroupName=f"/aws/sagemaker/Endpoints/{endpoint}")


def listing(cloudformation) -> Stubber:
    stub, found = Stubber(cloudformation), [{**LAKE, **STATE}, {**KEY, **STATE}]
    stub.add_response("list_stack_resources", {"StackResourceSummaries": found}, {"StackName": "flights-dev-data"})
    return stub


def verdicts(sagemaker) -> Stubber:
    """Takes exactly these two calls, and refuses any other."""
    stub, when = Stubber(sagemaker), "2026-11-22T00:00:00Z"
    version = {
        "ModelPackageName": "1",
        "ModelPackageArn": VERDICT,
        "CreationTime": when,
        "ModelPackageStatus": "Completed",
    }
    stub.add_response(
        "list_model_packages", {"ModelPackageSummaryList": [version]}, {"ModelPackageGroupName": "flights-dev"}
    )
    stub.add_response("delete_model_package", {}, {"ModelPackageName": VERDICT})
    return stub


class Commands(list):
    """Writes down what the CDK would destroy, and how much the lake held by then."""

    def __init__(self, s3):
        self.s3 = s3

    def __call__(self, command, **options):
        words, found = [str(word) for word in command], self.s3.list_object_versions(Bucket="lake-of-dev")
        held = len(found.get("Versions", [])) + len(found.get("DeleteMarkers", []))
        self.append((words[words.index("destroy") + 1], held))


def destroyed(client, *, keep_data: bool) -> list:
    config = read_config(ROOT, "dev")
    run = Commands(client("s3"))
    script.destroy(
        replace(config, target=replace(config.target, keep_data=keep_data)), project=ROOT, client=client, run=run
    )
    return run


def test_a_stage_that_keeps_no_data_goes_whole_and_no_other_with_it(client):
    assert destroyed(client, keep_data=False) == [("flights-dev-service", 3), ("flights-dev-data", 0)]
    (kept,) = client("logs").describe_log_groups()["logGroups"]
    assert kept["logGroupName"] == f"/aws/sagemaker/Endpoints/{OTHER}"


def test_a_stage_that_keeps_its_data_loses_only_its_service(client):
    assert destroyed(client, keep_data=True) == [("flights-dev-service", 3)]


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("dev", "flights-dev-data goes: every row, prediction, outcome, image and verdict"),
        ("prod", "flights-prod-data stays, and goes on costing"),
    ],
)
def test_without_a_yes_nothing_is_done_and_what_would_be_lost_is_said(stage, said):
    asked = subprocess.run([sys.executable, "scripts/destroy.py", stage], cwd=ROOT, capture_output=True, text=True)
    assert (asked.returncode, said in asked.stdout) == (2, True)
