"""The lake: one bucket with every table, artefact and result (keys: domain/lake.py)."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.findings import accept


class Lake(Construct):
    """fairway load, jobs and functions -> bucket. Versioned, encrypted, TLS only, never public."""

    def __init__(self, scope, id, *, removal_policy: RemovalPolicy):
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
            lifecycle_rules=[
                s3.LifecycleRule(id="scratch", prefix="scratch/", expiration=Duration.days(14)),
                s3.LifecycleRule(
                    id="old-versions",
                    noncurrent_version_expiration=Duration.days(90),
                    expired_object_delete_marker=True,
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
            ],
        )
        accept(
            self.bucket,
            "AwsSolutions-S1",
            "Only the roles of these two stacks reach the bucket; who wants object-level records turns on CloudTrail data events",
        )

    def arn(self, *folders: str) -> list[str]:
        """The objects below these folders, for a policy."""
        return [self.bucket.arn_for_objects(f"{folder}*") for folder in folders]

    def uri(self, folder: str) -> str:
        return self.bucket.s3_url_for_object(folder)
