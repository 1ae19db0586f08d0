"""The lake: one bucket with every table, artefact and result (keys: domain/lake.py)."""

from functools import cached_property

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from domain import lake
from domain.config.sections import Data
from infra.permissions import Many, accept

# Moving is billed by the object and saves by the byte: from this size on it pays for itself within two months.
COLD_FROM_BYTES, ARCHIVED_FROM_BYTES = 1024**2, 8 * 1024**2
KEPT = (
    lake.ROWS,
    lake.QUARANTINE,
    lake.CAPTURED,
    lake.BATCH,
)  # moved to colder storage, and finally deleted if settings say so
READ_AT_ONCE = (lake.ARTEFACTS,)  # an endpoint may need it at any time, so it is never archived or deleted
SCRATCH_DAYS = 1  # checkpoints: a training job runs for at most a day


class Lake(Construct):
    """fairway load, jobs and functions -> bucket. Versioned, encrypted, TLS only, never public."""

    def __init__(self, scope: Construct, id: str, *, data: Data, removal_policy: RemovalPolicy) -> None:
        super().__init__(scope, id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=removal_policy,
            lifecycle_rules=lifecycle_rules(data),
        )
        accept(
            self.bucket,
            "AwsSolutions-S1",
            "Only roles of these two stacks reach the bucket; CloudTrail data events are there for who needs more",
        )
        accept(
            self.bucket, "CloudFormation-Validate::W9003", "The CDK writes sizes as numbers, which CloudFormation takes"
        )

    def objects(self, *folders: str) -> Many:
        """Return the objects below these folders, for a policy."""
        return Many(
            arns=[f"{self.bucket.bucket_arn}/{folder}*" for folder in folders],
            because="Keys below a folder of the lake are made by runs and loads",
            called=[f"{self.exported}/{folder}*" for folder in folders],
        )

    @cached_property
    def exported(self) -> str:
        """Return the name of the bucket's ARN in the other stack."""
        stack = Stack.of(self)
        return str(stack.resolve(stack.export_value(self.bucket.bucket_arn))["Fn::ImportValue"])

    def uri(self, folder: str) -> str:
        return self.bucket.s3_url_for_object(folder)


def lifecycle_rules(data: Data) -> list[s3.LifecycleRule]:
    """By class of data. What a run used and found (runs/), and what a window held (windows/), is small and stays;
    `domain/money/resources/storage.py` counts what all this saves.
    """
    cold = max(data.hot_days, data.window_days) if data.hot_days else 0  # rows of a training window are never cold
    moves = [
        (folder, place, days, size)
        for folders, place, days, size in (
            ((*KEPT, *READ_AT_ONCE), s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, cold, COLD_FROM_BYTES),
            (KEPT, s3.StorageClass.DEEP_ARCHIVE, data.archive_days, ARCHIVED_FROM_BYTES),
        )
        if days
        for folder in folders
    ]
    rules = [
        s3.LifecycleRule(
            id=f"{folder.strip('/')}-{place.value.lower().replace('_', '-')}",
            prefix=folder,
            object_size_greater_than=size,
            transitions=[s3.Transition(storage_class=place, transition_after=Duration.days(days))],
        )
        for folder, place, days, size in moves
    ]
    ends = dict.fromkeys(KEPT, data.delete_days) | {
        lake.FEATURES: cold,
        lake.SCRATCH: SCRATCH_DAYS,
    }  # features can be computed again
    rules += [
        s3.LifecycleRule(id=f"{folder.strip('/')}-end", prefix=folder, expiration=Duration.days(days))
        for folder, days in ends.items()
        if days
    ]
    scratch_is_gone = Duration.days(SCRATCH_DAYS)
    return [
        *rules,
        s3.LifecycleRule(id="scratch-old-versions", prefix=lake.SCRATCH, noncurrent_version_expiration=scratch_is_gone),
        s3.LifecycleRule(
            id="old-versions",
            noncurrent_version_expiration=Duration.days(data.old_version_days),
            expired_object_delete_marker=True,
            abort_incomplete_multipart_upload_after=Duration.days(1),
        ),
    ]
