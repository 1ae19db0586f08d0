"""From files to stored predictions, each row once."""

from typing import Any

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from domain.config.sections import Config
from domain.lake import ARTEFACTS, BATCH, SCORED
from domain.quotas import WRITERS
from infra.data.stores import Stores
from infra.parts.flow import Flow, again, begin, caught, choice, fail, invoke, jsonata, record_error, record_failure
from infra.parts.function import Function
from infra.parts.jobs import Jobs, inputs, output
from infra.permissions import Many, arn

HOUR_S = 3600
LONGEST_SCORING_S = 12 * HOUR_S
EACH_FILE = "WriteResults"  # prefix of the names of the Map's executions


class Batch(Construct):
    """{as_of, input, run?} -> Preprocess -> Score on N instances -> WriteResults x files of results -> CloseBatch."""

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
        self.config, self.code, self.lake, self.tables = config, code, lake, tables
        self.signing_key = registry.signing_key
        self.jobs = Jobs(
            self,
            "Jobs",
            config=config,
            lake=lake,
            repository=registry.repository,
            image=image,
            reads=[BATCH, ARTEFACTS],
            writes=[BATCH],
        )
        self.preprocess = self.function_that_preprocesses()
        self.write_results = self.function_that_writes_results()
        self.close_batch = self.function_that_closes()
        self.flow = Flow(self, "Batch", config=config, states=self.states(), timeout_s=24 * HOUR_S)
        self.flow.allow_invoke(self.preprocess, self.write_results, self.close_batch)
        self.jobs.allow_run(self.flow, "ProcessingJob")
        self.flow.allow("dynamodb:UpdateItem", on=tables.runs.table_arn)
        self.allow_the_distributed_map()

    def states(self) -> dict[str, Any]:
        return {
            "Begin": begin("batch", next="Preprocess"),
            "Preprocess": invoke(
                self.preprocess,
                jsonata("$states.input"),
                Assign={"plan": jsonata("$states.result.Payload")},
                Next="IsAnythingLeft",
            ),
            # a run that was killed and started again may have nothing left to score
            "IsAnythingLeft": choice(("$plan.shards_manifest != null", "Score"), otherwise="IsAnythingStored"),
            "Score": self.score(Next="IsAnythingStored"),
            "IsAnythingStored": choice(("$plan.store", "WriteResults"), otherwise="CloseBatch", Assign={"written": 0}),
            "WriteResults": self.write_every_file(Next="CloseBatch"),
            "CloseBatch": invoke(
                self.close_batch,
                {"run": jsonata("$run"), "written": jsonata("$written")},
                Output=jsonata("$states.result.Payload"),
                End=True,
            ),
            "RecordFailure": record_failure(self.tables.runs, "batch"),
            "RecordError": record_error(self.tables.runs, "batch"),
            "Failed": fail(),
        }

    def score(self, **fields: Any) -> dict[str, Any]:
        """Return one processing job, whose instances share the files. Before the first release the fallback answers."""
        folders = (
            "predictions",
            "quarantine",
            "results",
            "summary",
        )  # complete segments are uploaded at once, so that a stop does not lose them
        outputs = [
            output(folder, jsonata(f"$plan.output_uri & '{folder}/'"), upload="Continuous") for folder in folders
        ]
        return self.jobs.processing(
            verb="score",
            inputs=inputs(
                "$input('contract', 'contract', $plan.settings_uri, 'S3Prefix')",
                "$input('rows', 'rows', $plan.shards_manifest, 'ManifestFile', true)",
                "$plan.model_uri ? $input('model', 'model', $plan.model_uri, 'S3Prefix')",
            ),
            outputs=outputs,
            instance=self.config.batch.instance,
            instances=jsonata("$plan.instances"),
            volume_gb=self.config.batch.volume_gb,
            runtime_s=LONGEST_SCORING_S,
            **fields,
        )

    def write_every_file(self, **fields: Any) -> dict[str, Any]:
        """Return a distributed Map over any number of files of results."""
        bucket = self.lake.bucket.bucket_name
        prefix = jsonata(f"'{BATCH}' & $run & '/results/'")
        return {
            "Type": "Map",
            "Label": EACH_FILE,
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:listObjectsV2",
                "Arguments": {"Bucket": bucket, "Prefix": prefix},
            },
            "ItemSelector": {"bucket": bucket, "key": jsonata("$states.context.Map.Item.Value.Key")},
            "MaxConcurrency": WRITERS,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "WriteFile",
                "States": {"WriteFile": self.write_file()},
            },
            "Assign": {"written": jsonata("$sum($append([0], $states.result.written))")},
            "Catch": [caught("RecordFailure")],
            **fields,
        }

    def write_file(self) -> dict[str, Any]:
        """Return the state that writes a file; the Map catches its failure.

        Nobody waits, so a slow table gets ten minutes to recover.
        """
        return invoke(
            self.write_results,
            jsonata("$states.input"),
            retry=(again(["TableBusy", "TimedOut", "Unreachable"], seconds=10, times=6),),
            catch=(),
            Output=jsonata("$states.result.Payload"),
            End=True,
        )

    def function_that_preprocesses(self) -> Function:
        tables = self.tables
        function = Function(
            self,
            "Preprocess",
            config=self.config,
            code=self.code,
            memory_mb=512,
            timeout_s=300,
            environment={
                "LAKE": self.lake.bucket.bucket_name,
                "RUNS_TABLE": tables.runs.table_name,
                "ROUTING_TABLE": tables.routing.table_name,
                "SIGNING_KEY": self.signing_key.key_arn,
            },
        )
        function.allow("s3:ListBucket", on=self.lake.bucket.bucket_arn)
        function.allow("s3:GetObject", "s3:PutObject", on=self.lake.objects(BATCH))
        function.allow("s3:GetObject", on=self.lake.objects(SCORED))
        function.allow("dynamodb:UpdateItem", on=tables.runs.table_arn)
        function.allow("dynamodb:GetItem", on=tables.routing.table_arn)
        function.allow("kms:Verify", on=self.signing_key.key_arn)
        return function

    def function_that_writes_results(self) -> Function:
        function = Function(
            self,
            "WriteResults",
            config=self.config,
            code=self.code,
            memory_mb=1024,
            timeout_s=900,
            environment={"PREDICTIONS_TABLE": self.tables.predictions.table_name},
        )
        function.allow("s3:GetObject", on=self.lake.objects(BATCH))
        function.allow("dynamodb:BatchWriteItem", on=self.tables.predictions.table_arn)
        return function

    def function_that_closes(self) -> Function:
        function = Function(
            self,
            "CloseBatch",
            config=self.config,
            code=self.code,
            memory_mb=256,
            timeout_s=60,
            environment={"LAKE": self.lake.bucket.bucket_name, "RUNS_TABLE": self.tables.runs.table_name},
        )
        function.allow("s3:ListBucket", on=self.lake.bucket.bucket_arn)
        function.allow("s3:GetObject", on=self.lake.objects(BATCH))
        function.allow("s3:PutObject", on=self.lake.objects(SCORED))
        function.allow("dynamodb:GetItem", "dynamodb:UpdateItem", on=self.tables.runs.table_arn)
        return function

    def allow_the_distributed_map(self) -> None:
        """Allow the Map to run its items as executions of the flow itself, by name, since a flow cannot refer to
        itself.
        """
        name, why = f"{self.config.prefix}-batch", "Each item is an execution of its own"
        items = Many([arn("states", f"execution:{name}:*")], why)
        labelled = Many([arn("states", f"execution:{name}/{EACH_FILE}:*")], why)  # in AWS's names for this action
        self.flow.allow("states:StartExecution", on=arn("states", f"stateMachine:{name}"))
        self.flow.allow("states:DescribeExecution", "states:StopExecution", on=items)
        self.flow.allow("states:RedriveExecution", on=labelled)
        results_only = {"StringLike": {"s3:prefix": f"{BATCH}*"}}
        self.flow.allow("s3:ListBucket", on=self.lake.bucket.bucket_arn, conditions=results_only)
