"""The Model Registry: groups, numbered packages, approval, and deploying what was approved."""

import pytest
from botocore.exceptions import ClientError

from tests.local.sagemaker.conftest import IMAGE

INFERENCE = {
    "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://lab/models/model.tar.gz"}],
    "SupportedContentTypes": ["application/json"],
    "SupportedResponseMIMETypes": ["application/json"],
}


def register(sagemaker, group: str, **more) -> str:
    return sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=INFERENCE, **more)[
        "ModelPackageArn"
    ]


@pytest.fixture(scope="module")
def group(sagemaker):
    """The ARN of a group of three packages, the second rejected, the third approved."""
    arn = sagemaker.create_model_package_group(
        ModelPackageGroupName="flights", ModelPackageGroupDescription="late?", Tags=[{"Key": "team", "Value": "ml"}]
    )["ModelPackageGroupArn"]
    register(sagemaker, "flights", CustomerMetadataProperties={"release": "one"})
    register(sagemaker, arn, ModelApprovalStatus="Rejected")
    register(sagemaker, arn, ModelApprovalStatus="Approved")
    return arn


def test_a_group_is_described_by_name_or_arn(sagemaker, group):
    by_name = sagemaker.describe_model_package_group(ModelPackageGroupName="flights")
    by_arn = sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    assert {**by_name, "ResponseMetadata": 0} == {**by_arn, "ResponseMetadata": 0}
    assert (by_name["ModelPackageGroupArn"], by_name["ModelPackageGroupStatus"]) == (group, "Completed")
    assert sagemaker.list_tags(ResourceArn=group)["Tags"] == [{"Key": "team", "Value": "ml"}]
    [listed] = sagemaker.list_model_package_groups(NameContains="light")["ModelPackageGroupSummaryList"]
    assert listed["ModelPackageGroupName"] == "flights"


def test_packages_are_numbered_and_wait_for_approval_unless_told(sagemaker, group):
    listed = sagemaker.list_model_packages(ModelPackageGroupName=group, SortOrder="Ascending")
    packages = listed["ModelPackageSummaryList"]
    assert [
        (package["ModelPackageVersion"], package["ModelApprovalStatus"], package["ModelPackageArn"])
        for package in packages
    ] == [
        (1, "PendingManualApproval", "arn:aws:sagemaker:us-east-1:000000000000:model-package/flights/1"),
        (2, "Rejected", "arn:aws:sagemaker:us-east-1:000000000000:model-package/flights/2"),
        (3, "Approved", "arn:aws:sagemaker:us-east-1:000000000000:model-package/flights/3"),
    ]
    second = sagemaker.describe_model_package(ModelPackageName=packages[1]["ModelPackageArn"])
    assert second["ModelPackageStatus"] == "Completed"
    assert second["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == "s3://lab/models/model.tar.gz"


def test_packages_are_listed_by_approval_and_page(sagemaker, group):
    approved = sagemaker.list_model_packages(ModelPackageGroupName="flights", ModelApprovalStatus="Approved")
    assert [package["ModelPackageVersion"] for package in approved["ModelPackageSummaryList"]] == [3]
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName="flights", PaginationConfig={"PageSize": 2}
    )
    assert [[package["ModelPackageVersion"] for package in page["ModelPackageSummaryList"]] for page in pages] == [
        [1, 2],
        [3],
    ]
    with pytest.raises(ClientError, match="Invalid NextToken"):
        sagemaker.list_model_packages(ModelPackageGroupName="flights", NextToken="bm9wZQ")


def test_approval_and_metadata_change(sagemaker, group):
    first = group.replace("model-package-group", "model-package") + "/1"
    sagemaker.update_model_package(
        ModelPackageArn=first,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"auc": "0.7"},
    )
    sagemaker.update_model_package(ModelPackageArn=first, CustomerMetadataPropertiesToRemove=["release"])
    found = sagemaker.describe_model_package(ModelPackageName=first)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"], found["CustomerMetadataProperties"]) == (
        "Approved",
        "good",
        {"auc": "0.7"},
    )
    assert found["LastModifiedTime"] >= found["CreationTime"]


def test_a_model_is_made_from_an_approved_package_only(sagemaker, role, group):
    packages = group.replace("model-package-group", "model-package")
    sagemaker.create_model(
        ModelName="from-package", ExecutionRoleArn=role, PrimaryContainer={"ModelPackageName": f"{packages}/3"}
    )
    with pytest.raises(ClientError, match="must be Approved to be deployed, found Rejected"):
        sagemaker.create_model(
            ModelName="from-rejected", ExecutionRoleArn=role, PrimaryContainer={"ModelPackageName": f"{packages}/2"}
        )


def test_a_number_is_never_given_twice_and_a_full_group_stays(sagemaker):
    sagemaker.create_model_package_group(ModelPackageGroupName="numbers")
    sagemaker.delete_model_package(ModelPackageName=register(sagemaker, "numbers"))
    second = register(sagemaker, "numbers")
    assert second.endswith("/numbers/2")
    with pytest.raises(ClientError, match="still contains Model Packages"):
        sagemaker.delete_model_package_group(ModelPackageGroupName="numbers")
    sagemaker.delete_model_package(ModelPackageName=second)
    sagemaker.delete_model_package_group(ModelPackageGroupName="numbers")
    with pytest.raises(ClientError, match="Model Package Group .* does not exist"):
        register(sagemaker, "numbers")


def test_a_package_with_a_wrong_image_or_status_is_refused(gateway, group):
    client = gateway.unchecked_client("sagemaker")
    with pytest.raises(ClientError, match="Requested image none:v1 not found"):
        client.create_model_package(
            ModelPackageGroupName="flights", InferenceSpecification={"Containers": [{"Image": "none:v1"}]}
        )
    with pytest.raises(ClientError, match="enum value set"):
        client.create_model_package(ModelPackageGroupName="flights", ModelApprovalStatus="Maybe")
