"""What `fairway doctor` finds in an account, and what it cannot look at. moto has neither quotas nor cost tags: those
two services give scripted answers, held to botocore's models.
"""

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from domain.config.sections import Config, read_config
from fairway.doctor import account
from fairway.doctor.examination import look
from fairway.doctor.finding import Finding, State
from fairway.doctor.machine import engine
from fairway.doctor.quotas import quotas
from fairway.terminal.errors import Failed

ROOT = Path(__file__).parents[3]
REGION, ACCOUNT = "us-east-1", "123456789012"
OCI = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class Place:
    """A target whose clients are kept, so that their answers can be scripted."""

    config: Config
    session: boto3.Session
    clients: dict[str, Any]
    region: str = REGION
    account: str = ACCOUNT

    def client(self, service: str):
        return self.clients.setdefault(service, self.session.client(service))


@pytest.fixture
def place(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Place(read_config(ROOT, "dev"), boto3.Session(region_name=REGION), {})


@contextmanager
def answering(place: Place, service: str, operation: str, *replies: dict):
    with Stubber(place.client(service)) as stub:
        for reply in replies:
            stub.add_response(operation, reply)
        yield


# ---- quotas


def quota(name: str, value: float, code: str = "L-1") -> dict:
    return {"QuotaName": name, "QuotaCode": code, "Value": value}


CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"
NEW_ACCOUNT = [
    {"Quotas": [quota("ml.m5.xlarge for spot training job usage", 1, "L-2")], "NextToken": "2"},
    {"Quotas": [quota("ml.m5.xlarge for processing job usage", 0, "L-3"), quota(CONCURRENCY, 10)]},
    {"Quotas": [quota("Concurrent executions", 10, "L-B99A9384")]},
]


def test_quotas_that_do_not_suffice_are_named_with_the_command_that_asks_for_more(place):
    with answering(place, "service-quotas", "list_service_quotas", *NEW_ACCOUNT):
        found = quotas(place)
    assert {each.message.partition(" = ")[0]: each.state for each in found} == {
        "ml.m5.xlarge for spot training job usage": State.WARNING,
        "ml.m5.xlarge for processing job usage": State.PROBLEM,
        CONCURRENCY: State.FINE,
        "Concurrent executions": State.WARNING,
    }
    assert found[1] == Finding(
        "quota",
        State.PROBLEM,
        "ml.m5.xlarge for processing job usage = 0: 1 needed (the evaluation of a training run and batch.instances "
        "= 1)",
        "`aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-3 "
        "--desired-value 1 --region us-east-1`",
    )
    assert found[0].message.endswith("; with at least 1 it only takes longer")


def test_a_quota_that_aws_does_not_list_is_not_known(place):
    with answering(place, "service-quotas", "list_service_quotas", {"Quotas": []}, {"Quotas": []}):
        assert {each.state for each in quotas(place)} == {State.UNKNOWN}


# ---- the rest of the account


def test_an_account_that_the_cdk_was_never_in_must_be_prepared_first(place):
    (found,) = account.bootstrapped(place)
    assert (found.state, found.mend) == (State.PROBLEM, "`fairway bootstrap`")
    for version, state in (("5", State.PROBLEM), ("30", State.FINE)):
        name = "/cdk-bootstrap/hnb659fds/version"
        place.client("ssm").put_parameter(Name=name, Value=version, Type="String", Overwrite=True)
        assert [each.state for each in account.bootstrapped(place)] == [state]


@pytest.mark.parametrize(
    ("listed", "state"),
    [
        ([], State.WARNING),
        ([{"TagKey": "fairway", "Type": "UserDefined", "Status": "Inactive"}], State.WARNING),
        ([{"TagKey": "fairway", "Type": "UserDefined", "Status": "Active"}], State.FINE),
    ],
)
def test_the_cost_tag_must_be_active_or_the_budget_counts_nothing(place, listed, state):
    with answering(place, "ce", "list_cost_allocation_tags", {"CostAllocationTags": listed}):
        (found,) = account.cost_tag(place)
    assert found.state is state
    assert ("TagKey=fairway,Status=Active" in found.mend) is (state is State.WARNING)


def test_an_address_must_be_set_and_confirmed(place):
    monitoring = replace(place.config.monitoring, email="on-call@example.com")
    (nobody,) = account.email(place)
    place.config = replace(place.config, monitoring=monitoring)
    (before,) = account.email(place)
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:flights-dev-alarms"
    pending = {"Protocol": "email", "Endpoint": "on-call@example.com", "TopicArn": topic, "Owner": ACCOUNT}
    answers = [
        {"Subscriptions": [{**pending, "SubscriptionArn": arn}]} for arn in ("PendingConfirmation", f"{topic}:1234")
    ]
    with answering(place, "sns", "list_subscriptions_by_topic", *answers):
        (asked,), (confirmed,) = account.email(place), account.email(place)
    states = [each.state for each in (nobody, before, asked, confirmed)]
    assert states == [State.WARNING, State.FINE, State.PROBLEM, State.FINE]
    assert (
        f"aws sns subscribe --protocol email --notification-endpoint on-call@example.com --topic-arn {topic}"
        in asked.mend
    )


def test_an_image_that_sagemaker_refuses_is_named_with_the_command_that_deletes_it(place):
    assert [each.state for each in account.images(place)] == [State.FINE]
    ecr = place.client("ecr")
    ecr.create_repository(repositoryName="flights-dev")
    kinds = {"good": OCI.replace("oci.image.manifest.v1", "docker.distribution.manifest.v2"), "bad": OCI}
    for tag, kind in kinds.items():
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "tag": tag})
        ecr.put_image(repositoryName="flights-dev", imageManifest=manifest, imageTag=tag)
    (found,) = account.images(place)
    assert (found.state, found.message.partition(": must")[0]) == (
        State.PROBLEM,
        f"image flights-dev:bad: manifest media type = {OCI}",
    )
    assert "--repository-name flights-dev --image-ids imageTag=bad --region us-east-1" in found.mend


def test_github_s_provider_that_is_there_is_given_to_the_next_role(place):
    assert "creates it with the first role" in account.github(place)[0].message
    made = place.client("iam").create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"], ThumbprintList=[]
    )
    assert f"Provider={made['OpenIDConnectProviderArn']}" in account.github(place)[0].message


def test_a_check_that_aws_refuses_reports_so_and_stops_no_other(place):
    with Stubber(place.client("ce")) as stub:
        stub.add_client_error("list_cost_allocation_tags", "AccessDeniedException", "not the payer", 400)
        (found,) = look("cost tag", account.cost_tag, place)
    assert (found.state, found.message) == (
        State.UNKNOWN,
        "not checked: AWS refused ListCostAllocationTags: AccessDeniedException",
    )


# ---- this machine


def test_an_engine_must_be_there_with_its_builder():
    def none():
        raise Failed("no_engine", "neither docker nor podman answers here")

    found = [
        engine(find=none),
        engine(find=lambda: "docker", builds=lambda name: False),
        engine(find=lambda: "podman", builds=lambda name: True),
    ]
    assert [each.state for each in found] == [State.PROBLEM, State.PROBLEM, State.FINE]
    assert "docker has no buildx" in found[1].message
