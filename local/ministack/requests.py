"""Check every request against botocore's model of its service, and against limits that no model has."""

from collections.abc import Callable

from ministack import app
from ministack.core.responses import error_response_json, error_response_xml

from local import limits
from local.requests import check, models

HOOKS = (
    "ministack.app:SERVICE_HANDLERS",
    "ministack.core.responses:error_response_json",
    "ministack.core.responses:error_response_xml",
)
# Service in the gateway -> the code with which it refuses parameters.
CODES = {
    "apigateway": "BadRequestException",
    "budgets": "InvalidParameterException",
    "cloudformation": "ValidationError",
    "ecr": "InvalidParameterException",
    "events": "ValidationException",
    "iam": "ValidationError",
    "kms": "ValidationException",
    "lambda": "InvalidParameterValueException",
    "logs": "InvalidParameterException",
    "monitoring": "ValidationError",
    "scheduler": "ValidationException",
    "sns": "InvalidParameter",
    "sqs": "InvalidParameterValue",
    "ssm": "ValidationException",
    "states": "ValidationException",
    "sts": "ValidationError",
    "tagging": "InvalidParameterException",
}
# Not checked here: DynamoDB (MiniStack checks its requests in DynamoDB's own words and order, and they are the most
# frequent), SageMaker and Application Auto Scaling (ours check theirs), S3 (its model has no constraints but lists).
INVOKED = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")  # a function's payload is its own
XML = {
    "cloudformation": "http://cloudformation.amazonaws.com/doc/2010-05-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sns": "http://sns.amazonaws.com/doc/2010-03-31/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "monitoring": "http://monitoring.amazonaws.com/doc/2010-08-01/",
}


def register() -> None:
    for service in CODES:
        app.SERVICE_HANDLERS[service] = held(service, app.SERVICE_HANDLERS[service])


def held(service: str, handle: Callable) -> Callable:
    async def handle_checked(method, path, headers, body, query_params):
        refused = refusal(service, method, path, headers, body, query_params)
        return refused or await handle(method, path, headers, body, query_params)

    return handle_checked


def refusal(service: str, method: str, path: str, headers: dict, body, query: dict) -> tuple | None:
    """Return the answer of a service that refuses a request for its parameters; None for an acceptable one."""
    body = body.encode() if isinstance(body, str) else body or b""
    if service == "apigateway" and not path.startswith("/v2/"):
        return None  # REST APIs, which no model of ours describes
    try:
        read = models.read(service, method, path, headers, body, query)
    except models.Unreadable as error:
        return _answer(service, headers, "SerializationException", str(error))
    if read is None or read[0].input_shape is None:
        return None
    if read[0].name in INVOKED:
        wrong = bool(body) and not limits.is_json(body)
        return _answer(service, headers, "InvalidRequestContentException", "The payload is not JSON") if wrong else None
    operation, parameters = read
    found = check.problems(parameters, operation.input_shape)
    if found:
        return _answer(service, headers, _code(service, operation.name), check.message(found))
    beyond = limits.of_operation(operation.name, parameters)
    return _answer(service, headers, CODES[service], "; ".join(beyond)) if beyond else None


def _code(service: str, operation: str) -> str:
    """Return the code: Lambda has one for shapes and another for their meaning."""
    return "ValidationException" if service == "lambda" else CODES[service]


def _answer(service: str, headers: dict, code: str, message: str) -> tuple:
    if service in XML and not headers.get("x-amz-target"):
        return error_response_xml(code, message, 400, XML[service])
    rest = models.model(service).protocol.startswith("rest")
    content_type = {"content_type": "application/json"} if rest else {}
    return error_response_json(code, message, 400, **content_type)
