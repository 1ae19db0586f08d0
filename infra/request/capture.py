"""Capture: answers from the predictions table's stream to the lake, independent of requests."""

import json

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.config.sections import Config
from domain.lake import ARTEFACTS, CAPTURED, unreadable_prefix
from domain.request.captured import ANSWERS
from infra.data.stores import Stores
from infra.parts.function import Function
from infra.permissions import Many
from infra.release.endpoints import Endpoints

BATCH = 500  # most records of a call; Lambda passes at most 6 MB
TRIES_AGAIN = 20  # attempts for a batch, or for the single record that is left of it
OLDEST_S = 6 * 3600  # of the 24 hours for which the stream keeps a record; the rest is for the operator
MEMORY_MB, LONGEST_S = 512, 60
STREAMS = Many(["*"], "Lists of streams cannot be narrowed by a policy")


class Capture(Construct):
    """Stream of predictions -> Capture -> lake: captured/, evidence. Records that cannot be captured -> undelivered."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        code: lambda_.Code,
        stores: Stores,
        endpoints: Endpoints,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id)
        lake, tables = stores.lake, stores.tables
        self.capture = Function(
            self,
            "Capture",
            config=config,
            code=code,
            memory_mb=MEMORY_MB,
            timeout_s=LONGEST_S,
            environment={
                "LAKE": lake.bucket.bucket_name,
                "ROUTING_TABLE": tables.routing.table_name,
                "EVIDENCE_TABLE": tables.evidence.table_name,
                "UNDELIVERED_QUEUE": undelivered.queue_url,
                "SIGNING_KEY": stores.registry.signing_key.key_arn,
            },
        )
        self.allow(stores, undelivered)
        self.allow_scoring(stores, endpoints)
        self.mapping = self.mapping_of(str(tables.predictions.table_stream_arn), config, undelivered)

    def allow(self, stores: Stores, undelivered: sqs.IQueue) -> None:
        """Allow the function to read the stream, and to write what it makes of it."""
        capture, tables = self.capture, stores.tables
        capture.allow("s3:PutObject", on=stores.lake.objects(CAPTURED, unreadable_prefix()))
        capture.allow("sqs:SendMessage", on=undelivered.queue_arn)
        capture.allow("dynamodb:GetItem", on=tables.routing.table_arn)
        capture.allow("dynamodb:PutItem", "dynamodb:UpdateItem", on=tables.evidence.table_arn)
        stream = str(tables.predictions.table_stream_arn)
        capture.allow("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", on=stream)
        capture.allow("dynamodb:ListStreams", on=STREAMS)

    def allow_scoring(self, stores: Stores, endpoints: Endpoints) -> None:
        """Let the function ask the other release of a rollout: its endpoint, or its model here where there is none."""
        if endpoints.used:
            endpoints.allow_invoke(self.capture)
        else:
            self.capture.allow("kms:Verify", on=stores.registry.signing_key.key_arn)
            self.capture.allow("s3:GetObject", on=stores.lake.objects(ARTEFACTS))

    def mapping_of(self, stream: str, config: Config, undelivered: sqs.IQueue) -> lambda_.CfnEventSourceMapping:
        """Let Lambda read the stream, and call the function with the answers in it."""
        mapping = lambda_.CfnEventSourceMapping
        destination = mapping.OnFailureProperty(destination=undelivered.queue_arn)
        return mapping(
            self,
            "Stream",
            function_name=self.capture.function_name,
            event_source_arn=stream,
            starting_position="TRIM_HORIZON",
            batch_size=BATCH,
            maximum_batching_window_in_seconds=config.monitoring.capture_seconds,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=TRIES_AGAIN,
            maximum_record_age_in_seconds=OLDEST_S,
            destination_config=mapping.DestinationConfigProperty(on_failure=destination),
            filter_criteria=mapping.FilterCriteriaProperty(
                filters=[mapping.FilterProperty(pattern=json.dumps(ANSWERS))]
            ),
        )
