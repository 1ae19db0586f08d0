"""From the answers of a window, and what became of them, to a verdict."""

from typing import Any

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from domain.config.sections import Config
from domain.lake import CAPTURED, RUNS, WINDOWS
from infra.data.stores import Stores
from infra.parts.flow import (
    Flow,
    begin,
    call,
    caught,
    choice,
    fail,
    invoke,
    jsonata,
    record_error,
    record_failure,
    record_run,
)
from infra.parts.function import Function
from infra.parts.jobs import Jobs, inputs, output
from infra.permissions import own_stacks

HOUR_S = 3600
LONGEST_COUNTING_S = 2 * HOUR_S


class Monitoring(Construct):
    """{as_of, window?, run?} -> ChooseWindow -> Monitor, where anything was captured -> JudgeWindow -> Decide.

    Where it pays, Decide -> the Train flow.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        code: lambda_.Code,
        stores: Stores,
        train: Flow,
        alarms: sns.ITopic,
        image: str,
    ) -> None:
        super().__init__(scope, id)
        lake, tables, registry = stores.lake, stores.tables, stores.registry
        self.config, self.code, self.lake, self.tables = config, code, lake, tables
        self.train, self.alarms = train, alarms
        self.jobs = Jobs(
            self,
            "Jobs",
            config=config,
            lake=lake,
            repository=registry.repository,
            image=image,
            reads=[CAPTURED, RUNS],
            writes=[WINDOWS],
        )
        self.choose_window = self.function_that_chooses_the_window()
        self.judge_window = self.function_that_judges()
        self.decide = self.function_that_decides()
        self.flow = Flow(self, "Watch", config=config, states=self.states(), timeout_s=LONGEST_COUNTING_S + 2 * HOUR_S)
        self.flow.allow_invoke(self.choose_window, self.judge_window, self.decide)
        self.flow.allow("states:StartExecution", on=train.state_machine_arn)
        self.jobs.allow_run(self.flow, "ProcessingJob")
        self.flow.allow("dynamodb:UpdateItem", on=tables.runs.table_arn)

    def states(self) -> dict[str, Any]:
        return {
            "Begin": begin("watch", next="ChooseWindow"),
            "ChooseWindow": invoke(
                self.choose_window,
                jsonata("$states.input"),
                Assign={"watched": jsonata("$states.result.Payload")},
                Next="IsAnythingCaptured",
            ),
            "IsAnythingCaptured": choice(("$watched.captured_manifest != null", "Monitor"), otherwise="JudgeWindow"),
            "Monitor": self.monitor(Next="JudgeWindow"),
            "JudgeWindow": invoke(
                self.judge_window,
                jsonata("$watched"),
                Assign={"found": jsonata("$states.result.Payload")},
                Next="Decide",
            ),
            "Decide": invoke(
                self.decide,
                jsonata("$watched"),
                Assign={"decided": jsonata("$states.result.Payload")},
                Next="IsARunOrdered",
            ),
            "IsARunOrdered": choice(("$decided.order != null", "StartTraining"), otherwise="RecordRun"),
            "StartTraining": self.start_training(Next="RecordRun"),
            "RecordRun": record_run(
                self.tables.runs,
                "watch",
                {"status": "SUCCEEDED"},
                Output=jsonata("$merge([$found, {'decision': $decided.decision}])"),
                End=True,
            ),
            "RecordFailure": record_failure(self.tables.runs, "watch"),
            "RecordError": record_error(self.tables.runs, "watch"),
            "Failed": fail(),
        }

    def monitor(self, **fields: Any) -> dict[str, Any]:
        """One processing job that counts what was captured in the window, by release."""
        monitoring = self.config.monitoring
        return self.jobs.processing(
            verb="monitor",
            inputs=inputs(
                "$input('contract', 'contract', $watched.settings_uri, 'S3Prefix')",
                "$input('captured', 'captured', $watched.captured_manifest, 'ManifestFile')",
            ),
            outputs=[output("counts", jsonata("$watched.counts_uri"))],
            instance=monitoring.instance,
            volume_gb=monitoring.volume_gb,
            runtime_s=LONGEST_COUNTING_S,
            **fields,
        )

    def start_training(self, **fields: Any) -> dict[str, Any]:
        """Start the Train flow once for each order: its name is made of the window, and what was started stays so."""
        started = caught(fields["Next"], "StepFunctions.ExecutionAlreadyExistsException")
        arguments = {
            "StateMachineArn": self.train.state_machine_arn,
            "Name": jsonata("$decided.order.run"),
            "Input": jsonata("$decided.order"),
        }
        return call("states:startExecution", arguments, catch=(started, caught("RecordFailure")), **fields)

    def function(self, id: str, *, memory_mb: int, environment: dict[str, str]) -> Function:
        return Function(
            self,
            id,
            config=self.config,
            code=self.code,
            memory_mb=memory_mb,
            timeout_s=120,
            environment=environment,
        )

    def function_that_chooses_the_window(self) -> Function:
        tables, lake = self.tables, self.lake
        function = self.function(
            "ChooseWindow",
            memory_mb=256,
            environment={
                "LAKE": lake.bucket.bucket_name,
                "RUNS_TABLE": tables.runs.table_name,
                "ROUTING_TABLE": tables.routing.table_name,
            },
        )
        function.allow("s3:ListBucket", on=lake.bucket.bucket_arn)
        function.allow("s3:GetObject", on=lake.objects(RUNS))
        function.allow("s3:PutObject", on=lake.objects(RUNS, WINDOWS))
        function.allow("dynamodb:Scan", on=tables.routing.table_arn)
        function.allow("dynamodb:UpdateItem", on=tables.runs.table_arn)
        return function

    def function_that_judges(self) -> Function:
        tables, lake = self.tables, self.lake
        function = self.function(
            "JudgeWindow",
            memory_mb=512,
            environment={
                "LAKE": lake.bucket.bucket_name,
                "RUNS_TABLE": tables.runs.table_name,
                "ROUTING_TABLE": tables.routing.table_name,
                "EVIDENCE_TABLE": tables.evidence.table_name,
            },
        )
        function.allow("s3:ListBucket", on=lake.bucket.bucket_arn)  # or a missing object would be a forbidden one
        function.allow("s3:GetObject", on=lake.objects(RUNS, WINDOWS))
        function.allow("dynamodb:Query", "dynamodb:UpdateItem", on=tables.runs.table_arn)
        function.allow("dynamodb:GetItem", on=tables.routing.table_arn)
        function.allow("dynamodb:Query", on=tables.evidence.table_arn)
        return function

    def function_that_decides(self) -> Function:
        tables = self.tables
        function = self.function(
            "Decide",
            memory_mb=512,
            environment={
                "RUNS_TABLE": tables.runs.table_name,
                "ROUTING_TABLE": tables.routing.table_name,
                "ALARMS": self.alarms.topic_arn,
                "TRAIN_FLOW": self.train.state_machine_arn,
            },
        )
        function.allow("dynamodb:Query", "dynamodb:UpdateItem", on=tables.runs.table_arn)
        function.allow("dynamodb:GetItem", "dynamodb:Scan", on=tables.routing.table_arn)
        function.allow("states:ListExecutions", on=self.train.state_machine_arn)
        function.allow("cloudformation:GetTemplate", on=own_stacks(self.config))
        function.allow("sns:Publish", on=self.alarms.topic_arn)
        return function
