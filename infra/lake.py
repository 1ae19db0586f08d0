"""The lake: one bucket with every table, artefact and result (keys: domain/lake.py)."""

from functools import cached_property

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.permissions import Many, accept


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
            "Only roles of these two stacks reach the bucket; CloudTrail data events tell more, where that is asked",
        )

    def objects(self, *folders: str) -> Many:
        """Everything below these folders, for a policy."""
        return Many(
            arns=[f"{self.bucket.bucket_arn}/{folder}*" for folder in folders],
            because="Keys below a folder of the lake are made by runs and loads",
            called=[f"{self.exported}/{folder}*" for folder in folders],
        )

    @cached_property
    def exported(self) -> str:
        """What the bucket's ARN is called in the other stack."""
        stack = Stack.of(self)
        return stack.resolve(stack.export_value(self.bucket.bucket_arn))["Fn::ImportValue"]

    def uri(self, folder: str) -> str:
        return self.bucket.s3_url_for_object(folder)
