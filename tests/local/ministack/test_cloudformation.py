"""What a template may hold: deployed for real, recorded and listed, or refused before anything is made."""

import json
import urllib.request

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import ACCOUNT, REGION, new_name


def create(aws, resources: dict, **outputs) -> tuple[str, dict]:
    """(the stack's name, its outputs)."""
    stack, formation = new_name("stack"), aws.client("cloudformation")
    formation.create_stack(
        StackName=stack,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        TemplateBody=json.dumps(
            {"Resources": resources, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}
        ),
    )
    formation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    found = formation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    return stack, {output["OutputKey"]: output["OutputValue"] for output in found}


def declared(aws, stack: str) -> list[tuple[str, str]]:
    with urllib.request.urlopen(f"{aws.endpoint}/_fairway/declared") as reply:
        return [(each["logical_id"], each["type"]) for each in json.load(reply) if each["stack"] == stack]


BUDGET = {
    "Type": "AWS::Budgets::Budget",
    "Properties": {
        "Budget": {"BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": {"Amount": 40, "Unit": "USD"}},
        "NotificationsWithSubscribers": [
            {
                "Notification": {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 75},
                "Subscribers": [{"SubscriptionType": "EMAIL", "Address": "a@example.com"}],
            }
        ],
    },
}
TARGET = {
    "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
    "Properties": {
        "MinCapacity": 1,
        "MaxCapacity": 2,
        "ResourceId": "endpoint/e/variant/v",
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    },
}


def test_what_nothing_simulates_is_deployed_and_listed_as_declared_until_its_stack_is_gone(aws):
    stack, outputs = create(
        aws, {"Budget": BUDGET, "Target": TARGET, "Topic": {"Type": "AWS::SNS::Topic"}}, target={"Ref": "Target"}
    )
    assert declared(aws, stack) == [("Budget", "AWS::Budgets::Budget"), ("Target", TARGET["Type"])]
    assert outputs["target"].startswith(f"{stack}-Target-")
    aws.client("cloudformation").delete_stack(StackName=stack)
    aws.client("cloudformation").get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    assert declared(aws, stack) == []


def test_a_budget_of_a_template_can_be_read_back(aws):
    _, outputs = create(aws, {"Budget": BUDGET}, name={"Ref": "Budget"})
    budget = aws.client("budgets").describe_budget(AccountId=ACCOUNT, BudgetName=outputs["name"])["Budget"]
    assert (budget["BudgetLimit"], budget["CalculatedSpend"]["ActualSpend"]["Amount"]) == (
        {"Amount": "40", "Unit": "USD"},
        "0",
    )


def test_an_unknown_type_is_refused_before_anything_is_made(aws):
    with pytest.raises(ClientError, match="Unrecognized resource types: .AWS::Nothing::Like::This."):
        create(
            aws,
            {"Topic": {"Type": "AWS::SNS::Topic"}, "Odd": {"Type": "AWS::Nothing::Like"}}
            | {"Odd": {"Type": "AWS::Nothing::Like::This"}},
        )


def test_a_bucket_of_a_template_keeps_its_settings_and_its_tags(aws):
    _, outputs = create(
        aws,
        {
            "Lake": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "VersioningConfiguration": {"Status": "Enabled"},
                    "Tags": [{"Key": "fairway", "Value": "x"}],
                    "BucketEncryption": {
                        "ServerSideEncryptionConfiguration": [
                            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                        ]
                    },
                    "PublicAccessBlockConfiguration": {
                        "BlockPublicAcls": True,
                        "BlockPublicPolicy": True,
                        "IgnorePublicAcls": True,
                        "RestrictPublicBuckets": True,
                    },
                },
            }
        },
        name={"Ref": "Lake"},
    )
    s3 = aws.client("s3")
    assert s3.get_bucket_versioning(Bucket=outputs["name"])["Status"] == "Enabled"
    assert s3.get_bucket_tagging(Bucket=outputs["name"])["TagSet"] == [{"Key": "fairway", "Value": "x"}]
    assert all(s3.get_public_access_block(Bucket=outputs["name"])["PublicAccessBlockConfiguration"].values())


def test_a_bucket_that_wants_tls_is_reached_over_loopback_and_keeps_its_other_denials(aws, bucket):
    s3 = aws.client("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    deny = {"Effect": "Deny", "Principal": "*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    s3.put_bucket_policy(
        Bucket=bucket,
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {**deny, "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
                    {**deny, "Action": "s3:DeleteObject"},
                ],
            }
        ),
    )
    user = aws.client("s3", aws.user({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))
    assert user.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"
    with pytest.raises(ClientError, match="AccessDenied"):
        user.delete_object(Bucket=bucket, Key="a")


def test_an_image_that_is_not_there_is_said_not_to_be(aws):
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName="images")
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        ecr.describe_images(repositoryName="images", imageIds=[{"imageTag": "v1"}])


def test_an_archive_of_events_is_real(aws):
    _, outputs = create(
        aws,
        {
            "Archive": {
                "Type": "AWS::Events::Archive",
                "Properties": {
                    "SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",
                    "RetentionDays": 3,
                    "EventPattern": {"source": ["own"]},
                },
            }
        },
        name={"Ref": "Archive"},
    )
    assert aws.client("events").describe_archive(ArchiveName=outputs["name"])["RetentionDays"] == 3
