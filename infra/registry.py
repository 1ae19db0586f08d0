"""What releases are made of and written down in: the image repository and the model package group."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.permissions import Many, arn


class Registry(Construct):
    """CI pushes the image -> repository; Train registers every verdict -> model package group."""

    def __init__(self, scope, id, *, config, removal_policy: RemovalPolicy):
        super().__init__(scope, id)
        self.repository = ecr.Repository(
            self,
            "Images",
            repository_name=config.prefix,
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            removal_policy=removal_policy,
            empty_on_delete=removal_policy == RemovalPolicy.DESTROY,
            lifecycle_rules=[
                ecr.LifecycleRule(rule_priority=1, tag_status=ecr.TagStatus.UNTAGGED, max_image_age=Duration.days(1)),
                # Many, since a release that is rolled back to needs the very image it was made with.
                ecr.LifecycleRule(rule_priority=2, tag_status=ecr.TagStatus.ANY, max_image_count=100),
            ],
        )
        self.model_packages = sagemaker.CfnModelPackageGroup(
            self,
            "ModelPackages",
            model_package_group_name=config.prefix,
            model_package_group_description=f"Verdicts on models of {config.project.name}, stage {config.stage}",
        )
        self.model_packages.apply_removal_policy(removal_policy)
        self.versions = Many(
            [arn("sagemaker", f"model-package/{config.prefix}/*")], "Each verdict is a version of its own"
        )
