"""HTTP APIs as closed as on AWS: a route with IAM authorization refuses whatever is not rightly signed and allowed.

This holds with and without IAM enforced elsewhere. The stock API takes any Authorization header that is no AWS
signature, checks none at all without AUTH, and calls a function that never allowed it.
"""

import json
import os
from contextvars import ContextVar

from local.state import ROOT_KEY

HOOKS = (
    "ministack.app:_handle_execute_api_request",
    "ministack.app:_enforce_execute_api",
    "ministack.app:AUTH",
    "ministack.services.apigateway:route_authorization_type",
    "ministack.services.apigateway:find_api_scope",
    "ministack.services.apigateway:_invoke_lambda_proxy",
    "ministack.services.apigateway:_create_api",
    "ministack.services.apigateway:_apis",
    "ministack.services.cloudformation.provisioners:_RESOURCE_HANDLERS",
    "ministack.services.apigateway:_extract_lambda_ref_from_integration_uri",
    "ministack.services.lambda_svc:_get_func_record_for_ref_in_scope",
    "ministack.core.arn:execute_api_arn",
    "ministack.core.iam_evaluator:enforce",
    "ministack.core.iam_evaluator:pin_signed_request",
    "ministack.core.iam_evaluator:pin_signed_body",
    "ministack.core.iam_evaluator:evaluate_resource_policy",
    "ministack.core.iam_evaluator:EvalContext",
    "ministack.core.sigv4:parse_header_signature",
    "ministack.core.sigv4:parse_query_signature",
    "ministack.core.sigv4:header_signature_failure",
    "ministack.core.sigv4:request_time_failure",
)

INVOKE = "execute-api:Invoke"
SIGNED = "AWS4-HMAC-SHA256"
JSON = {"Content-Type": "application/json"}
REQUEST = ContextVar("request")  # (path as sent, body) of the call being authorized


def register() -> None:
    from ministack import app
    from ministack.core.iam_evaluator import pin_signed_body, pin_signed_request
    from ministack.services import apigateway
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as handlers

    handle, enforce, invoke = app._handle_execute_api_request, app._enforce_execute_api, apigateway._invoke_lambda_proxy

    async def handle_signed(host, path, method, headers, body, query_params, raw_path=None, raw_query_string=None):
        REQUEST.set((raw_path or path, body))
        if not app.AUTH:  # with AUTH the gateway has kept the request for its signature check already
            lines = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
            pin_signed_request(method, raw_path or path, query_params, lines)
            pin_signed_body(body)
        return await handle(host, path, method, headers, body, query_params, raw_path, raw_query_string)

    def authorize(api_id, stage, method, path, headers, query_params, iam_action=INVOKE):
        if iam_action != INVOKE or apigateway.find_api_scope(api_id) is None:
            return enforce(api_id, stage, method, path, headers, query_params, iam_action=iam_action)
        wanted = apigateway.route_authorization_type(api_id, stage, method, path)  # None: no such route, so 404
        if wanted != "AWS_IAM" or is_allowed(api_id, stage, method, path, headers, query_params):
            return None
        return 403, dict(JSON), json.dumps({"message": "Forbidden"}).encode()

    async def invoke_permitted(
        integration, api_id, stage, path, method, headers, body, query_params, route_key, path_params, **named
    ):
        if may_invoke(integration, api_id, stage, route_key, named["owner_account_id"], named["owner_region"]):
            return await invoke(
                integration, api_id, stage, path, method, headers, body, query_params, route_key, path_params, **named
            )
        return 500, dict(JSON), json.dumps({"message": "Internal Server Error"}).encode()

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

    apigateway._create_api = create_addressed
    handlers["AWS::ApiGatewayV2::Api"]["create"] = provision_addressed
    app._handle_execute_api_request, app._enforce_execute_api = handle_signed, authorize
    apigateway._invoke_lambda_proxy = invoke_permitted


def address(api: dict) -> str:
    """Where the API answers: an address that this machine resolves, which `<id>.execute-api.localhost` is not."""
    if api["protocolType"] == "HTTP":
        api["apiEndpoint"] = f"{os.environ['AWS_ENDPOINT_URL']}/_aws/execute-api/{api['apiId']}"
    return api["apiEndpoint"]


def is_allowed(api_id: str, stage: str, method: str, path: str, headers: dict, query_params: dict) -> bool:
    """Whether the call is signed for this service by a key that may call this route."""
    from ministack.core import sigv4
    from ministack.core.arn import execute_api_arn
    from ministack.core.iam_evaluator import enforce
    from ministack.core.responses import get_account_id

    in_header = headers.get("authorization", "").startswith(SIGNED + " ")
    if not in_header and SIGNED not in query_params.get("X-Amz-Algorithm", []):
        return False
    signature = sigv4.parse_header_signature(headers) if in_header else sigv4.parse_query_signature(query_params)
    if isinstance(signature, tuple) or signature.service != "execute-api":
        return False
    if signature.access_key_id == ROOT_KEY[0]:
        return is_signed_by_root(signature, method, headers, query_params, presigned=not in_header)
    resource = execute_api_arn(signature.region, get_account_id(), api_id, stage, method, path)
    return enforce(signature.access_key_id, INVOKE, "apigateway", signature.region, resource_arn=resource) is None


def is_signed_by_root(signature, method: str, headers: dict, query_params: dict, *, presigned: bool) -> bool:
    """MiniStack takes any secret for the root key; here it is held to ours, so that a wrong signature is one for root
    too.
    """
    from ministack.core import sigv4

    raw_path, body = REQUEST.get()
    return (
        sigv4.request_time_failure(signature) is None
        and sigv4.header_signature_failure(
            signature, ROOT_KEY[1], method, raw_path, query_params, headers, body, presigned=presigned
        )
        is None
    )


def may_invoke(integration: dict, api_id: str, stage: str, route_key: str, account: str, region: str) -> bool:
    """Whether the function's own policy lets this route call it."""
    from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
    from ministack.services import apigateway, lambda_svc

    reference = apigateway._extract_lambda_ref_from_integration_uri(integration.get("integrationUri", ""))
    function, config, _ = lambda_svc._get_func_record_for_ref_in_scope(reference, account_id=account, region=region)
    if function is None:
        return True  # the stock answer says that there is no such function
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
