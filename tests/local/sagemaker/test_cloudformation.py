"""AWS::SageMaker::* in a stack: created, updated by replacement and by rolling, refused, and removed."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.local.sagemaker.conftest import IMAGE, wait_until


def template(role: str, flavour: str, **more) -> str:
    return json.dumps(
        {
            "Resources": {
                "Group": {
                    "Type": "AWS::SageMaker::ModelPackageGroup",
                    "Properties": {
                        "ModelPackageGroupName": "stacked",
                        "ModelPackageGroupDescription": "from a template",
                    },
                },
                "Model": {
                    "Type": "AWS::SageMaker::Model",
                    "Properties": {
                        "ExecutionRoleArn": role,
                        "PrimaryContainer": {
                            "Image": IMAGE,
                            "ModelDataUrl": "https://s3.us-east-1.amazonaws.com/lab/models/model.tar.gz",
                            "Environment": {"FLAVOUR": flavour},
                        },
                        **more,
                    },
                },
                "Config": {
                    "Type": "AWS::SageMaker::EndpointConfig",
                    "Properties": {
                        "ProductionVariants": [
                            {
                                "VariantName": "all",
                                "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
                                "InitialVariantWeight": "1",
                                "ServerlessConfig": {"MemorySizeInMB": "1024", "MaxConcurrency": "2"},
                            }
                        ]
                    },
                },
                "Endpoint": {
                    "Type": "AWS::SageMaker::Endpoint",
                    "Properties": {
                        "EndpointName": "stacked",
                        "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
                        "Tags": [{"Key": "flavour", "Value": flavour}],
                    },
                },
            },
            "Outputs": {
                "Endpoint": {"Value": {"Ref": "Endpoint"}},
                "Model": {"Value": {"Fn::GetAtt": ["Model", "ModelName"]}},
            },
        }
    )


def settle(cloudformation, stack: str) -> dict:
    found = wait_until(
        lambda: (
            (stacks := cloudformation.describe_stacks(StackName=stack)["Stacks"])
            and not stacks[0]["StackStatus"].endswith("IN_PROGRESS")
            and stacks[0]
        ),
        what=f"stack {stack}",
    )
    outputs = {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}
    return {"status": found["StackStatus"], **outputs}


def test_a_stack_creates_replaces_rolls_and_removes(gateway, sagemaker, role):
    cloudformation, runtime = gateway.client("cloudformation"), gateway.client("sagemaker-runtime")
    cloudformation.create_stack(StackName="ml", TemplateBody=template(role, "plum"))
    first = settle(cloudformation, "ml")
    assert (first["status"], first["Endpoint"]) == (
        "CREATE_COMPLETE",
        "arn:aws:sagemaker:us-east-1:000000000000:endpoint/stacked",
    )
    assert answer(runtime)["flavour"] == "plum"

    cloudformation.update_stack(StackName="ml", TemplateBody=template(role, "pear"))
    second = settle(cloudformation, "ml")
    assert second["status"] == "UPDATE_COMPLETE" and second["Model"] != first["Model"]
    assert answer(runtime)["flavour"] == "pear"
    assert sagemaker.list_tags(ResourceArn=second["Endpoint"])["Tags"] == [{"Key": "flavour", "Value": "pear"}]
    wait_until(lambda: not sagemaker.list_models(NameContains=first["Model"])["Models"], what="the old model's removal")

    cloudformation.delete_stack(StackName="ml")
    wait_until(lambda: not sagemaker.list_endpoints(NameContains="stacked")["Endpoints"], what="the endpoint's removal")
    wait_until(lambda: not sagemaker.list_model_package_groups(NameContains="stacked")["ModelPackageGroupSummaryList"])
    assert sagemaker.list_models(NameContains=second["Model"])["Models"] == []


def answer(runtime) -> dict:
    found = runtime.invoke_endpoint(EndpointName="stacked", ContentType="application/json", Body=b"x")
    return json.loads(found["Body"].read())


def test_a_property_that_the_type_does_not_have_fails_the_stack(gateway, role):
    cloudformation = gateway.client("cloudformation")
    body = template(role, "plum", Colour="red")
    cloudformation.create_stack(StackName="wrong", TemplateBody=body, OnFailure="DO_NOTHING")
    assert settle(cloudformation, "wrong")["status"] == "CREATE_FAILED"
    told = cloudformation.describe_stack_events(StackName="wrong")["StackEvents"]
    assert any("Colour" in event.get("ResourceStatusReason", "") for event in told)
    cloudformation.delete_stack(StackName="wrong")
    with pytest.raises(ClientError, match="does not exist"):
        wait_until(lambda: not cloudformation.describe_stacks(StackName="wrong"))
