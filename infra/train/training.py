"""Training: from a window of the lake to a verdict in the model registry."""

from typing import Any

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from domain.config.sections import Config
from domain.lake import ARTEFACTS, CHECKPOINTS, ROWS, RUNS
from infra.data.stores import Stores
from infra.data.tables import ONLY_RELEASES
from infra.parts.flow import Flow, begin, call, caught, fail, invoke, jsonata, record_error, record_failure, record_run
from infra.parts.function import Function
from infra.parts.jobs import Jobs, inputs, output, tags, to_its_end
from infra.permissions import own_stacks

MINUTE_S, HOUR_S = 60, 3600
TEXT = ["application/json", "text/csv", "application/jsonlines"]  # what the container reads and writes


class Training(Construct):
    """{as_of, run?} -> SelectWindow -> TrainCandidate x N -> Evaluate -> Judge -> RegisterVerdict -> RecordRun."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        code: lambda_.Code,
        stores: Stores,
        image: str,
    ) -> None:
        super().__init__(scope, id)
        lake, tables, registry = stores.lake, stores.tables, stores.registry
        self.config, self.lake, self.tables, self.image = config, lake, tables, image
        self.signing_key = registry.signing_key
        self.jobs = Jobs(
            self,
            "Jobs",
            config=config,
            lake=lake,
            repository=registry.repository,
            image=image,
            reads=[ROWS, RUNS, ARTEFACTS, CHECKPOINTS],
            writes=[RUNS, ARTEFACTS, CHECKPOINTS],
        )
        self.select_window = self.function_that_selects_the_window(code)
        self.judge = self.function_that_judges(code)
        self.flow = Flow(self, "Train", config=config, states=self.states(), timeout_s=self.longest_s() + 24 * HOUR_S)
        self.flow.allow_invoke(self.select_window, self.judge)
        self.jobs.allow_run(self.flow, "TrainingJob", "ProcessingJob")
        self.flow.allow("sagemaker:CreateModelPackage", on=registry.model_packages.attr_model_package_group_arn)
        self.flow.allow("sagemaker:CreateModelPackage", on=registry.versions)
        self.flow.allow("dynamodb:UpdateItem", on=tables.runs.table_arn)

    def states(self) -> dict[str, Any]:
        return {
            "Begin": begin("train", next="SelectWindow"),
            "SelectWindow": invoke(
                self.select_window,
                jsonata("$states.input"),
                Assign={"window": jsonata("$states.result.Payload")},
                Next="TrainCandidates",
            ),
            "TrainCandidates": self.train_each_candidate(Next="Evaluate"),
            "Evaluate": self.evaluate(Next="Judge"),
            "Judge": invoke(
                self.judge,
                {"run": jsonata("$run")},
                Assign={"verdict": jsonata("$states.result.Payload")},
                Next="RegisterVerdict",
            ),
            "RegisterVerdict": self.register_verdict(Next="RecordRun"),
            "RecordRun": self.record_verdict(End=True),
            "RecordFailure": record_failure(self.tables.runs, "train"),
            "RecordError": record_error(self.tables.runs, "train"),
            "Failed": fail(),
        }

    def longest_s(self) -> int:
        """Return the seconds of all rounds of training jobs, including the wait for Spot capacity, and of the
        evaluation.
        """
        training = self.config.training
        rounds = -(-len(training.candidates) // training.parallel)
        return rounds * self.longest_training_s() + training.max_runtime_minutes * MINUTE_S

    def longest_training_s(self) -> int:
        training = self.config.training
        return (2 if training.spot else 1) * training.max_runtime_minutes * MINUTE_S

    def train_each_candidate(self, **fields: Any) -> dict[str, Any]:
        return {
            "Type": "Map",
            "Items": jsonata("$window.candidates"),
            "MaxConcurrency": self.config.training.parallel,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": "TrainCandidate",
                "States": {"TrainCandidate": self.train_candidate()},
            },
            "Catch": [caught("RecordFailure")],
            **fields,
        }

    def train_candidate(self) -> dict[str, Any]:
        """Return one training job, on Spot capacity if settings say so; the Map catches its failure."""
        training = self.config.training
        waiting_s = self.longest_training_s()
        arguments = {
            "TrainingJobName": jsonata("$states.input.job"),
            "RoleArn": self.jobs.role.role_arn,
            "AlgorithmSpecification": {"TrainingImage": self.image, "TrainingInputMode": "File"},
            "HyperParameters": jsonata("$states.input.hyperparameters"),
            "InputDataConfig": [
                channel("contract", "S3Prefix", jsonata("$window.settings_uri")),
                channel("rows", "ManifestFile", jsonata("$window.train_manifest")),
            ],
            "OutputDataConfig": {"S3OutputPath": jsonata("$states.input.output_uri")},
            "CheckpointConfig": {"S3Uri": jsonata("$states.input.checkpoint_uri")},
            "ResourceConfig": {
                "InstanceType": training.instance,
                "InstanceCount": 1,
                "VolumeSizeInGB": training.volume_gb,
            },
            "EnableManagedSpotTraining": training.spot,
            "StoppingCondition": {
                "MaxRuntimeInSeconds": training.max_runtime_minutes * MINUTE_S,
                **({"MaxWaitTimeInSeconds": waiting_s} if training.spot else {}),
            },
            "EnableNetworkIsolation": True,
            "Tags": tags(self.config),
        }
        return {
            **to_its_end("createTrainingJob", arguments, waiting_s, catch=()),
            "Output": {"name": jsonata("$states.input.name")},
            "End": True,
        }

    def evaluate(self, **fields: Any) -> dict[str, Any]:
        """Return one processing job that measures every candidate and the champion on the same later rows."""
        training = self.config.training
        return self.jobs.processing(
            verb="evaluate",
            inputs=inputs(
                "$input('contract', 'contract', $window.settings_uri, 'S3Prefix')",
                "$input('rows', 'rows', $window.evaluate_manifest, 'ManifestFile')",
                "$input('models', 'models', $window.artefacts_uri, 'S3Prefix')",
                "$window.champion ? $input('champion', 'champion', $window.champion.model_uri, 'S3Prefix')",
            ),
            outputs=[output("evaluation", jsonata(f"'{self.lake.uri(RUNS)}' & $run & '/'"))],
            instance=training.instance,
            volume_gb=training.volume_gb,
            runtime_s=training.max_runtime_minutes * MINUTE_S,
            **fields,
        )

    def register_verdict(self, **fields: Any) -> dict[str, Any]:
        """Register a new version in the model package group; an approved one starts the Release flow."""
        arguments = {
            "ModelPackageGroupName": self.config.prefix,
            "ModelPackageDescription": jsonata("$substring($verdict.reason, 0, 1024)"),
            "ModelApprovalStatus": jsonata("$verdict.approval_status"),
            "CustomerMetadataProperties": jsonata("$verdict.metadata"),
            "InferenceSpecification": {
                "Containers": [{"Image": self.image, "ModelDataUrl": jsonata("$verdict.model_uri")}],
                "SupportedContentTypes": TEXT,
                "SupportedResponseMIMETypes": TEXT,
            },
        }
        assign = {"model_package_arn": jsonata("$states.result.ModelPackageArn")}
        return call("aws-sdk:sagemaker:createModelPackage", arguments, Assign=assign, **fields)

    def record_verdict(self, **fields: Any) -> dict[str, Any]:
        verdict = {
            "status": "SUCCEEDED",
            "verdict": jsonata("$verdict.verdict"),
            "release": jsonata("$verdict.release"),
            "reason": jsonata("$verdict.reason"),
            "model_package_arn": jsonata("$model_package_arn"),
        }
        result = jsonata("$merge([$verdict, {'run': $run, 'model_package_arn': $model_package_arn}])")
        return record_run(self.tables.runs, "train", verdict, Output=result, **fields)

    def function_that_selects_the_window(self, code: lambda_.Code) -> Function:
        lake, tables = self.lake, self.tables
        environment = {
            "LAKE": lake.bucket.bucket_name,
            "RUNS_TABLE": tables.runs.table_name,
            "ROUTING_TABLE": tables.routing.table_name,
            "ENDPOINT_PREFIX": f"{self.config.prefix}-",
            "SIGNING_KEY": self.signing_key.key_arn,
        }
        function = Function(
            self, "SelectWindow", config=self.config, code=code, memory_mb=512, timeout_s=60, environment=environment
        )
        function.allow("dynamodb:Query", "dynamodb:UpdateItem", on=tables.runs.table_arn)
        function.allow("dynamodb:GetItem", on=tables.routing.table_arn)
        function.allow("kms:Verify", on=self.signing_key.key_arn)
        function.allow("s3:PutObject", on=lake.objects(RUNS))
        return function

    def function_that_judges(self, code: lambda_.Code) -> Function:
        environment = {
            "LAKE": self.lake.bucket.bucket_name,
            "ROUTING_TABLE": self.tables.routing.table_name,
            "SIGNING_KEY": self.signing_key.key_arn,
        }
        function = Function(
            self, "Judge", config=self.config, code=code, memory_mb=256, timeout_s=30, environment=environment
        )
        # otherwise a missing object would give "access denied"
        function.allow("s3:ListBucket", on=self.lake.bucket.bucket_arn)
        function.allow("s3:GetObject", "s3:PutObject", on=self.lake.objects(RUNS))
        writes = ("dynamodb:PutItem", "dynamodb:UpdateItem")
        function.allow(*writes, on=self.tables.routing.table_arn, conditions=ONLY_RELEASES)
        function.allow("kms:Sign", on=self.signing_key.key_arn)
        if self.config.budget.require_positive_value:
            function.allow("cloudformation:GetTemplate", on=own_stacks(self.config))
        return function


def channel(name: str, kind: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "InputMode": "File", "DataSource": {"S3DataSource": source}}
