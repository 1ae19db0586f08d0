"""The two stacks of a stage: what must survive, and what can be replaced. Together they show the architecture."""

from typing import Any

from aws_cdk import Aws, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.config.sections import Config
from domain.contract.schema import Contract
from domain.fingerprints import fingerprints
from infra.batch.batch import Batch
from infra.data.address import AddressBook
from infra.data.lake import Lake
from infra.data.registry import Registry
from infra.data.stores import Stores
from infra.data.tables import Tables
from infra.data.topic import AlarmsTopic
from infra.money.hours import OfficeHours
from infra.money.money import Money
from infra.parts.function import Given, function_code
from infra.parts.schedules import Schedules
from infra.permissions import accept
from infra.release.endpoints import Endpoints
from infra.release.releases import Releases
from infra.request.capture import Capture
from infra.request.realtime_api import RealtimeApi
from infra.train.training import Training
from infra.watch.alarms import Alarms
from infra.watch.dashboard import Dashboard
from infra.watch.metrics import Watched
from infra.watch.monitoring import Monitoring


class DataStack(Stack):
    """{prefix}-data: the lake, the tables, the images and verdicts, and the alarms topic with its subscribers."""

    def __init__(self, scope: Construct, id: str, *, config: Config, **options: Any) -> None:
        description = f"Fairway, {config.prefix}: what must survive"
        protected = config.target.keep_data
        super().__init__(scope, id, description=description, termination_protection=protected, **options)
        # After a failed creation nothing is retained: its name would block the next attempt.
        kept, gone = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE, RemovalPolicy.DESTROY
        removal_policy = kept if config.target.keep_data else gone
        self.lake = Lake(self, "Lake", data=config.data, removal_policy=removal_policy)
        self.tables = Tables(self, "Tables", prefix=config.prefix, removal_policy=removal_policy)
        self.registry = Registry(self, "Registry", config=config, removal_policy=removal_policy)
        self.alarms = AlarmsTopic(self, "Alarms", config=config).topic
        self.keep_exported()

    def keep_exported(self) -> None:
        """Keep exporting what the service stack uses, even if a newer one uses less of it.

        This stack is deployed first, and CloudFormation refuses to end an export that the service stack still imports.
        """
        bucket, tables, registry = self.lake.bucket, self.tables, self.registry
        for table in (tables.predictions, tables.outcomes, tables.routing, tables.runs, tables.evidence):
            self.export_value(table.table_arn)
            self.export_value(table.table_name)
        self.export_value(tables.predictions.table_stream_arn)
        for value in (
            bucket.bucket_arn,
            bucket.bucket_name,
            registry.repository.repository_arn,
            registry.model_packages.attr_model_package_group_arn,
            registry.signing_key.key_arn,
            self.alarms.topic_arn,
        ):
            self.export_value(value)


class Hosting(Given):
    """What the constructs need that create and delete endpoints."""

    tables: Tables
    endpoints: Endpoints
    undelivered: sqs.IQueue


class ServiceStack(Stack):
    """{prefix}-service: everything that answers, trains, releases, scores and watches."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        contract: Contract,
        image_tag: str,
        data: DataStack,
        **options: Any,
    ) -> None:
        super().__init__(scope, id, description=f"Fairway, {config.prefix}: what can be replaced", **options)
        self.config, self.contract, self.data = config, contract, data
        self.image = f"{Aws.ACCOUNT_ID}.dkr.ecr.{Aws.REGION}.{Aws.URL_SUFFIX}/{config.prefix}:{image_tag}"
        self.stage: Given = {
            "config": config,
            "code": function_code(
                config=config,
                contract=contract,
                image_tag=image_tag,
                with_kernel=self.node.try_get_context("kernel") is not False,
            ),
        }
        self.stores = Stores(data.lake, data.tables, data.registry)
        self.undelivered = self.queue_of_the_undelivered()
        self.answer()
        self.learn_and_score()
        self.watch()
        self.say_where_things_are()

    def answer(self) -> None:
        """Request -> RealtimeApi -> the release's endpoint, or its model in the function; answer -> Capture -> the
        lake.
        """
        data = self.data
        self.endpoints = Endpoints(self, "Endpoints", **self.stage, lake=data.lake, registry=data.registry)
        self.api = RealtimeApi(self, "RealtimeApi", **self.stage, stores=self.stores, endpoints=self.endpoints)
        self.capture = Capture(
            self, "Capture", **self.stage, stores=self.stores, endpoints=self.endpoints, undelivered=self.undelivered
        ).capture

    def learn_and_score(self) -> None:
        """By the clock: rows -> Training -> Releases -> the champion; files -> Batch -> predictions; what was answered,
        and happened -> Monitoring -> verdicts, and where it pays, Training.
        """
        stage, stores, undelivered = self.stage, self.stores, self.undelivered
        self.training = Training(self, "Training", **stage, stores=stores, image=self.image)
        self.releases = Releases(
            self,
            "Releases",
            **stage,
            stores=stores,
            endpoints=self.endpoints,
            alarms=self.data.alarms,
            undelivered=undelivered,
            image=self.image,
        )
        self.batch = Batch(self, "Batch", **stage, stores=stores, image=self.image)
        self.monitoring = Monitoring(
            self,
            "Monitoring",
            **stage,
            stores=stores,
            train=self.training.flow,
            alarms=self.data.alarms,
            image=self.image,
        )
        Schedules(
            self,
            "Schedules",
            config=self.config,
            train=self.training.flow,
            batch=self.batch.flow,
            watch=self.monitoring.flow,
            undelivered=undelivered,
        )

    def watch(self) -> None:
        """Cost, office hours and failures -> the alarms topic."""
        alarms, undelivered = self.data.alarms, self.undelivered
        hosting: Hosting = {
            **self.stage,
            "tables": self.data.tables,
            "endpoints": self.endpoints,
            "undelivered": undelivered,
        }
        money = Money(self, "Money", **hosting, alarms=alarms)
        hours = OfficeHours(self, "OfficeHours", **hosting, predict=self.api.predict)
        watched = Watched(
            config=self.config,
            api=self.api,
            flows=[self.training.flow, self.releases.flow, self.monitoring.flow, self.batch.flow],
            functions=[self.api.predict, self.api.outcomes, self.capture, money.guard, money.reap, hours.hours],
            capture=self.capture,
        )
        Alarms(self, "Alarms", watched=watched, topic=alarms, undelivered=undelivered)
        Dashboard(self, "Dashboard", watched=watched)

    def say_where_things_are(self) -> None:
        tables, lake = self.data.tables, self.data.lake.bucket.bucket_name
        AddressBook(
            self,
            "AddressBook",
            config=self.config,
            api_url=self.api.url,
            lake=lake,
            artefacts=lake,
            predictions=tables.predictions.table_name,
            outcomes=tables.outcomes.table_name,
            routing=tables.routing.table_name,
            runs=tables.runs.table_name,
            evidence=tables.evidence.table_name,
            train=self.training.flow.state_machine_arn,
            release=self.releases.flow.state_machine_arn,
            batch=self.batch.flow.state_machine_arn,
            watch=self.monitoring.flow.state_machine_arn,
            image=self.image,
            alarms=self.data.alarms.topic_arn,
            capture=self.capture.function_name,
            undelivered=self.undelivered.queue_url,
            model_package_group=self.config.prefix,
            endpoint_prefix=self.endpoints.prefix,
            settings=fingerprints(self.config, self.contract),
        )
        CfnOutput(self, "ApiUrl", value=self.api.url)

    def queue_of_the_undelivered(self) -> sqs.Queue:
        """Return the queue for events that could not start their target."""
        queue = sqs.Queue(
            self,
            "Undelivered",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),  # the maximum: somebody must look at them
        )
        accept(queue, "AwsSolutions-SQS3", "This is the dead-letter queue, of a rule and of schedules")
        accept(queue, "Serverless-SQSRedrivePolicy", "This is the dead-letter queue, of a rule and of schedules")
        return queue
