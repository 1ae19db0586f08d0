"""Releases: an approved model package starts the Release flow (infra/release/release_flow.py)."""

from typing import Unpack

from aws_cdk import Aws, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from domain.carried import PREDICT_MB
from domain.config.sections import Config
from domain.lake import ARTEFACTS, CAPTURED, PACED, ROWS, RUNS
from domain.names import lake_parameter
from domain.records import ROLLOUT, ROUTING
from domain.runs import RunKind
from infra.data.stores import Stores
from infra.data.tables import ONLY_RELEASES, WHO_ANSWERS, only_items
from infra.parts.function import Function, Given
from infra.parts.jobs import Jobs
from infra.permissions import Many, allow
from infra.release.endpoints import Endpoints
from infra.release.release_flow import ReleaseFlow, Steps
from infra.release.replay_states import Replay

TO_WARM_UP_S = 240  # a serverless endpoint may need most of a minute for its first answer, and each has three
ONLY_CAPTURED = {"StringLike": {"s3:prefix": [f"{CAPTURED}*"]}}


def bucket_arn(name: str) -> str:
    return f"arn:{Aws.PARTITION}:s3:::{name}"


class Releases(Construct):
    """Model package Approved -> Release flow -> TryEndpoint, Promote and, later, Retire."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        stores: Stores,
        endpoints: Endpoints,
        alarms: sns.ITopic,
        undelivered: sqs.IQueue,
        image: str,
        **stage: Unpack[Given],
    ) -> None:
        super().__init__(scope, id)
        self.stage, config = stage, stage["config"]
        self.lake, self.tables, self.registry = stores.lake, stores.tables, stores.registry
        self.endpoints = endpoints
        self.captured_by = self.lake_of_the_captured()
        self.flow = ReleaseFlow(
            self,
            "Release",
            config=config,
            tables=stores.tables,
            endpoints=endpoints,
            model_packages=stores.registry.versions,
            steps=Steps(
                verify_release=self.function_that_verifies(),
                try_endpoint=self.function_that_tries(),
                replay=self.replay(alarms, image) if config.release.replay_days else None,
                advance=self.function_that_advances(alarms),
                promote=self.function_that_promotes(),
                retire=self.function_that_retires(),
            ),
        )
        self.flow.node.add_dependency(endpoints.removed_with_the_stack)  # no release creates one while they are removed
        self.when_approved(config, undelivered)

    def function(self, id: str, timeout_s: int, environment: dict[str, str]) -> Function:
        return Function(self, id, **self.stage, memory_mb=256, timeout_s=timeout_s, environment=environment)

    def function_that_verifies(self) -> Function:
        signing_key = self.registry.signing_key.key_arn
        function = self.function("VerifyRelease", 60, {"SIGNING_KEY": signing_key})
        function.allow("kms:Verify", on=signing_key)
        function.allow("s3:GetObject", on=self.lake.objects(ARTEFACTS))
        return function

    def function_that_tries(self) -> Function:
        bucket = self.lake.bucket
        function = self.function("TryEndpoint", 60, {"LAKE": bucket.bucket_name})
        function.allow("s3:ListBucket", on=bucket.bucket_arn)  # otherwise a missing object would give "access denied"
        function.allow("s3:GetObject", on=self.lake.objects(RUNS))
        self.endpoints.allow_invoke(function)
        return function

    def replay(self, alarms: sns.ITopic, image: str) -> Replay:
        jobs = Jobs(
            self,
            "Jobs",
            config=self.stage["config"],
            lake=self.lake,
            repository=self.registry.repository,
            image=image,
            reads=[RUNS, ROWS, CAPTURED, ARTEFACTS],
            writes=[RUNS, PACED],
        )
        self.allow_reading_another_stage(jobs.role)
        config = self.stage["config"]
        return Replay(
            plan=self.function_that_plans_replays(),
            pace=self.function_that_paces_replays() if config.release.replay_seconds else None,
            judge=self.function_that_judges_replays(alarms),
            jobs=jobs,
            instance=config.training.instance,
        )

    def function_that_paces_replays(self) -> Function:
        """It sends requests as `predict` does, and has as much of a processor."""
        bucket, routing, signing_key = self.lake.bucket, self.tables.routing, self.registry.signing_key.key_arn
        config = self.stage["config"]
        function = Function(
            self,
            "PaceReplay",
            **self.stage,
            memory_mb=PREDICT_MB,
            timeout_s=config.release.replay_seconds + TO_WARM_UP_S,
            environment={
                "LAKE": bucket.bucket_name,
                "ROUTING_TABLE": routing.table_name,
                "SIGNING_KEY": signing_key,
            },
        )
        function.allow("s3:ListBucket", on=bucket.bucket_arn)  # or a missing object would be a forbidden one
        function.allow("s3:GetObject", on=self.lake.objects(RUNS, PACED))
        function.allow("s3:PutObject", on=self.lake.objects(RUNS))
        function.allow("dynamodb:GetItem", on=routing.table_arn)
        if self.endpoints.used:
            self.endpoints.allow_invoke(function)
        else:
            function.allow("kms:Verify", on=signing_key)
            function.allow("s3:GetObject", on=self.lake.objects(ARTEFACTS))
        return function

    def lake_of_the_captured(self) -> str | None:
        """Return the name of the other stage's lake whose requests are replayed; None where they are this stage's."""
        config = self.stage["config"]
        if not config.release.replay_from:
            return None
        parameter = lake_parameter(config.project.name, config.release.replay_from)
        return ssm.StringParameter.value_for_string_parameter(self, parameter)

    def allow_reading_another_stage(self, role: iam.IRole) -> None:
        """Let the replay's job read what another stage captured, and nothing else of its lake."""
        if self.captured_by:
            parameter = Stack.of(self).resolve(self.captured_by)["Ref"]
            captured = Many(
                arns=[f"{bucket_arn(self.captured_by)}/{CAPTURED}*"],
                because="Files of captured answers are named by their hour",
                called=[f"arn:<AWS::Partition>:s3:::<{parameter}>/{CAPTURED}*"],
            )
            allow(role, "s3:GetObject", on=captured)
            allow(role, "s3:ListBucket", on=bucket_arn(self.captured_by), conditions=ONLY_CAPTURED)

    def function_that_plans_replays(self) -> Function:
        bucket, routing, signing_key = self.lake.bucket, self.tables.routing, self.registry.signing_key.key_arn
        environment = {
            "LAKE": bucket.bucket_name,
            "CAPTURED_LAKE": self.captured_by or bucket.bucket_name,
            "ROUTING_TABLE": routing.table_name,
            "SIGNING_KEY": signing_key,
        }
        function = self.function("PlanReplay", 120, environment)
        function.allow("s3:ListBucket", on=bucket.bucket_arn)
        if self.captured_by:
            function.allow("s3:ListBucket", on=bucket_arn(self.captured_by), conditions=ONLY_CAPTURED)
        function.allow("s3:GetObject", "s3:PutObject", on=self.lake.objects(RUNS))
        function.allow("dynamodb:GetItem", on=routing.table_arn)
        function.allow("kms:Verify", on=signing_key)
        return function

    def function_that_judges_replays(self, alarms: sns.ITopic) -> Function:
        bucket, tables = self.lake.bucket, self.tables
        environment = {
            "LAKE": bucket.bucket_name,
            "ROUTING_TABLE": tables.routing.table_name,
            "PREDICTIONS_TABLE": tables.predictions.table_name,
            "OUTCOMES_TABLE": tables.outcomes.table_name,
            "ALARMS": alarms.topic_arn,
        }
        function = self.function("JudgeReplay", 300, environment)
        function.allow("s3:ListBucket", on=bucket.bucket_arn)  # or a missing object would be a forbidden one
        function.allow("s3:GetObject", "s3:PutObject", on=self.lake.objects(RUNS))
        function.allow("dynamodb:GetItem", on=[tables.predictions.table_arn, tables.outcomes.table_arn])
        function.allow("dynamodb:UpdateItem", on=tables.routing.table_arn, conditions=ONLY_RELEASES)
        function.allow("sns:Publish", on=alarms.topic_arn)
        return function

    def function_that_advances(self, alarms: sns.ITopic) -> Function:
        routing, evidence, runs = self.tables.routing, self.tables.evidence, self.tables.runs
        environment = {
            "ROUTING_TABLE": routing.table_name,
            "EVIDENCE_TABLE": evidence.table_name,
            "RUNS_TABLE": runs.table_name,
            "ALARMS": alarms.topic_arn,
        }
        function = self.function("Advance", 30, environment)
        function.allow("dynamodb:GetItem", on=routing.table_arn)
        function.allow("dynamodb:PutItem", on=routing.table_arn, conditions=only_items(ROUTING, ROLLOUT))
        function.allow("dynamodb:UpdateItem", on=routing.table_arn, conditions=ONLY_RELEASES)
        function.allow("dynamodb:Query", on=evidence.table_arn)
        function.allow("dynamodb:PutItem", on=runs.table_arn, conditions=only_items(RunKind.EXPERIMENT))
        function.allow("sns:Publish", on=alarms.topic_arn)
        return function

    def function_that_promotes(self) -> Function:
        routing = self.tables.routing
        function = self.function("Promote", 30, {"ROUTING_TABLE": routing.table_name})
        function.allow("dynamodb:GetItem", on=routing.table_arn)
        function.allow("dynamodb:PutItem", on=routing.table_arn, conditions=WHO_ANSWERS)
        function.allow("dynamodb:UpdateItem", on=routing.table_arn, conditions=ONLY_RELEASES)
        return function

    def function_that_retires(self) -> Function:
        routing = self.tables.routing
        environment = {"ROUTING_TABLE": routing.table_name, "ENDPOINT_PREFIX": self.endpoints.prefix}
        function = self.function("Retire", 60, environment)
        function.allow("dynamodb:GetItem", on=routing.table_arn)
        function.allow("dynamodb:UpdateItem", on=routing.table_arn, conditions=ONLY_RELEASES)
        self.endpoints.allow_removal(function)
        return function

    def when_approved(self, config: Config, undelivered: sqs.IQueue) -> None:
        approved = events.EventPattern(
            source=["aws.sagemaker"],
            detail_type=["SageMaker Model Package State Change"],
            detail={"ModelPackageGroupName": [config.prefix], "ModelApprovalStatus": ["Approved"]},
        )
        package = {"model_package_arn": events.EventField.from_path("$.detail.ModelPackageArn")}
        release = targets.SfnStateMachine(
            self.flow,
            input=events.RuleTargetInput.from_object(package),
            dead_letter_queue=undelivered,
            retry_attempts=20,
        )
        events.Rule(self, "WhenApproved", event_pattern=approved, targets=[release])
