"""What goes with a stage and what stays: nothing that holds data goes unasked, and nothing that costs is left by
accident.
"""

from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from domain.config.sections import read_config
from fairway.cli import main
from fairway.deploy.removal import remove
from tests.fairway.deploy.recorder import ASSEMBLY, Recorder

ROOT = Path(__file__).parents[3]
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


class Destroying(Recorder):
    """Also writes down how much the lake held when a stack went."""

    def __init__(self, s3):
        super().__init__()
        self.s3, self.held = s3, []

    def after(self, words):
        found = self.s3.list_object_versions(Bucket="lake-of-dev")
        self.held.append(len(found.get("Versions", [])) + len(found.get("DeleteMarkers", [])))


def destroyed(client, *, keep_data: bool) -> list[tuple[str, int]]:
    """(command, what the lake held then) of each stack that went."""
    config = read_config(ROOT, "dev")
    config = replace(config, target=replace(config.target, keep_data=keep_data))
    programs = Destroying(client("s3"))
    how = {"programs": programs, "tell": lambda step: None, "synth": lambda folder, stage: ASSEMBLY}
    removed = remove(config, ROOT, client=client, **how)
    assert [f"destroy {stack} --exclusively --force" for stack in removed] == programs.ran
    return list(zip(removed, programs.held, strict=True))


def test_a_stage_that_keeps_no_data_goes_whole_and_no_other_with_it(client):
    assert destroyed(client, keep_data=False) == [("flights-dev-service", 3), ("flights-dev-data", 0)]
    (kept,) = client("logs").describe_log_groups()["logGroups"]
    assert kept["logGroupName"] == f"/aws/sagemaker/Endpoints/{OTHER}"


def test_a_stage_that_keeps_its_data_loses_only_its_service(client):
    assert destroyed(client, keep_data=True) == [("flights-dev-service", 3)]


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("dev", "flights-dev-data is removed: every row, prediction, outcome, image and verdict"),
        ("prod", "flights-prod-data stays, and its lake and tables are still billed: keep_data = true"),
    ],
)
def test_without_a_yes_nothing_is_done_and_what_would_be_lost_is_reported(stage, said, capsys):
    assert main(["destroy", "--stage", stage, "--project", str(ROOT)]) == 2
    told = capsys.readouterr().err
    assert f"error: flights-{stage}-service is removed: the API and its URL" in told and said in told
    assert told.endswith(f"nothing was destroyed; `fairway destroy --project {ROOT} --stage {stage} --yes` does it\n")
