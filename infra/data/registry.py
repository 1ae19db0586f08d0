"""The image repository and the model package group: what releases are made of, and where verdicts are recorded."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from domain.config.sections import Config
from infra.permissions import Many, arn


class Registry(Construct):
    """CI pushes the image -> repository; Train signs every verdict and registers it -> model package group."""

    def __init__(self, scope: Construct, id: str, *, config: Config, removal_policy: RemovalPolicy) -> None:
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
                # many, since a rollback needs the exact image that the release was made with
                ecr.LifecycleRule(rule_priority=2, tag_status=ecr.TagStatus.ANY, max_image_count=100),
            ],
        )
        self.signing_key = signing_key(self, config, removal_policy)
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


def signing_key(scope: Construct, config: Config, removal_policy: RemovalPolicy) -> kms.Key:
    """Return the key that signs releases (lambdas/aws/signatures.py).

    It survives the service stack, like the releases it signed. About $1 a month.
    """
    account = iam.AccountRootPrincipal()
    manage = [
        f"kms:{action}*" for action in ("Describe", "Get", "List", "Put", "Update", "Enable", "Disable", "Tag", "Untag")
    ]
    deletion = ["kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"]
    return kms.Key(
        scope,
        "SigningKey",
        description=f"Signs the releases of {config.prefix}",
        key_spec=kms.KeySpec.ECC_NIST_P256,
        key_usage=kms.KeyUsage.SIGN_VERIFY,
        removal_policy=removal_policy,
        pending_window=Duration.days(7 if removal_policy == RemovalPolicy.DESTROY else 30),
        policy=iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(sid="Manage", principals=[account], actions=[*manage, *deletion], resources=["*"]),
                iam.PolicyStatement(
                    sid="UseAsIamAllows", principals=[account], actions=["kms:Sign", "kms:Verify"], resources=["*"]
                ),
            ]
        ),
    )
