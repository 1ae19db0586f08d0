"""Office hours and idleness: unused endpoints are deleted, and created again in time."""

import json

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.config.sections import Config
from domain.hours import sleeps
from domain.records import WOKEN
from infra.data.tables import Tables, only_items
from infra.parts.function import Function
from infra.permissions import Many, arn
from infra.release.endpoints import VARIANT, Endpoints


class OfficeHours(Construct):
    """Every five minutes, or when predict wakes it for a request -> Hours: creates and deletes the endpoints in the
    routing.

    Without office hours and idle hours in the settings it runs hourly, and creates endpoints that somebody deleted.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        code: lambda_.Code,
        tables: Tables,
        endpoints: Endpoints,
        predict: Function,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id)
        scaling = (
            json.dumps(endpoints.scaling(endpoint=f"endpoint/{{endpoint}}/variant/{VARIANT}"))
            if endpoints.always_on
            else ""
        )
        self.hours = Function(
            self,
            "Hours",
            config=config,
            code=code,
            memory_mb=256,
            timeout_s=60,
            environment={"ROUTING_TABLE": tables.routing.table_name, "SCALING": scaling},
        )
        self.allow(endpoints, tables)
        self.wakes(config, tables, predict)
        every = Duration.minutes(5) if sleeps(config.serving) else Duration.hours(1)
        target = targets.LambdaFunction(self.hours, dead_letter_queue=undelivered, retry_attempts=2)
        events.Rule(self, "Looks", schedule=events.Schedule.rate(every), targets=[target])

    def allow(self, endpoints: Endpoints, tables: Tables) -> None:
        hours, every = self.hours, endpoints.every
        hours.allow("dynamodb:GetItem", on=tables.routing.table_arn)
        hours.allow("cloudwatch:GetMetricData", on=Many(["*"], "Metrics have no resources that a policy could name"))
        hours.allow("sagemaker:CreateEndpoint", on=every("endpoint", "endpoint-config"))
        hours.allow("sagemaker:DescribeEndpoint", "sagemaker:DeleteEndpoint", "sagemaker:AddTags", on=every("endpoint"))
        if endpoints.always_on:
            endpoints.allow_scaling(hours)
            ours = {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}}
            targets = Many(
                [arn("application-autoscaling", "scalable-target/*")], "Targets are named by AWS; the namespace is ours"
            )
            hours.allow("application-autoscaling:DeregisterScalableTarget", on=targets, conditions=ours)

    def wakes(self, config: Config, tables: Tables, predict: Function) -> None:
        predict.add_environment("HOURS_FUNCTION", self.hours.function_name)
        if config.serving.outside == "wake":
            predict.allow("dynamodb:PutItem", on=tables.routing.table_arn, conditions=only_items(WOKEN))
            predict.allow("lambda:InvokeFunction", on=self.hours.function_arn)
