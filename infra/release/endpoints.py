"""Hosting of releases. Endpoints come and go with releases, so no stack owns them."""

from typing import Any

from aws_cdk import Aws, CustomResource, Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from domain.config.sections import Config
from domain.lake import ARTEFACTS
from infra.data.lake import Lake
from infra.data.registry import Registry
from infra.parts.flow import Flow
from infra.parts.function import Function
from infra.parts.jobs import job_role, tags
from infra.permissions import Many, allow, arn

VARIANT = "model"
MOST_INSTANCES = 4  # limit as a multiple of serving.instances, under continued load
INVOCATIONS_PER_INSTANCE = 1500  # requests a minute; a careful start, to be raised after a load test of your own model
LISTS = Many(["*"], "Lists of SageMaker cannot be narrowed by a policy")


class Endpoints(Construct):
    """Release flow -> model, endpoint config, endpoint {prefix}-{release}; all of them are removed with the stack."""

    def __init__(
        self, scope: Construct, id: str, *, config: Config, code: lambda_.Code, lake: Lake, registry: Registry
    ) -> None:
        super().__init__(scope, id)
        self.config = config
        self.prefix = f"{config.prefix}-"
        self.role = job_role(self, "Role", repository=registry.repository)
        allow(self.role, "s3:GetObject", on=lake.objects(ARTEFACTS))

        self.remove = Function(
            self,
            "RemoveEndpoints",
            config=config,
            code=code,
            memory_mb=256,
            timeout_s=300,
            environment={"ENDPOINT_PREFIX": self.prefix},
        )
        self.allow_removal(self.remove)
        self.removed_with_the_stack = CustomResource(
            self,
            "RemovedWithTheStack",
            resource_type="Custom::Endpoints",
            service_token=self.remove.function_arn,
            properties={"Prefix": self.prefix},
            service_timeout=Duration.minutes(
                20
            ),  # instead of an hour, if the function is killed; Lambda calls it twice more
        )
        self.removed_with_the_stack.node.add_dependency(self.role)  # the role must outlive the endpoints that use it

    @property
    def used(self) -> bool:
        """Return whether releases get an endpoint; otherwise the function answers."""
        return self.config.serving.mode != "function"

    @property
    def always_on(self) -> bool:
        return self.config.serving.mode == "instance"

    def every(self, *kinds: str) -> Many:
        """Return what SageMaker hosts for this stage: endpoint, endpoint-config, model.

        Their names continue with the release, r-..., so that a project whose name begins like ours is left alone.
        """
        return Many([arn("sagemaker", f"{kind}/{self.prefix}r-*") for kind in kinds], "Named by its release")

    def allow_invoke(self, function: Function) -> None:
        function.allow("sagemaker:InvokeEndpoint", on=self.every("endpoint"))

    def allow_removal(self, function: Function) -> None:
        function.allow("sagemaker:DeleteEndpoint", on=self.every("endpoint"))
        function.allow("sagemaker:DeleteEndpointConfig", on=self.every("endpoint-config"))
        function.allow("sagemaker:DeleteModel", on=self.every("model"))
        function.allow("sagemaker:ListEndpoints", "sagemaker:ListEndpointConfigs", "sagemaker:ListModels", on=LISTS)

    def model(self, *, name: str, image: str, artefact: str, artefact_sha256: str) -> dict[str, Any]:
        """Return the arguments of createModel.

        The container refuses an artefact with another hash than the verified one.
        """
        return {
            "ModelName": name,
            "ExecutionRoleArn": self.role.role_arn,
            "PrimaryContainer": {
                "Image": image,
                "ModelDataUrl": artefact,
                "Environment": {"ARTEFACT_SHA256": artefact_sha256},
            },
            "EnableNetworkIsolation": self.always_on,  # serverless endpoints do not support isolation
            "Tags": tags(self.config),
        }

    def endpoint_config(self, *, name: str) -> dict[str, Any]:
        """Return the arguments of createEndpointConfig."""
        serving = self.config.serving
        serverless = {
            "ServerlessConfig": {"MemorySizeInMB": serving.memory_mb, "MaxConcurrency": serving.max_concurrency}
        }
        instance = {
            "InstanceType": serving.instance,
            "InitialInstanceCount": serving.instances,
            "InitialVariantWeight": 1.0,
        }
        variant = {"VariantName": VARIANT, "ModelName": name, **(instance if self.always_on else serverless)}
        return {"EndpointConfigName": name, "ProductionVariants": [variant], "Tags": tags(self.config)}

    def scaling(self, *, endpoint: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the arguments of registerScalableTarget and of putScalingPolicy, for an endpoint on instances."""
        least = self.config.serving.instances
        target = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": endpoint,
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }
        follow = {
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            "TargetValue": INVOCATIONS_PER_INSTANCE,
            "ScaleInCooldown": 300,
            "ScaleOutCooldown": 60,
        }
        return (
            {**target, "MinCapacity": least, "MaxCapacity": least * MOST_INSTANCES},
            {
                **target,
                "PolicyName": "follow-the-requests",
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": follow,
            },
        )

    def allow_scaling(self, flow: Flow | Function) -> None:
        """Allow the flow to let Application Auto Scaling follow the requests of our endpoints."""
        ours = {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}}
        targets = Many(
            [arn("application-autoscaling", "scalable-target/*")], "Targets are named by AWS; the namespace is ours"
        )
        flow.allow(
            "application-autoscaling:RegisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            on=targets,
            conditions=ours,
        )
        change = ("DescribeEndpoint", "DescribeEndpointConfig", "UpdateEndpointWeightsAndCapacities")
        flow.allow(*(f"sagemaker:{action}" for action in change), on=self.every("endpoint", "endpoint-config"))
        alarms = Many([arn("cloudwatch", f"alarm:TargetTracking-endpoint/{self.prefix}r-*")], "Named by its release")
        flow.allow("cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms", on=alarms)
        service = "sagemaker.application-autoscaling.amazonaws.com"
        role = f"role/aws-service-role/{service}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        flow.allow(
            "iam:CreateServiceLinkedRole",
            on=f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:{role}",
            conditions={"StringEquals": {"iam:AWSServiceName": service}},
        )
