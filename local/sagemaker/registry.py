"""The Model Registry: groups, and in each the numbered packages with their approval."""

import time

from local.sagemaker import resources
from local.sagemaker.engine import Engine
from local.sagemaker.errors import SageMakerError, invalid, refuse
from local.sagemaker.shapes import pick

GROUP, PACKAGE = "ModelPackageGroup", "ModelPackage"
UPDATABLE = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)


def create_group(engine: Engine, request: dict) -> dict:
    refuse(request, ("ManagedConfiguration",), "CreateModelPackageGroup")
    record = resources.create(engine, GROUP, request, ModelPackageGroupStatus="Completed", CreatedBy={})
    return {"ModelPackageGroupArn": record["ModelPackageGroupArn"]}


def _group_name(engine: Engine, name_or_arn: str) -> str:
    """Return a group's name, given its name or ARN."""
    name = name_or_arn.rpartition("/")[2]
    if engine.store.get(GROUP, name) is None:
        raise invalid(f"Model Package Group {engine.arn(GROUP, name)} does not exist.")
    return name


def describe_group(engine: Engine, request: dict) -> dict:
    name = _group_name(engine, request["ModelPackageGroupName"])
    return pick("DescribeModelPackageGroup", engine.store.get(GROUP, name) or {})


def delete_group(engine: Engine, request: dict) -> dict:
    name = _group_name(engine, request["ModelPackageGroupName"])
    if _packages_of(engine, name):
        raise SageMakerError(
            "ConflictException",
            f"Model Package Group {engine.arn(GROUP, name)} cannot be deleted "
            "because it still contains Model Packages.",
        )
    return resources.delete(engine, GROUP, {"ModelPackageGroupName": name})


def _packages_of(engine: Engine, group: str) -> list[dict]:
    return [record for record in engine.store.all(PACKAGE) if record["ModelPackageGroupName"] == group]


def create(engine: Engine, request: dict) -> dict:
    if "ModelPackageGroupName" not in request or "ModelPackageName" in request:
        raise invalid(
            "The local SageMaker keeps versioned model packages only: give ModelPackageGroupName and no "
            "ModelPackageName."
        )
    refuse(request, ("ValidationSpecification", "SourceAlgorithmSpecification"), "CreateModelPackage")
    group = _group_name(engine, request["ModelPackageGroupName"])
    for container in request.get("InferenceSpecification", {}).get("Containers", []):
        if "Image" in container:
            engine.image(container["Image"])
    with engine.store.changed:
        version = engine.store.next_number(engine.arn(GROUP, group))
        arn = f"{engine.arn(PACKAGE, group)}/{version}"
        record = {
            **{member: value for member, value in request.items() if member not in ("Tags", "ClientToken")},
            "ModelPackageGroupName": group,
            "ModelPackageName": group,
            "ModelPackageVersion": version,
            "ModelPackageArn": arn,
            "ModelPackageStatus": "Completed",
            "CreationTime": time.time(),
            "CreatedBy": {},
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "ModelApprovalStatus": request.get("ModelApprovalStatus", "PendingManualApproval"),
        }
        engine.store.add(PACKAGE, arn, record)
    engine.store.tag(arn, resources.tag_map(request))
    resources.announce(engine, PACKAGE, record)
    return {"ModelPackageArn": arn}


def need(engine: Engine, arn: str) -> dict:
    record = engine.store.get(PACKAGE, arn)
    if record is None:
        raise invalid(f"ModelPackage {arn} does not exist.")
    return record


def describe(engine: Engine, request: dict) -> dict:
    return pick("DescribeModelPackage", need(engine, request["ModelPackageName"]))


def list_packages(engine: Engine, request: dict) -> dict:
    """List packages; without a group the API lists packages without a version, and there are none here."""
    if "ModelPackageGroupName" in request:
        request = {**request, "ModelPackageGroupName": _group_name(engine, request["ModelPackageGroupName"])}
    elif request.get("ModelPackageType", "Unversioned") == "Unversioned":
        return {"ModelPackageSummaryList": []}
    return resources.list_page(engine, PACKAGE, request)


def update(engine: Engine, request: dict) -> dict:
    refuse(request, ("AdditionalInferenceSpecificationsToAdd",), "UpdateModelPackage")
    with engine.store.changed:
        record = need(engine, request["ModelPackageArn"])
        changes = {member: request[member] for member in UPDATABLE if member in request}
        if {"CustomerMetadataProperties", "CustomerMetadataPropertiesToRemove"} & set(request):
            changes["CustomerMetadataProperties"] = metadata(record, request)
        updated = engine.store.update(
            PACKAGE, record["ModelPackageArn"], LastModifiedTime=time.time(), LastModifiedBy={}, **changes
        )
    fields = [member for member, value in changes.items() if record.get(member) != value]
    resources.announce(engine, PACKAGE, updated, UpdatedModelPackageFields=fields)
    return {"ModelPackageArn": record["ModelPackageArn"]}


def metadata(record: dict, request: dict) -> dict[str, str]:
    merged = {**record.get("CustomerMetadataProperties", {}), **request.get("CustomerMetadataProperties", {})}
    return {
        key: value for key, value in merged.items() if key not in request.get("CustomerMetadataPropertiesToRemove", [])
    }


def delete(engine: Engine, request: dict) -> dict:
    record = need(engine, request["ModelPackageName"])
    engine.store.remove(PACKAGE, record["ModelPackageArn"])
    resources.announce(engine, PACKAGE, {**record, "ModelPackageStatus": "Deleting"})
    return {}
