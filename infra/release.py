"""From an approved model package to the champion: an endpoint of its own, tried out, then one conditional write."""

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.endpoints import LISTS, VARIANT, Endpoints
from infra.flow import Flow, again, call, caught, fail, invoke, jsonata
from infra.function import Function
from infra.lake import Lake
from infra.permissions import Many
from infra.registry import Registry
from infra.tables import Tables

MINUTE_S, HOUR_S = 60, 3600
MOST_LOOKS = 70  # at a new endpoint: every second at first, then every 30 s, together about half an hour
STUCK_AFTER_MS = 2 * HOUR_S * 1000  # whoever marked the release as deploying is not at it any more


class Releases(Construct):
    """Model package Approved -> Release: endpoint -> SmokeTest -> Promote -> keep the previous one a while -> Retire."""

    def __init__(self, scope, id, *, config, code, lake: Lake, tables: Tables, registry: Registry, endpoints: Endpoints,
                 undelivered: sqs.IQueue):  # fmt: skip
        super().__init__(scope, id)
        self.config, self.tables, self.endpoints = config, tables, endpoints
        routing = {"ROUTING_TABLE": tables.routing.table_name}
        prefix = {"ENDPOINT_PREFIX": endpoints.prefix}
        bucket = {"LAKE": lake.bucket.bucket_name}

        def function(id: str, timeout_s: int, environment: dict) -> Function:
            return Function(self, id, config=config, code=code, memory_mb=256, timeout_s=timeout_s, environment=environment)

        self.smoke_test = function("SmokeTest", 60, bucket)
        self.smoke_test.allow("s3:ListBucket", on=lake.bucket.bucket_arn)  # or a missing object would be a forbidden one
        self.smoke_test.allow("s3:GetObject", on=lake.objects("runs/"))
        endpoints.allow_invoke(self.smoke_test)

        self.promote = function("Promote", 30, routing)
        self.promote.allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", on=tables.routing.table_arn)

        self.retire = function("Retire", 60, {**routing, **prefix})
        self.retire.allow("dynamodb:GetItem", "dynamodb:UpdateItem", on=tables.routing.table_arn)
        endpoints.allow_removal(self.retire)

        kept_s = config.release.keep_previous_minutes * MINUTE_S
        self.flow = Flow(self, "Release", config=config, states=self.states(kept_s), timeout_s=kept_s + 4 * HOUR_S)
        self.flow.node.add_dependency(endpoints.removed_with_the_stack)  # no release makes one while they are removed
        self.allow_the_flow(registry.versions)
        self.when_approved(undelivered)

    def states(self, kept_s: int) -> dict:
        return {
            "DescribePackage": self.describe_package(Next="IsApproved"),
            "IsApproved": {
                "Type": "Choice",
                "Choices": [{"Condition": jsonata("$approval = 'Approved'"), "Next": "MarkDeploying"}],
                "Default": "NotApproved",
            },
            "NotApproved": {
                "Type": "Fail",
                "Error": "NotApproved",
                "Cause": jsonata("$model_package_arn & ' is ' & $approval & '; approve it in the model registry first'"),
            },
            "MarkDeploying": self.mark_deploying(Next="FindEndpoint"),
            "FindEndpoint": self.find_endpoint(Next="IsThereAlready"),
            "IsThereAlready": {
                "Type": "Choice",
                "Choices": [{"Condition": jsonata("$status != 'none'"), "Next": "IsInService"}],
                "Default": "CreateModel",
            },
            **self.creation(),
            "WaitForEndpoint": {
                "Type": "Wait",
                "Seconds": jsonata("$min([1 + $looks, 30])"),
                "Assign": {"looks": jsonata("$looks + 1")},
                "Next": "DescribeEndpoint",
            },
            "DescribeEndpoint": self.describe_endpoint(Next="IsInService"),
            "IsInService": {
                "Type": "Choice",
                "Choices": [
                    {"Condition": jsonata("$status = 'InService'"), "Next": "FollowTheRequests" if self.endpoints.always_on else "SmokeTest"},
                    {"Condition": jsonata(f"$status != 'Failed' and $looks < {MOST_LOOKS}"), "Next": "WaitForEndpoint"},
                ],
                "Default": "Undo",
                "Assign": {"error": {"Error": "EndpointFailed", "Cause": jsonata("$endpoint & ' is ' & $status & '. ' & $why")}},
            },
            **(self.scaling() if self.endpoints.always_on else {}),
            "SmokeTest": invoke(
                self.smoke_test,
                {"endpoint": jsonata("$endpoint"), "run": jsonata("$run"), "release": jsonata("$release")},
                retry=(again(["EndpointNotReady"], seconds=10, times=8),),
                catch=(caught("Undo"),),
                Next="Promote",
            ),
            "Promote": invoke(
                self.promote,
                {"release": jsonata("$release"), "endpoint": jsonata("$endpoint"), "reason": jsonata("$reason")},
                retry=(again(["RoutingChanged"], seconds=1, times=6),),
                catch=(caught("Undo"),),
                Next="KeepPrevious",
            ),
            "KeepPrevious": {"Type": "Wait", "Seconds": kept_s, "Next": "Retire"},
            "Retire": invoke(
                self.retire,
                {},
                catch=(caught("Failed"),),  # the release answers already: nothing to undo
                Output={"release": jsonata("$release"), "removed": jsonata("$states.result.Payload.removed")},
                End=True,
            ),
            "Undo": {
                "Type": "Choice",
                "Choices": [{"Condition": jsonata("$made_here"), "Next": "DeleteEndpoint"}],
                "Default": "RecordFailure",
            },
            **self.removal(),
            "RecordFailure": self.record_failure(Next="Failed"),
            "Failed": fail(),
            "DoneByAnother": {"Type": "Succeed", "Output": {"release": jsonata("$release"), "done_by": "another execution"}},
        }  # fmt: skip

    def describe_package(self, **fields) -> dict:
        package = "$states.result"
        assign = {
            "model_package_arn": jsonata("$states.input.model_package_arn"),
            "approval": jsonata(f"{package}.ModelApprovalStatus"),
            "reason": jsonata(f"$exists({package}.ModelPackageDescription) ? {package}.ModelPackageDescription : 'approved'"),
            "release": jsonata(f"{package}.CustomerMetadataProperties.release"),
            "run": jsonata(f"{package}.CustomerMetadataProperties.run"),
            "endpoint": jsonata(f"'{self.endpoints.prefix}' & {package}.CustomerMetadataProperties.release"),
            "image": jsonata(f"{package}.InferenceSpecification.Containers[0].Image"),
            "artefact": jsonata(f"{package}.InferenceSpecification.Containers[0].ModelDataUrl"),
            "made_here": False,
            "looks": 0,
            "why": "",
        }
        package_name = {"ModelPackageName": jsonata("$states.input.model_package_arn")}
        return call("aws-sdk:sagemaker:describeModelPackage", package_name, Assign=assign, catch=(caught("Failed"),), **fields)

    def mark_deploying(self, **fields) -> dict:
        """Only one execution deploys a release, however often it is told to: SageMaker sends some events twice."""
        started = "$toMillis($states.context.Execution.StartTime)"
        values = {":deploying": "deploying", ":champion": "champion", ":now": jsonata("$states.context.Execution.StartTime"),
                  ":stuck": jsonata(f"$fromMillis({started} - {STUCK_AFTER_MS})")}  # fmt: skip
        return self.update_release(
            "SET #state = :deploying, deploying_since = :now",
            values,
            ConditionExpression="attribute_not_exists(#state) OR NOT (#state IN (:deploying, :champion)) "
            "OR (#state = :deploying AND deploying_since < :stuck)",
            catch=(caught("DoneByAnother", "DynamoDB.ConditionalCheckFailedException"), caught("Failed")),
            **fields,
        )

    def record_failure(self, **fields) -> dict:
        reason = jsonata("$substring($error.Error & ': ' & $error.Cause, 0, 2000)")
        update = "SET #state = :failed, failure = :reason"
        return self.update_release(update, {":failed": "failed", ":reason": reason}, catch=(caught("Failed"),), **fields)

    def update_release(self, update: str, values: dict, *, catch: tuple, ConditionExpression: str | None = None, **fields) -> dict:
        arguments = {
            "TableName": self.tables.routing.table_name,
            "Key": {"item": {"S": jsonata("'release#' & $release")}},
            "UpdateExpression": update,
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
            **({"ConditionExpression": ConditionExpression} if ConditionExpression else {}),
        }
        return call("dynamodb:updateItem", arguments, catch=catch, **fields)

    def find_endpoint(self, **fields) -> dict:
        """Is it up already, of an attempt that was cut short or as a champion that is kept for a rollback?"""
        status = "$states.result.Endpoints[EndpointName = $endpoint].EndpointStatus"
        return call(
            "aws-sdk:sagemaker:listEndpoints",
            {"NameContains": jsonata("$endpoint")},
            Assign={"status": jsonata(f"$exists({status}) ? {status} : 'none'")},
            **fields,
        )

    def creation(self) -> dict:
        """Model and endpoint config may be left of an attempt that was cut short. If they are not, the next call says so."""
        name = jsonata("$endpoint")
        model = self.endpoints.model(name=name, image=jsonata("$image"), artefact=jsonata("$artefact"))
        endpoint = {"EndpointName": name, "EndpointConfigName": name, "Tags": model["Tags"]}
        made_here = {"made_here": True}

        def perhaps_there(next: str) -> tuple:
            assign = {**made_here, "why": jsonata("$states.errorOutput.Cause")}
            return ({"ErrorEquals": ["SageMaker.AmazonSageMakerException"], "Assign": assign, "Next": next}, caught("Undo"))

        return {
            "CreateModel": call("sagemaker:createModel", model, Assign=made_here, Next="CreateEndpointConfig",
                                catch=perhaps_there("CreateEndpointConfig")),
            "CreateEndpointConfig": call("sagemaker:createEndpointConfig", self.endpoints.endpoint_config(name=name),
                                         Next="CreateEndpoint", catch=perhaps_there("CreateEndpoint")),
            "CreateEndpoint": call("sagemaker:createEndpoint", endpoint, Next="WaitForEndpoint", catch=(caught("Undo"),)),
        }  # fmt: skip

    def describe_endpoint(self, **fields) -> dict:
        assign = {
            "status": jsonata("$states.result.EndpointStatus"),
            "why": jsonata("$exists($states.result.FailureReason) ? $states.result.FailureReason : ''"),
        }
        name = {"EndpointName": jsonata("$endpoint")}
        return call("aws-sdk:sagemaker:describeEndpoint", name, Assign=assign, catch=(caught("Undo"),), **fields)

    def scaling(self) -> dict:
        target, policy = self.endpoints.scaling(endpoint=jsonata(f"'endpoint/' & $endpoint & '/variant/{VARIANT}'"))
        undo = (caught("Undo"),)
        return {
            "FollowTheRequests": call("aws-sdk:applicationautoscaling:registerScalableTarget", target, Next="SetThePace", catch=undo),
            "SetThePace": call("aws-sdk:applicationautoscaling:putScalingPolicy", policy, Next="SmokeTest", catch=undo),
        }

    def removal(self) -> dict:
        """What this execution made, and only that. What is not there need not be removed."""

        def delete(what: str, next: str) -> dict:
            name = {f"{what}Name": jsonata("$endpoint")}
            gone = ({"ErrorEquals": ["States.ALL"], "Next": next},)
            return {f"Delete{what}": call(f"aws-sdk:sagemaker:delete{what}", name, catch=gone, Next=next)}

        return {
            **delete("Endpoint", "DeleteEndpointConfig"),
            **delete("EndpointConfig", "DeleteModel"),
            **delete("Model", "RecordFailure"),
        }

    def allow_the_flow(self, versions: Many) -> None:
        flow, every = self.flow, self.endpoints.every
        flow.allow("sagemaker:DescribeModelPackage", on=versions)
        flow.allow("dynamodb:UpdateItem", on=self.tables.routing.table_arn)
        flow.allow("sagemaker:ListEndpoints", on=LISTS)
        flow.allow("sagemaker:CreateModel", "sagemaker:DeleteModel", on=every("model"))
        flow.allow("sagemaker:CreateEndpointConfig", "sagemaker:DeleteEndpointConfig", on=every("endpoint-config"))
        flow.allow("sagemaker:CreateEndpoint", on=every("endpoint", "endpoint-config"))
        flow.allow("sagemaker:DescribeEndpoint", "sagemaker:DeleteEndpoint", on=every("endpoint"))
        flow.allow("sagemaker:AddTags", on=every("model", "endpoint-config", "endpoint"))
        flow.allow_pass(self.endpoints.role)
        flow.allow_invoke(self.smoke_test, self.promote, self.retire)
        if self.endpoints.always_on:
            self.endpoints.allow_scaling(flow)

    def when_approved(self, undelivered) -> None:
        approved = events.EventPattern(
            source=["aws.sagemaker"],
            detail_type=["SageMaker Model Package State Change"],
            detail={"ModelPackageGroupName": [self.config.prefix], "ModelApprovalStatus": ["Approved"]},
        )
        package = {"model_package_arn": events.EventField.from_path("$.detail.ModelPackageArn")}
        release = targets.SfnStateMachine(
            self.flow, input=events.RuleTargetInput.from_object(package), dead_letter_queue=undelivered, retry_attempts=20
        )
        events.Rule(self, "WhenApproved", event_pattern=approved, targets=[release])
