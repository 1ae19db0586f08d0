"""An HTTP API with IAM authorization answers only who signed rightly and may call it, and only what may call the
function.
"""

import asyncio
import json
import time
import urllib.error
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.ministack import http_api
from tests.local.conftest import ACCOUNT, REGION, allow

ECHO = """
import json
def handler(event, context):
    return {"statusCode": 201, "headers": {"x-own": "1"}, "body": json.dumps({
        "body": event.get("body"), "id": (event.get("pathParameters") or {}).get("id"),
        "query": event.get("queryStringParameters"), "user": event["requestContext"]["authorizer"]["iam"]["userArn"]})}
"""


def make_api(aws) -> tuple[str, str, str]:
    """(its id, its function, its address): POST /predictions and GET /predictions/{id}."""
    apis, function = aws.client("apigatewayv2"), aws.function(ECHO)
    api = apis.create_api(Name="own", ProtocolType="HTTP")
    integration = apis.create_integration(
        ApiId=api["ApiId"], IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    for route in ("POST /predictions", "GET /predictions/{id}"):
        apis.create_route(
            ApiId=api["ApiId"], RouteKey=route, AuthorizationType="AWS_IAM", Target=f"integrations/{integration}"
        )
    apis.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)
    for path in ("predictions", "predictions/{id}"):
        aws.client("lambda").add_permission(
            FunctionName=function,
            StatementId=path.replace("/", "-").strip("-{}id") + str(len(path)),
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api['ApiId']}/*/*/{path}",
        )
    return api["ApiId"], function, api["ApiEndpoint"]


@pytest.fixture(scope="module")
def api(cloud):
    return make_api(cloud)


def call(url: str, *, key, service="execute-api", method="POST", body=b'{"a": 1}', sent=None, headers=None):
    """(status, JSON) of a signed call; `sent` goes instead of the body that was signed."""
    request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json"})
    if key:
        SigV4Auth(Credentials(*key), service, REGION).add_auth(request)
    lines = {**dict(request.headers), **(headers or {})}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data=sent or body, headers=lines, method=method)
        ) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_rightly_signed_call_reaches_the_function(cloud, api):
    _, _, url = api
    assert call(f"{url}/predictions?x=1", key=cloud.root) == (
        201,
        {"body": '{"a": 1}', "id": None, "query": {"x": "1"}, "user": f"arn:aws:iam::{ACCOUNT}:root"},
    )
    assert call(f"{url}/predictions/p%201", key=cloud.root, method="GET", body=None)[1]["id"] == "p 1"


FORBIDDEN = (403, {"message": "Forbidden"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": None},
        {"key": None, "headers": {"Authorization": "Bearer token"}},
        {"key": (ACCOUNT, "wrong")},
        {"key": (ACCOUNT, "local")},
        {"key": ("111111111111", "test")},
        {"key": ("test", "test")},
        {"key": ("AKIAUNKNOWNKEY000000", "x")},
        {"service": "s3"},
        {"sent": b'{"a": 2}'},
        {"headers": {"X-Amz-Date": "20200101T000000Z"}},
        {"headers": {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}},
    ],
)
def test_what_is_not_rightly_signed_is_forbidden(cloud, api, wrong):
    assert call(f"{api[2]}/predictions", **{"key": cloud.root, **wrong}) == FORBIDDEN


def test_a_user_calls_only_the_routes_of_a_policy_and_only_with_the_right_secret(cloud, api):
    api_id, _, url = api
    user = cloud.user(
        allow("execute-api:Invoke", on=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api_id}/*/POST/predictions")
    )
    assert call(f"{url}/predictions", key=user)[0] == 201
    assert call(f"{url}/predictions", key=(user[0], "wrong")) == FORBIDDEN
    assert call(f"{url}/predictions/1", key=user, method="GET", body=None) == FORBIDDEN


def test_a_route_that_does_not_exist_is_not_found(cloud, api):
    assert call(f"{api[2]}/nothing", key=cloud.root) == (404, {"message": "Not Found"})


def test_a_function_that_does_not_let_the_api_call_it_is_not_called(cloud):
    _, function, url = make_api(cloud)
    functions = cloud.client("lambda")
    statements = json.loads(functions.get_policy(FunctionName=function)["Policy"])["Statement"]
    own = next(each for each in statements if each["Condition"]["ArnLike"]["AWS:SourceArn"].endswith("/predictions"))
    functions.remove_permission(FunctionName=function, StatementId=own["Sid"])
    assert call(f"{url}/predictions", key=cloud.root) == (500, {"message": "Internal Server Error"})
    assert call(f"{url}/predictions/1", key=cloud.root, method="GET", body=None)[0] == 201


def test_calls_and_their_errors_are_measured(cloud):
    api_id, _, url = make_api(cloud)
    for path in ("predictions", "nothing"):
        call(f"{url}/{path}", key=cloud.root)
    found = {
        metric: sum(
            point["Sum"]
            for point in cloud.client("cloudwatch").get_metric_statistics(
                Namespace="AWS/ApiGateway",
                MetricName=metric,
                Dimensions=[{"Name": "ApiId", "Value": api_id}],
                Period=60,
                StartTime=time.time() - 60,
                EndTime=time.time() + 60,
                Statistics=["Sum"],
            )["Datapoints"]
        )
        for metric in ("Count", "4xx", "5xx")
    }
    assert found == {"Count": 2, "4xx": 1, "5xx": 0}


ODD = """
def handler(event, context):
    wanted = (event.get("queryStringParameters") or {}).get("do")
    if wanted == "raise": raise ValueError("a secret of the function")
    if wanted == "status": return {"statusCode": 999}
    if wanted == "own": return {"statusCode": 502, "body": '{"message": "its own"}'}
"""


@pytest.fixture(scope="module")
def odd(cloud):
    """The address of a route without authorization to a function that misbehaves."""
    apis, function = cloud.client("apigatewayv2"), cloud.function(ODD)
    api = apis.create_api(Name="odd", ProtocolType="HTTP")
    integration = apis.create_integration(
        ApiId=api["ApiId"], IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    apis.create_route(ApiId=api["ApiId"], RouteKey="POST /odd", Target=f"integrations/{integration}")
    apis.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)
    allowed = {"StatementId": "api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    cloud.client("lambda").add_permission(FunctionName=function, **allowed)
    return f"{api['ApiEndpoint']}/odd"


@pytest.mark.parametrize(
    ("do", "answer"),
    [
        ("raise", (500, {"message": "Internal Server Error"})),
        ("status", (500, {"message": "Internal Server Error"})),
        ("own", (502, {"message": "its own"})),
    ],
)
def test_how_a_function_fails_is_for_its_log_and_not_for_the_caller(odd, do, answer):
    assert call(f"{odd}?do={do}", key=None) == answer


def test_a_function_that_takes_longer_than_the_api_waits_is_unavailable(monkeypatch):
    assert http_api.LONGEST_S == 30
    monkeypatch.setattr(http_api, "LONGEST_S", 0.01)
    status, _, body = asyncio.run(http_api.within_limits(asyncio.sleep(60, result=(200, {}, b""))))
    assert (status, json.loads(body)) == (503, {"message": "Service Unavailable"})


def test_a_body_of_more_than_ten_megabytes_is_refused(odd):
    large = b" " * (10 * 1024 * 1024 + 1)
    assert call(odd, key=None, body=large) == (413, {"message": "Request Entity Too Large"})
