"""A function that answers with what it was sent, behind a signed POST /predictions as the app's is."""

import io
import json
import zipfile
from typing import Any

from local.deploy import client
from local.profile import ACCOUNT, REGION, RootKey

NAME = "bench-echo"
CODE = """
import base64


def handler(event, context):
    body = base64.b64decode(event["body"]).decode() if event.get("isBase64Encoded") else event["body"]
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": body}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
MEMORY_MB, TIMEOUT_S = 512, 29  # as infra/request/realtime_api.py gives the app's
NO_LIMIT = {"ThrottlingRateLimit": 100_000.0, "ThrottlingBurstLimit": 100_000}


def echo_url(endpoint: str, key: RootKey) -> str:
    """Return the URL of the echo's API, which is made where there is none."""
    apis = client("apigatewayv2", endpoint, key)
    there = next((api for api in apis.get_apis()["Items"] if api["Name"] == NAME), None)
    made = there or _make_api(apis, _make_function(endpoint, key), endpoint, key)
    return f"{endpoint}/_aws/execute-api/{made['ApiId']}"


def unthrottled(endpoint: str, key: RootKey, api_url: str) -> None:
    """Lift the throttling of the app's API, which is not what is measured."""
    api = api_url.rpartition("/")[2]
    client("apigatewayv2", endpoint, key).update_stage(ApiId=api, StageName="$default", DefaultRouteSettings=NO_LIMIT)


def _make_function(endpoint: str, key: RootKey) -> str:
    """Return the function's ARN."""
    iam, functions = (client(service, endpoint, key) for service in ("iam", "lambda"))
    role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    made = functions.create_function(
        FunctionName=NAME,
        Runtime="python3.13",
        Role=role,
        Handler="echo.handler",
        Code={"ZipFile": _zipped()},
        MemorySize=MEMORY_MB,
        Timeout=TIMEOUT_S,
    )
    return str(made["FunctionArn"])


def _zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("echo.py", CODE)
    return held.getvalue()


def _make_api(apis: Any, function: str, endpoint: str, key: RootKey) -> Any:
    api = apis.create_api(Name=NAME, ProtocolType="HTTP")
    identity = {"ApiId": api["ApiId"]}
    integration = apis.create_integration(
        **identity, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )
    target = f"integrations/{integration['IntegrationId']}"
    apis.create_route(**identity, RouteKey="POST /predictions", AuthorizationType="AWS_IAM", Target=target)
    apis.create_stage(**identity, StageName="$default", AutoDeploy=True, DefaultRouteSettings=NO_LIMIT)
    client("lambda", endpoint, key).add_permission(
        FunctionName=NAME,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api['ApiId']}/*/*/predictions",
    )
    return api
