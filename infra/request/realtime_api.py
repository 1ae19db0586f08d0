"""The HTTP API that applications call, signed with IAM."""

import json

from aws_cdk import RemovalPolicy
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from domain.carried import PREDICT_MB
from domain.config.sections import Config
from domain.lake import ARTEFACTS
from infra.data.stores import Stores
from infra.data.tables import Tables
from infra.parts.function import Function, Given, log_days
from infra.release.endpoints import Endpoints

REQUESTS_PER_SECOND, BURST = 200, 400  # limits the cost of a caller that sends too many requests
LONGEST_REPLY_S = 29  # an HTTP API times out after 30
LOGGED = (
    "requestId",
    "requestTime",
    "identity.sourceIp",
    "identity.userArn",
    "routeKey",
    "status",
    "responseLength",
    "responseLatency",
    "integrationLatency",
    "integrationErrorMessage",
)


class RealtimeApi(Construct):
    """POST /predictions -> Predict -> the release's endpoint, or its artefact in the function; stored in predictions.

    POST /outcomes -> Outcomes.
    """

    def __init__(
        self, scope: Construct, id: str, *, config: Config, code: lambda_.Code, stores: Stores, endpoints: Endpoints
    ) -> None:
        super().__init__(scope, id)
        self.given: Given = {"config": config, "code": code}
        self.predict = self.function_that_predicts(stores, endpoints)
        self.outcomes = self.function_that_hears_outcomes(stores.tables)
        self.api = http.HttpApi(
            self,
            "Api",
            api_name=config.prefix,
            description=f"Predictions and outcomes of {config.project.name}, stage {config.stage}",
            default_authorizer=HttpIamAuthorizer(),
            create_default_stage=False,
        )
        predict = HttpLambdaIntegration("Predict", self.predict)
        self.route("/predictions", predict, http.HttpMethod.POST, http.HttpMethod.GET)
        self.route("/predictions/{id}", predict, http.HttpMethod.GET)
        self.route("/openapi.json", predict, http.HttpMethod.GET)
        self.route("/outcomes", HttpLambdaIntegration("Outcomes", self.outcomes), http.HttpMethod.POST)
        self.stage = self.stage_with_access_log(config)

    def function(self, id: str, environment: dict[str, str]) -> Function:
        return Function(
            self, id, **self.given, environment=environment, memory_mb=PREDICT_MB, timeout_s=LONGEST_REPLY_S
        )

    def function_that_predicts(self, stores: Stores, endpoints: Endpoints) -> Function:
        predictions, routing = stores.tables.predictions, stores.tables.routing
        signing_key = stores.registry.signing_key.key_arn
        function = self.function(
            "Predict",
            {
                "PREDICTIONS_TABLE": predictions.table_name,
                "ROUTING_TABLE": routing.table_name,
                "SIGNING_KEY": signing_key,
            },
        )
        function.allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:BatchWriteItem", on=predictions.table_arn)
        function.allow("dynamodb:Query", on=stores.tables.predictions_by_entity)
        function.allow("dynamodb:GetItem", on=routing.table_arn)
        function.allow("kms:Verify", on=signing_key)
        function.allow("s3:GetObject", on=stores.lake.objects(ARTEFACTS))
        if endpoints.used:
            endpoints.allow_invoke(function)
        return function

    def function_that_hears_outcomes(self, tables: Tables) -> Function:
        predictions, outcomes, evidence = tables.predictions, tables.outcomes, tables.evidence
        function = self.function(
            "Outcomes",
            {
                "PREDICTIONS_TABLE": predictions.table_name,
                "OUTCOMES_TABLE": outcomes.table_name,
                "EVIDENCE_TABLE": evidence.table_name,
            },
        )
        function.allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", on=evidence.table_arn)
        function.allow("dynamodb:GetItem", on=predictions.table_arn)
        function.allow("dynamodb:Query", on=tables.predictions_by_entity)
        function.allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", on=outcomes.table_arn)
        return function

    @property
    def url(self) -> str:
        return self.api.api_endpoint

    def route(self, path: str, integration: HttpLambdaIntegration, *methods: http.HttpMethod) -> None:
        self.api.add_routes(path=path, methods=list(methods), integration=integration)

    def stage_with_access_log(self, config: Config) -> http.HttpStage:
        log_group = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"/aws/vendedlogs/api/{config.prefix}",
            retention=log_days(config),
            removal_policy=RemovalPolicy.DESTROY,
        )
        stage = http.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=http.ThrottleSettings(rate_limit=REQUESTS_PER_SECOND, burst_limit=BURST),
        )
        resource = stage.node.default_child
        assert isinstance(resource, http.CfnStage)  # the CDK types it as any construct
        resource.access_log_settings = http.CfnStage.AccessLogSettingsProperty(
            destination_arn=log_group.log_group_arn,
            format=json.dumps({name: f"$context.{name}" for name in LOGGED}),
        )
        return stage
