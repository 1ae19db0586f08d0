"""iam:PassRole for services that are given a role; SageMaker's own check is in `sagemaker_iam`."""

import uuid
from collections.abc import Callable, Iterator

from ministack import app
from ministack.core.iam_actions import access_denied_response, extract_iam_action
from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id

from local.ministack.sagemaker_iam import as_json

HOOKS = (
    "ministack.app:AUTH",
    "ministack.app:SERVICE_HANDLERS",
    "ministack.core.iam_actions:access_denied_response",
    "ministack.core.iam_actions:extract_iam_action",
    "ministack.core.iam_evaluator:enforce",
    "ministack.core.router:extract_access_key_id",
)
# Action -> members of its request that name a role; lists are searched.
PASSING = {
    "scheduler:CreateSchedule": ("Target", "RoleArn"),
    "scheduler:UpdateSchedule": ("Target", "RoleArn"),
    "lambda:CreateFunction": ("Role",),
    "lambda:UpdateFunctionConfiguration": ("Role",),
    "states:CreateStateMachine": ("roleArn",),
    "states:UpdateStateMachine": ("roleArn",),
    "events:PutRule": ("RoleArn",),
    "events:PutTargets": ("Targets", "RoleArn"),
}


def register() -> None:
    for service in {action.partition(":")[0] for action in PASSING}:
        app.SERVICE_HANDLERS[service] = passing(service, app.SERVICE_HANDLERS[service])


def passing(service: str, handle: Callable) -> Callable:
    """Return the service, once the caller may pass each role in the request."""

    async def handle_passed(method, path, headers, body, query_params):
        refused = _refusal(service, method, path, headers, body, query_params) if app.AUTH else None
        return refused or await handle(method, path, headers, body, query_params)

    return handle_passed


def _refusal(service: str, method: str, path: str, headers: dict, body, query_params: dict) -> tuple | None:
    from ministack.core.iam_evaluator import enforce  # lazy: a plugin replaces it while it registers

    action = extract_iam_action(service, method, path, headers, body, query_params)
    context = {"iam:PassedToService": f"{service}.amazonaws.com"}
    for role in _roles(as_json(body), PASSING.get(action or "", ())):
        key = extract_access_key_id(headers, query_params)
        denied = enforce(key, "iam:PassRole", "iam", get_region(), resource_arn=role, service_context=context)
        if denied:
            caller = getattr(denied, "principal_arn", key)
            message = (
                f"User: {caller} is not authorized to perform: iam:PassRole on resource: {role} because no "
                "identity-based policy allows the iam:PassRole action"
            )
            return access_denied_response(
                service, "iam:PassRole", caller, str(uuid.uuid4()), message=message, headers=headers, resource_arn=role
            )
    return None


def _roles(value: object, members: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _roles(each, members)
    elif isinstance(value, dict) and members:
        yield from _roles(value.get(members[0]), members[1:])
    elif isinstance(value, str) and not members:
        yield value
