"""The two stacks of a stage: what must survive, and what can be replaced. Together they read as the architecture."""

from aws_cdk import Aws, CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_sqs as sqs

from infra.address import AddressBook
from infra.alarms import Alarms
from infra.batch import Batch
from infra.endpoints import Endpoints
from infra.function import function_code
from infra.hours import OfficeHours
from infra.lake import Lake
from infra.money import Money
from infra.permissions import accept
from infra.realtime_api import RealtimeApi
from infra.registry import Registry
from infra.release import Releases
from infra.schedules import Schedules
from infra.tables import Tables
from infra.topic import AlarmsTopic
from infra.training import Training


class DataStack(Stack):
    """{prefix}-data: the lake, the tables, the images and verdicts, the alarms topic with its subscribers."""

    def __init__(self, scope, id, *, config, **options):
        description = f"Fairway, {config.prefix}: what must survive"
        protected = config.target.keep_data
        super().__init__(scope, id, description=description, termination_protection=protected, **options)
        removal_policy = RemovalPolicy.RETAIN if config.target.keep_data else RemovalPolicy.DESTROY
        self.lake = Lake(self, "Lake", data=config.data, removal_policy=removal_policy)
        self.tables = Tables(self, "Tables", prefix=config.prefix, removal_policy=removal_policy)
        self.registry = Registry(self, "Registry", config=config, removal_policy=removal_policy)
        self.alarms = AlarmsTopic(self, "Alarms", config=config).topic


class ServiceStack(Stack):
    """{prefix}-service: everything that answers, trains, releases, scores and watches."""

    def __init__(self, scope, id, *, config, contract, image_tag: str, data: DataStack, **options):
        super().__init__(scope, id, description=f"Fairway, {config.prefix}: what can be replaced", **options)
        lake, tables, registry = data.lake, data.tables, data.registry
        image = f"{Aws.ACCOUNT_ID}.dkr.ecr.{Aws.REGION}.{Aws.URL_SUFFIX}/{config.prefix}:{image_tag}"
        code = function_code(config=config, contract=contract, image_tag=image_tag)
        stage = {"config": config, "code": code}
        undelivered = self.queue_of_the_undelivered()

        endpoints = Endpoints(self, "Endpoints", **stage, lake=lake, registry=registry)
        api = RealtimeApi(self, "RealtimeApi", **stage, tables=tables, endpoints=endpoints)
        training = Training(self, "Training", **stage, lake=lake, tables=tables, registry=registry, image=image)
        releases = Releases(
            self,
            "Releases",
            **stage,
            lake=lake,
            tables=tables,
            registry=registry,
            endpoints=endpoints,
            undelivered=undelivered,
        )
        batch = Batch(self, "Batch", **stage, lake=lake, tables=tables, registry=registry, image=image)
        Schedules(self, "Schedules", config=config, train=training.flow, batch=batch.flow, undelivered=undelivered)
        money = Money(
            self, "Money", **stage, tables=tables, endpoints=endpoints, alarms=data.alarms, undelivered=undelivered
        )
        hours = OfficeHours(
            self,
            "OfficeHours",
            **stage,
            tables=tables,
            endpoints=endpoints,
            predict=api.predict,
            undelivered=undelivered,
        )
        Alarms(
            self,
            "Alarms",
            config=config,
            topic=data.alarms,
            api=api,
            flows=[training.flow, releases.flow, batch.flow],
            functions=[api.predict, api.outcomes, money.guard, money.reap, hours.hours],
            undelivered=undelivered,
        )
        AddressBook(
            self,
            "AddressBook",
            config=config,
            api_url=api.url,
            lake=lake.bucket.bucket_name,
            artefacts=lake.bucket.bucket_name,
            predictions=tables.predictions.table_name,
            outcomes=tables.outcomes.table_name,
            routing=tables.routing.table_name,
            runs=tables.runs.table_name,
            train=training.flow.state_machine_arn,
            release=releases.flow.state_machine_arn,
            batch=batch.flow.state_machine_arn,
            image=image,
            alarms=data.alarms.topic_arn,
            model_package_group=config.prefix,
            endpoint_prefix=endpoints.prefix,
        )
        CfnOutput(self, "ApiUrl", value=api.url)

    def queue_of_the_undelivered(self) -> sqs.Queue:
        """Where events wait that could not start what they should."""
        queue = sqs.Queue(self, "Undelivered", encryption=sqs.QueueEncryption.SQS_MANAGED, enforce_ssl=True)
        accept(queue, "AwsSolutions-SQS3", "This is the dead-letter queue, of a rule and of schedules")
        accept(queue, "Serverless-SQSRedrivePolicy", "This is the dead-letter queue, of a rule and of schedules")
        return queue
