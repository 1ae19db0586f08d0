"""Permissions of a function's role: to read a stream for its mapping, and to send failures to a destination."""

from ministack import app
from ministack.core.responses import error_response_json, get_region
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from local.ministack.roles import as_a_service

HOOKS = (
    "ministack.app:AUTH",
    "ministack.core.iam_evaluator:enforce",
    "ministack.core.lambda_runtime:execution_credentials",
    "ministack.services.cloudformation.provisioners:_RESOURCE_HANDLERS",
    "ministack.services.lambda_svc:_create_esm",
    "ministack.services.lambda_svc:_get_func_record_for_qualifier",
    "ministack.services.lambda_svc:_resolve_existing_esm_function",
)
READ = ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")


def register() -> None:
    """Check the role before a mapping is made, by a request or by CloudFormation."""
    by_request = lambda_svc._create_esm
    handler = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    by_template = handler["create"]

    def create(request):
        message = refusal(request)
        return error_response_json("InvalidParameterValueException", message, 400) if message else by_request(request)

    def create_resource(logical_id, properties, stack):
        if message := refusal(properties):
            raise ValueError(message)
        return by_template(logical_id, properties, stack)

    lambda_svc._create_esm, handler["create"] = create, create_resource


def refusal(request: dict) -> str | None:
    """Return AWS's answer if the role of a mapping's function may not read the stream of a table."""
    arn = str(request.get("EventSourceArn", ""))
    if ":dynamodb:" not in arn:
        return None
    name, qualifier, error = lambda_svc._resolve_existing_esm_function(request.get("FunctionName", ""))
    function = None if error else lambda_svc._get_func_record_for_qualifier(name, qualifier)[0]
    if function is None or all(_may(function, f"dynamodb:{action}", _resource(action, arn)) for action in READ):
        return None
    actions = f"{', '.join(READ[:-1])}, and {READ[-1]}"
    return (
        f"Cannot access stream {arn}. Please ensure the role can perform the {actions} Actions on your stream in IAM."
    )


def _resource(action: str, stream: str) -> str:
    return "*" if action == "ListStreams" else stream  # a list belongs to no particular stream


def may_send(function: dict, destination: str) -> bool:
    """Return whether the function's role lets Lambda send to a queue or a topic."""
    return _may(function, "sns:Publish" if ":sns:" in destination else "sqs:SendMessage", destination)


def _may(function: dict, action: str, arn: str) -> bool:
    from ministack.core.iam_evaluator import enforce  # lazy: a plugin replaces it while it registers
    from ministack.core.lambda_runtime import execution_credentials  # lazy: a plugin replaces it while it registers

    if not app.AUTH:
        return True
    key = execution_credentials(function.get("config") or function)["AWS_ACCESS_KEY_ID"]
    return as_a_service(enforce, key, action, action.partition(":")[0], get_region(), resource_arn=arn) is None
