"""Application Auto Scaling is recorded and says so; what it would refuse on AWS it refuses here."""

import json
import urllib.request

import pytest
from botocore.exceptions import ClientError

TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/e1/variant/v",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
FOLLOW = {
    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    "TargetValue": 9,
}
POLICY = {
    **TARGET,
    "PolicyName": "follow",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": FOLLOW,
}


def declared(aws) -> list[tuple[str, str]]:
    with urllib.request.urlopen(f"{aws.endpoint}/_fairway/declared") as reply:
        return [
            (each["type"], each["logical_id"])
            for each in json.load(reply)
            if each["logical_id"] == TARGET["ResourceId"]
        ]


def task(operation: str, arguments: dict, **fields) -> dict:
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::aws-sdk:applicationautoscaling:{operation}",
        "Arguments": arguments,
        **fields,
    }


def test_a_flow_registers_a_target_and_its_policy_which_are_listed_as_declared_until_removed(aws):
    ours = {
        "Effect": "Allow",
        "Resource": "arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/*",
        "Action": ["application-autoscaling:RegisterScalableTarget", "application-autoscaling:PutScalingPolicy"],
        "Condition": {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}},
    }
    states = {
        "Target": task("registerScalableTarget", {**TARGET, "MinCapacity": 1, "MaxCapacity": 4}, Next="Policy"),
        "Policy": task("putScalingPolicy", POLICY, End=True),
    }
    ended = aws.run(aws.machine(states, ours))
    assert (ended["status"], ended.get("cause")) == ("SUCCEEDED", None)
    assert declared(aws) == [
        ("AWS::ApplicationAutoScaling::ScalableTarget", TARGET["ResourceId"]),
        ("AWS::ApplicationAutoScaling::ScalingPolicy", TARGET["ResourceId"]),
    ]
    scaling = aws.client("application-autoscaling")
    [target] = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)
    assert target["RoleARN"].startswith("arn:aws:iam::000000000000:role/aws-service-role/sagemaker.")
    scaling.deregister_scalable_target(**TARGET)
    assert declared(aws) == []


def test_a_role_without_the_right_registers_nothing(aws):
    states = {"Target": task("registerScalableTarget", {**TARGET, "MinCapacity": 1, "MaxCapacity": 4}, End=True)}
    ended = aws.run(aws.machine(states, {"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}))
    assert (ended["status"], ended["error"]) == ("FAILED", "ApplicationAutoScaling.ApplicationAutoScalingException")


def test_a_policy_wants_a_target_and_a_request_its_parameters(aws):
    scaling = aws.client("application-autoscaling")
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.put_scaling_policy(**{**POLICY, "ResourceId": "endpoint/none/variant/v"})
    with pytest.raises(ClientError, match="is not simulated"):
        scaling.describe_scaling_activities(ServiceNamespace="sagemaker")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"MinCapacity": 3, "MaxCapacity": 2}, "cannot be less than minimum"),
        ({"MinCapacity": 1}, "are required"),
        ({"MinCapacity": 1, "MaxCapacity": 2, "ResourceId": "foo"}, "Unsupported service namespace"),
    ],
)
def test_a_target_that_could_not_be_scaled_is_refused(aws, wrong, why):
    target = {**TARGET, "ResourceId": "endpoint/wrong/variant/v", **wrong}
    with pytest.raises(ClientError, match=f"ValidationException.*{why}"):
        aws.client("application-autoscaling").register_scalable_target(**target)


def test_targets_are_described_by_pages(aws):
    scaling = aws.client("application-autoscaling")
    for number in range(3):
        scaling.register_scalable_target(
            **{**TARGET, "ResourceId": f"endpoint/paged-{number}/variant/v"}, MinCapacity=1, MaxCapacity=2
        )
    names = [f"endpoint/paged-{number}/variant/v" for number in range(3)]
    asked = {"ServiceNamespace": "sagemaker", "ResourceIds": names}
    first = scaling.describe_scalable_targets(**asked, MaxResults=2)
    rest = scaling.describe_scalable_targets(**asked, NextToken=first["NextToken"])
    assert [each["ResourceId"] for page in (first, rest) for each in page["ScalableTargets"]] == names
    assert "NextToken" not in rest
