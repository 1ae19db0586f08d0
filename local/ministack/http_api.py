"""HTTP APIs as closed as on AWS: a route with IAM authorization refuses every call without a valid signature and
permission.

This holds with and without IAM enforced elsewhere. The stock API accepts any Authorization header that is not an AWS
signature, checks none at all without AUTH, and calls functions that never allowed it.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from ministack import app
from ministack.core.arn import execute_api_arn
from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
from ministack.core.responses import get_account_id
from ministack.services import apigateway, lambda_svc
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as handlers  # noqa: N811 - MiniStack's private table, written to here

from local.ministack import signatures
from local.profile import ACCOUNT

HOOKS = (
    "ministack.app:_handle_execute_api_request",
    "ministack.app:_enforce_execute_api",
    "ministack.app:_parse_execute_api_url",
    "ministack.services.apigateway:route_authorization_type",
    "ministack.services.apigateway:find_api_scope",
    "ministack.services.apigateway:_invoke_lambda_proxy",
    "ministack.services.apigateway:_create_api",
    "ministack.services.apigateway:_apis",
    "ministack.services.cloudformation.provisioners:_RESOURCE_HANDLERS",
    "ministack.services.apigateway:_extract_lambda_ref_from_integration_uri",
    "ministack.services.lambda_svc:_get_func_record_for_ref_in_scope",
    "ministack.services.lambda_svc:lambda_execute_result_to_api_proxy_response",
    "ministack.core.arn:execute_api_arn",
    "ministack.core.iam_evaluator:enforce",
    "ministack.core.iam_evaluator:evaluate_resource_policy",
    "ministack.core.iam_evaluator:EvalContext",
)

INVOKE = "execute-api:Invoke"
ADDRESS = "/_aws/execute-api/"
JSON = {"Content-Type": "application/json"}
LONGEST_S, MOST_BODY_BYTES = 30, 10 * 1024 * 1024
IN_HTTP_API: ContextVar[bool] = ContextVar("in_http_api", default=False)
REQUEST: ContextVar[tuple[signatures.Sent, bytes]] = ContextVar("request")  # and body, of the call being authorized


def register() -> None:  # noqa: C901 - one branch for each part that MiniStack lacks

    handle, enforce, invoke = app._handle_execute_api_request, app._enforce_execute_api, apigateway._invoke_lambda_proxy

    async def handle_signed(host, path, method, headers, body, query_params, raw_path=None, raw_query_string=None):
        if len(body or b"") > MOST_BODY_BYTES:
            return said(413, "Request Entity Too Large")
        REQUEST.set((signatures.Sent(method, path, raw_path or path, query_params, headers), body))
        return await handle(host, path, method, headers, body, query_params, raw_path, raw_query_string)

    def authorize(api_id, stage, method, path, headers, query_params, iam_action=INVOKE):
        if iam_action != INVOKE or apigateway.find_api_scope(api_id) is None:
            return enforce(api_id, stage, method, path, headers, query_params, iam_action=iam_action)
        wanted = apigateway.route_authorization_type(api_id, stage, method, path)  # None: no such route, so 404
        if wanted != "AWS_IAM" or is_allowed(api_id, stage, path):
            return None
        return 403, dict(JSON), json.dumps({"message": "Forbidden"}).encode()

    async def invoke_permitted(  # noqa: PLR0913 - the signature of MiniStack's own
        integration, api_id, stage, path, method, headers, body, query_params, route_key, path_params, **named
    ):
        if _may_invoke(integration, api_id, stage, route_key, named["owner_account_id"], named["owner_region"]):
            invocation = invoke(
                integration, api_id, stage, path, method, headers, body, query_params, route_key, path_params, **named
            )
            return await within_limits(invocation)
        return said(500, "Internal Server Error")

    create, provision = apigateway._create_api, handlers["AWS::ApiGatewayV2::Api"]["create"]

    def create_addressed(request):
        status, headers, body = create(request)
        if status == 201:
            api = json.loads(body)
            apigateway._apis[api["apiId"]]["apiEndpoint"] = address(api)
            body = json.dumps(api).encode()
        return status, headers, body

    def provision_addressed(logical_id, properties, stack):
        api_id, attributes = provision(logical_id, properties, stack)
        return api_id, {**attributes, "ApiEndpoint": address(apigateway._apis[api_id])}

    shape = lambda_svc.lambda_execute_result_to_api_proxy_response
    lambda_svc.lambda_execute_result_to_api_proxy_response = _without_traces(shape)
    apigateway._create_api = create_addressed
    handlers["AWS::ApiGatewayV2::Api"]["create"] = provision_addressed
    app._handle_execute_api_request, app._enforce_execute_api = handle_signed, authorize
    apigateway._invoke_lambda_proxy = invoke_permitted


def owns(path: str) -> bool:
    """Return whether a route of an HTTP API answers there, which checks its own callers; its management is signed like
    all else.
    """
    parsed = app._parse_execute_api_url("", path) if path.startswith(ADDRESS) else None
    if parsed is None or "/@connections/" in path:
        return False
    scope = apigateway.find_api_scope(parsed[0])
    return scope is not None and apigateway._apis.get_scoped(*scope, parsed[0])["protocolType"] == "HTTP"


async def within_limits(invocation: Awaitable[tuple]) -> tuple:
    """Return what the function answers in time."""
    IN_HTTP_API.set(True)
    try:
        return await asyncio.wait_for(invocation, LONGEST_S)
    except TimeoutError:
        return said(503, "Service Unavailable")


def _without_traces(shape: Callable[[dict], tuple]) -> Callable[[dict], tuple]:
    """Hide how a function failed: MiniStack answers with its stack trace, and with any status.

    A function that Lambda did not run because too many are running is unavailable.
    """

    def shape_plainly(result: dict) -> tuple:
        if IN_HTTP_API.get() and result.get("throttle"):
            return {"statusCode": 503, "body": json.dumps({"message": "Service Unavailable"})}, None
        answer, problem = shape(result)
        failed = bool(result.get("error"))
        if IN_HTTP_API.get() and (failed or not _is_status((answer or {}).get("statusCode"))):
            return {"statusCode": 500, "body": json.dumps({"message": "Internal Server Error"})}, None
        return answer, problem

    return shape_plainly


def _is_status(status: object) -> bool:
    return str(status).isdecimal() and 100 <= int(str(status)) <= 599


def said(status: int, message: str) -> tuple:
    return status, dict(JSON), json.dumps({"message": message}).encode()


def address(api: dict) -> str:
    """Return the API's address, which this machine can resolve, unlike `<id>.execute-api.localhost`."""
    if api["protocolType"] == "HTTP":
        api["apiEndpoint"] = f"{os.environ['AWS_ENDPOINT_URL']}{ADDRESS}{api['apiId']}"
    return api["apiEndpoint"]


def is_allowed(api_id: str, stage: str, path: str) -> bool:
    """Return whether the call has a valid signature for this service, by a key that may call this route."""
    from ministack.core.iam_evaluator import enforce  # lazy: a plugin replaces it while it registers

    request, body = REQUEST.get()
    signed = signatures.read(request)
    if not isinstance(signed, signatures.Signed) or signed.signature.service != "execute-api":
        return False
    if signatures.mismatch(signed, body):
        return False
    key, region = signed.signature.access_key_id, signed.signature.region
    if key == ACCOUNT:
        return True
    resource = execute_api_arn(region, get_account_id(), api_id, stage, request.method, path)
    return enforce(key, INVOKE, "apigateway", region, resource_arn=resource) is None


def _may_invoke(integration: dict, api_id: str, stage: str, route_key: str, account: str, region: str) -> bool:
    """Return whether the function's own policy lets this route call it."""
    reference = apigateway._extract_lambda_ref_from_integration_uri(integration.get("integrationUri", ""))
    function, config, _ = lambda_svc._get_func_record_for_ref_in_scope(reference, account_id=account, region=region)
    if function is None:
        return True  # the stock answer says that the function does not exist
    route = route_key.replace(" ", "", 1) if " " in route_key else route_key
    source = f"arn:aws:execute-api:{region}:{account}:{api_id}/{stage}/{route}"
    context = EvalContext(
        "apigateway.amazonaws.com",
        "Service",
        account,
        "lambda:InvokeFunction",
        config["FunctionArn"],
        region,
        service_context={"aws:sourcearn": source, "aws:sourceaccount": account},
    )
    policy = function.get("policy")
    return evaluate_resource_policy(policy, context, service="apigateway.amazonaws.com").decision == "Allow"
