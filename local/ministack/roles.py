"""Check what a role may do, for calls that one service makes with it for another."""

from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from ministack import app
from ministack.core.responses import get_account_id, get_region


def denial(role_arn: str, session: str, service: str, action: str, arn: str, context: dict | None = None) -> str | None:
    """Return why the role may not do the action, in AWS's words; None if it may, or if IAM is not enforced."""
    from ministack.core.iam_evaluator import enforce  # lazy: a plugin replaces it while it registers
    from ministack.core.lambda_runtime import execution_credentials  # lazy: a plugin replaces it while it registers

    if not app.AUTH:
        return None
    source = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{session}"  # only to distinguish sessions
    key = execution_credentials({"Role": role_arn, "FunctionArn": source, "FunctionName": session})["AWS_ACCESS_KEY_ID"]
    denied = as_a_service(enforce, key, action, service, get_region(), resource_arn=arn, service_context=context)
    if not denied:
        return None
    return (
        f"User: {getattr(denied, 'principal_arn', role_arn)} is not authorized to perform: {action} on resource: {arn} "
        f"because no identity-based policy allows the {action} action "
        "(Status Code: 403; Error Code: AccessDeniedException)"
    )


def as_a_service(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call as a service of AWS does, which comes over TLS; where no request is, policies would see it come without."""
    from ministack.core.iam_evaluator import pin_request_origin  # lazy: a plugin replaces it while it registers

    context = copy_context()
    context.run(pin_request_origin, "127.0.0.1", True)
    return context.run(call, *arguments, **named)
