"""`python scripts/destroy.py dev --yes`: a stage goes, and with it what CloudFormation alone would leave, or fail at.

The service stack of any stage goes; the data stack only where the settings do not keep its data. Without --yes nothing
is done, and what would be lost is said.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from domain.config.sections import Config, ConfigError  # noqa: E402
from scripts.deploy import DeployRefused, cdk_command, refuse_other_account, stage_of  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage")
    parser.add_argument("--project", type=Path, default=ROOT, help="the folder of fairway.toml")
    parser.add_argument("--yes", action="store_true", help="do it")
    arguments = parser.parse_args()
    try:
        config = stage_of(arguments.project, arguments.stage)
        print("\n".join(consequences(config)))
        if not arguments.yes:
            raise DeployRefused("nothing was done; the same with --yes does it")
        import boto3

        session = boto3.Session(region_name=config.target.region)
        refuse_other_account(config, session.client("sts").get_caller_identity()["Account"])
        destroy(config, project=arguments.project, client=session.client)
    except (ConfigError, DeployRefused) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"error: {error.cmd[0]} ended with {error.returncode}; what it said is above", file=sys.stderr)
        return 1
    return 0


def consequences(config: Config) -> list[str]:
    goes = f"{config.prefix}-service goes: the API and its URL, endpoints, schedules, alarms, logs"
    if config.target.keep_data:
        return [
            goes,
            f"{config.prefix}-data stays, and goes on costing what its lake and tables hold: keep_data = true",
        ]
    return [
        goes,
        f"{config.prefix}-data goes: every row, prediction, outcome, image and verdict; nothing brings them back",
    ]


def destroy(config: Config, *, project: Path, client, run=subprocess.run) -> None:
    def cdk(stack: str) -> None:
        context = ["-c", f"stage={config.stage}", "-c", f"project={project.resolve()}"]
        run(
            [*cdk_command(), "destroy", f"{config.prefix}-{stack}", "--force", "--exclusively", *context],
            cwd=ROOT,
            check=True,
        )

    cdk("service")
    forget_logs(client("logs"), config.prefix)
    if not config.target.keep_data:
        for bucket in resources_of(client("cloudformation"), f"{config.prefix}-data", "AWS::S3::Bucket"):
            empty(client("s3"), bucket)
        forget_verdicts(client("sagemaker"), config.prefix)
        cdk("data")


def forget_logs(logs, prefix: str) -> None:
    """Of the stage's endpoints, which SageMaker makes itself and keeps for ever."""
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=f"/aws/sagemaker/Endpoints/{prefix}-r-"
    )
    for name in [group["logGroupName"] for page in pages for group in page["logGroups"]]:
        logs.delete_log_group(logGroupName=name)


def resources_of(cloudformation, stack: str, kind: str) -> list[str]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    found = (resource for page in pages for resource in page["StackResourceSummaries"])
    return [resource["PhysicalResourceId"] for resource in found if resource["ResourceType"] == kind]


def empty(s3, bucket: str) -> None:
    """Every version of every object: a bucket that holds one is not deleted."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if found:
            objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
            refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors", [])
            if refused:
                raise DeployRefused(
                    f"{bucket}: {len(refused)} objects not deleted, the first with {refused[0]['Code']}"
                )


def forget_verdicts(sagemaker, group: str) -> None:
    """A model package group that holds a version is not deleted either."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    for arn in [package["ModelPackageArn"] for page in pages for package in page["ModelPackageSummaryList"]]:
        sagemaker.delete_model_package(ModelPackageName=arn)


if __name__ == "__main__":
    sys.exit(main())
