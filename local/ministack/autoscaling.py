"""Application Auto Scaling, recorded only: targets and policies can be put, read and removed, but nothing is scaled.

Recorded resources are listed as declared, not simulated (`/_fairway/declared`).
"""

import hashlib
import json
import re
import sys
import time
from functools import cache

from botocore.session import get_session
from ministack import app
from ministack.core import iam_actions, router
from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

from local.requests import check

NAME = "application-autoscaling"
HOOKS = (
    "ministack.app:SERVICE_REGISTRY",
    "ministack.app:SERVICE_HANDLERS",
    "ministack.app:_loaded_modules",
    "ministack.app:_lazy_handler",
    "ministack.app:_state_map",
    "ministack.core.router:SERVICE_PATTERNS",
    "ministack.core.iam_actions:SERVICE_TO_IAM_NAMESPACE",
    "ministack.core.iam_actions:extract_resource_arn",
    "ministack.services.stepfunctions:_AWS_SDK_SERVICE_MAP",
    "ministack.services.stepfunctions:_AWS_SDK_ERROR_PREFIX",
)
TARGET_PREFIX = "AnyScaleFrontendService"
MOST_IN_A_PAGE = 50
SERVICE_ROLE = (
    "sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
NOT_SUSPENDED = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}
VARIANT = r"endpoint/[\w-]+/variant/[\w-]+|inference-component/[\w-]+"
JSON = {"Content-Type": "application/x-amz-json-1.1"}  # copied for each reply, as MiniStack adds to its headers
KEYS = ("ServiceNamespace", "ResourceId", "ScalableDimension")
_targets: dict[str, dict] = {}
_policies: dict[str, dict] = {}


class Refused(Exception):
    """Refuse a request with the service's (error code, message)."""


def register() -> None:
    module = sys.modules[__name__]
    app._loaded_modules[NAME] = sys.modules[f"ministack.services.{NAME}"] = module
    app.SERVICE_REGISTRY[NAME], app.SERVICE_HANDLERS[NAME] = {"module": NAME}, app._lazy_handler(NAME)
    app._state_map[NAME] = NAME
    router.SERVICE_PATTERNS[NAME] = {"target_prefixes": [f"{TARGET_PREFIX}."], "host_patterns": [rf"{NAME}\."]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[NAME] = NAME
    arn_of = iam_actions.extract_resource_arn

    def resource_arn(service, method, path, headers, body, query_params, region, account):
        if service != NAME:
            return arn_of(service, method, path, headers, body, query_params, region, account)
        return f"arn:aws:{NAME}:{region}:{account}:scalable-target/{_target_id(json.loads(body or b'{}'))}"

    iam_actions.extract_resource_arn = resource_arn
    stepfunctions._AWS_SDK_SERVICE_MAP["applicationautoscaling"] = {
        "target_prefix": TARGET_PREFIX,
        "protocol": "json",
        "service_key": NAME,
    }
    stepfunctions._AWS_SDK_ERROR_PREFIX["applicationautoscaling"] = "ApplicationAutoScaling"


def iam_context(body: bytes) -> dict:
    """Return the condition keys of a request."""
    return {f"{NAME}:service-namespace": json.loads(body or b"{}").get("ServiceNamespace", "")}


def _target_id(request: dict) -> str:
    return hashlib.sha256("|".join(request.get(key, "") for key in KEYS).encode()).hexdigest()[:32]


@cache
def model():
    return get_session().get_service_model(NAME)


def answer(operation: str, request: dict) -> dict:
    """Answer one operation, after checking its request against the service's own model."""
    if operation not in OPERATIONS:
        raise Refused("UnknownOperationException", f"{operation} is not simulated; only {', '.join(OPERATIONS)}")
    shape = model().operation_model(operation).input_shape
    unknown = sorted(request.keys() - shape.members.keys())
    problems = check.problems(request, shape)
    if problems or unknown:
        raise Refused("ValidationException", check.message(problems) if problems else f"unknown {', '.join(unknown)}")
    return OPERATIONS[operation](request)


def _register_target(request: dict) -> dict:
    arn = f"arn:aws:{NAME}:{get_region()}:{get_account_id()}:scalable-target/{_target_id(request)}"
    role = f"arn:aws:iam::{get_account_id()}:role/aws-service-role/{SERVICE_ROLE}"
    kept = {key: value for key, value in request.items() if key != "Tags"}
    target = {
        "CreationTime": time.time(),
        "RoleARN": role,
        "SuspendedState": NOT_SUSPENDED,
        **_targets.get(arn, {}),
        **kept,
    }
    if "MinCapacity" not in target or "MaxCapacity" not in target:
        raise Refused(
            "ValidationException", "MinCapacity and MaxCapacity are required to register a new scalable target"
        )
    if target["MinCapacity"] > target["MaxCapacity"]:
        raise Refused("ValidationException", "Maximum capacity cannot be less than minimum capacity")
    if target["ServiceNamespace"] == "sagemaker" and not re.fullmatch(VARIANT, target["ResourceId"]):
        raise Refused(
            "ValidationException", f"Unsupported service namespace, resource type or dimension: {target['ResourceId']}"
        )
    _targets[arn] = {**target, "ScalableTargetARN": arn}
    return {"ScalableTargetARN": arn}


def _deregister_target(request: dict) -> dict:
    removed = chosen(_targets, request)
    if not removed:
        raise Refused("ObjectNotFoundException", f"No scalable target found for {request['ResourceId']}")
    for arn in removed:
        del _targets[arn]
    for arn in chosen(_policies, request):
        del _policies[arn]
    return {}


def _put_policy(request: dict) -> dict:
    if not chosen(_targets, request):
        raise Refused("ObjectNotFoundException", f"No scalable target registered for {request['ResourceId']}")
    arn = f"arn:aws:autoscaling:policy/{_target_id(request)}:policyName/{request['PolicyName']}"
    _policies[arn] = {"CreationTime": time.time(), **_policies.get(arn, {}), **request, "PolicyARN": arn}
    return {"PolicyARN": arn, "Alarms": []}


def _delete_policy(request: dict) -> dict:
    removed = [arn for arn in chosen(_policies, request) if _policies[arn]["PolicyName"] == request["PolicyName"]]
    if not removed:
        raise Refused(
            "ObjectNotFoundException", f"No scaling policy {request['PolicyName']} for {request['ResourceId']}"
        )
    del _policies[removed[0]]
    return {}


def chosen(kept: dict[str, dict], request: dict) -> list[str]:
    """Return the ARNs of what is stored for the target that the request names."""
    ids = request.get("ResourceIds") or ([request["ResourceId"]] if "ResourceId" in request else None)
    return [
        arn
        for arn, each in kept.items()
        if each["ServiceNamespace"] == request["ServiceNamespace"]
        and (ids is None or each["ResourceId"] in ids)
        and request.get("ScalableDimension") in (None, each["ScalableDimension"])
    ]


def page(member: str, kept: dict[str, dict], request: dict) -> dict:
    """Return one page of what the request names, with the token of the next page if there is one."""
    found = [kept[arn] for arn in chosen(kept, request)]
    token = request.get("NextToken") or "0"
    if not token.isdecimal():
        raise Refused("InvalidNextTokenException", f"NextToken {token} is not one that was given")
    start, end = int(token), int(token) + request.get("MaxResults", MOST_IN_A_PAGE)
    return {member: found[start:end], **({"NextToken": str(end)} if end < len(found) else {})}


OPERATIONS = {
    "RegisterScalableTarget": _register_target,
    "DeregisterScalableTarget": _deregister_target,
    "PutScalingPolicy": _put_policy,
    "DeleteScalingPolicy": _delete_policy,
    "DescribeScalableTargets": lambda request: page("ScalableTargets", _targets, request),
    "DescribeScalingPolicies": lambda request: page("ScalingPolicies", _policies, request),
}


def declared() -> list[dict]:
    """Return the recorded resources for `/_fairway/declared`. They belong to no stack."""
    return [
        {"stack": "", "logical_id": each["ResourceId"], "type": f"AWS::ApplicationAutoScaling::{kind}"}
        for kind, kept in (("ScalableTarget", _targets), ("ScalingPolicy", _policies))
        for each in list(kept.values())
    ]


# MiniStack's contract for a service module.


async def handle_request(method: str, path: str, headers: dict, body: bytes, query_params: dict):
    operation = headers.get("x-amz-target", "").removeprefix(f"{TARGET_PREFIX}.")
    try:
        return 200, dict(JSON), json.dumps(answer(operation, json.loads(body or b"{}"))).encode()
    except Refused as refused:
        code, message = refused.args
        return 400, {**JSON, "x-amzn-errortype": code}, json.dumps({"__type": code, "message": message}).encode()


def get_state() -> dict:
    return {"targets": dict(_targets), "policies": dict(_policies)}


def load_persisted_state(saved: dict) -> None:
    _targets.update(saved["targets"])
    _policies.update(saved["policies"])


def reset() -> None:
    _targets.clear()
    _policies.clear()
