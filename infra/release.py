"""How a release comes to answer: an approved model package starts the Release flow (infra/release_flow.py)."""

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.endpoints import Endpoints
from infra.function import Function
from infra.lake import Lake
from infra.registry import Registry
from infra.release_flow import ReleaseFlow
from infra.tables import Tables


class Releases(Construct):
    """Model package Approved -> Release flow -> SmokeTest, Promote and, later, Retire."""

    def __init__(
        self,
        scope,
        id,
        *,
        config,
        code,
        lake: Lake,
        tables: Tables,
        registry: Registry,
        endpoints: Endpoints,
        undelivered: sqs.IQueue,
    ):
        super().__init__(scope, id)
        self.config = config
        routing = {"ROUTING_TABLE": tables.routing.table_name}
        prefix = {"ENDPOINT_PREFIX": endpoints.prefix}
        bucket = {"LAKE": lake.bucket.bucket_name}

        def function(id: str, timeout_s: int, environment: dict) -> Function:
            return Function(
                self, id, config=config, code=code, memory_mb=256, timeout_s=timeout_s, environment=environment
            )

        self.verify_release = function("VerifyRelease", 60, {"SIGNING_KEY": registry.signing_key.key_arn})
        self.verify_release.allow("kms:Verify", on=registry.signing_key.key_arn)
        self.verify_release.allow("s3:GetObject", on=lake.objects("artefacts/"))

        self.smoke_test = function("SmokeTest", 60, bucket)
        self.smoke_test.allow(
            "s3:ListBucket", on=lake.bucket.bucket_arn
        )  # or a missing object would be a forbidden one
        self.smoke_test.allow("s3:GetObject", on=lake.objects("runs/"))
        endpoints.allow_invoke(self.smoke_test)

        self.promote = function("Promote", 30, routing)
        self.promote.allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", on=tables.routing.table_arn)

        self.retire = function("Retire", 60, {**routing, **prefix})
        self.retire.allow("dynamodb:GetItem", "dynamodb:UpdateItem", on=tables.routing.table_arn)
        endpoints.allow_removal(self.retire)

        self.flow = ReleaseFlow(
            self,
            "Release",
            config=config,
            tables=tables,
            endpoints=endpoints,
            model_packages=registry.versions,
            verify_release=self.verify_release,
            smoke_test=self.smoke_test,
            promote=self.promote,
            retire=self.retire,
        )
        self.flow.node.add_dependency(endpoints.removed_with_the_stack)  # no release makes one while they are removed
        self.when_approved(undelivered)

    def when_approved(self, undelivered) -> None:
        approved = events.EventPattern(
            source=["aws.sagemaker"],
            detail_type=["SageMaker Model Package State Change"],
            detail={"ModelPackageGroupName": [self.config.prefix], "ModelApprovalStatus": ["Approved"]},
        )
        package = {"model_package_arn": events.EventField.from_path("$.detail.ModelPackageArn")}
        release = targets.SfnStateMachine(
            self.flow,
            input=events.RuleTargetInput.from_object(package),
            dead_letter_queue=undelivered,
            retry_attempts=20,
        )
        events.Rule(self, "WhenApproved", event_pattern=approved, targets=[release])
