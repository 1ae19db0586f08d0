"""Remove a stage, including what CloudFormation alone would leave behind or fail at.

The service stack is always removed, the data stack only if the settings do not keep its data.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from domain.config.sections import Config
from fairway.deploy import cdk
from fairway.deploy.programs import Programs
from fairway.deploy.synth import synthesise
from fairway.terminal.errors import Failed

Client = Callable[[str], Any]  # from a service's name to boto3's client


def consequences(config: Config) -> list[str]:
    """Describe what would be lost and what would stay, one sentence for each stack."""
    goes = f"{config.prefix}-service is removed: the API and its URL, endpoints, schedules, alarms, logs"
    if config.target.keep_data:
        return [goes, f"{config.prefix}-data stays, and its lake and tables are still billed: keep_data = true"]
    return [
        goes,
        f"{config.prefix}-data is removed: every row, prediction, outcome, image and verdict; they cannot be restored",
    ]


def remove(
    config: Config,
    folder: Path,
    *,
    client: Client,
    programs: Programs,
    tell: Callable[[str], None],
    synth: Callable[..., Path] = synthesise,
) -> list[str]:
    """Remove the stage; return the names of the removed stacks."""
    tell(f"Building the templates of {config.prefix}")
    assembly = synth(folder, config.stage)
    removed = []

    def stack(name: str) -> None:
        tell(f"Removing {config.prefix}-{name}")
        words = ["destroy", f"{config.prefix}-{name}", "--exclusively", "--force", "--app", str(assembly)]
        cdk.run(programs, *words, folder=assembly)
        removed.append(f"{config.prefix}-{name}")

    stack("service")
    _forget_logs(client("logs"), config.prefix)
    if not config.target.keep_data:
        for bucket in _resources_of(client("cloudformation"), f"{config.prefix}-data", "AWS::S3::Bucket"):
            tell(f"Emptying {bucket}")
            _empty(client("s3"), bucket)
        _forget_verdicts(client("sagemaker"), config.prefix)
        stack("data")
    return removed


def _forget_logs(logs: Any, prefix: str) -> None:
    """Delete the logs of the stage's endpoints, which SageMaker creates itself and never deletes."""
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=f"/aws/sagemaker/Endpoints/{prefix}-r-"
    )
    for name in [group["logGroupName"] for page in pages for group in page["logGroups"]]:
        logs.delete_log_group(logGroupName=name)


def _resources_of(cloudformation: Any, stack: str, kind: str) -> list[str]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    found = (resource for page in pages for resource in page["StackResourceSummaries"])
    return [resource["PhysicalResourceId"] for resource in found if resource["ResourceType"] == kind]


def _empty(s3: Any, bucket: str) -> None:
    """Delete every version of every object, since a bucket with objects cannot be deleted."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if found:
            objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
            refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors", [])
            if refused:
                raise Failed(
                    "bucket", f"{bucket}: {len(refused)} objects not deleted, the first with {refused[0]['Code']}"
                )


def _forget_verdicts(sagemaker: Any, group: str) -> None:
    """Delete the versions of the model package group, since a group with versions cannot be deleted."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    for arn in [package["ModelPackageArn"] for page in pages for package in page["ModelPackageSummaryList"]]:
        sagemaker.delete_model_package(ModelPackageName=arn)
