"""Service Quotas, read-only: what FAIRWAY_QUOTAS limits in SageMaker, and the concurrency of functions."""

import hashlib
import json
import sys
from functools import cache

from botocore.session import get_session
from ministack import app
from ministack.core import iam_actions, router
from ministack.services import lambda_svc

from local.sagemaker.quotas import CONCURRENCY, INSTANCES, quotas

NAME = "servicequotas"
HOOKS = (
    "ministack.app:SERVICE_REGISTRY",
    "ministack.app:SERVICE_HANDLERS",
    "ministack.app:_loaded_modules",
    "ministack.app:_lazy_handler",
    "ministack.core.router:SERVICE_PATTERNS",
    "ministack.core.iam_actions:SERVICE_TO_IAM_NAMESPACE",
    "ministack.services.lambda_svc:_ACCOUNT_CONCURRENCY_CAP",
)
TARGET_PREFIX = "ServiceQuotasV20190624"
LAMBDA_CONCURRENCY = 1000  # of an account a few days old that has requested nothing
MOST_IN_A_PAGE = 100
# codes of the others are AWS's own for each instance type; here they are made of the name
CODES = {CONCURRENCY: "L-96300102"}
MACHINES = {"training_instances": "TrainingInstanceType", "processing_instances": "ProcessingInstanceType"}


def register() -> None:
    module = sys.modules[__name__]
    app._loaded_modules[NAME] = sys.modules[f"ministack.services.{NAME}"] = module
    app.SERVICE_REGISTRY[NAME], app.SERVICE_HANDLERS[NAME] = {"module": NAME}, app._lazy_handler(NAME)
    router.SERVICE_PATTERNS[NAME] = {"target_prefixes": [f"{TARGET_PREFIX}."], "host_patterns": [rf"{NAME}\."]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[NAME] = NAME


def listed(service: str) -> dict[str, float]:
    """Return {name: value} of a service's quotas; only those that are limited here are listed."""
    if service == "lambda":
        return {"Concurrent executions": lambda_svc._ACCOUNT_CONCURRENCY_CAP or LAMBDA_CONCURRENCY}
    limits = quotas() if service == "sagemaker" else {}
    names = {CONCURRENCY: limits.get("serverless_concurrency")}
    for kind, shape in MACHINES.items():
        names |= {f"{machine} for {INSTANCES[kind]} job usage": limits.get(kind) for machine in _machines(shape)}
    if "training_instances" in limits:
        spot = {f"{each} for spot training job usage" for each in _machines("TrainingInstanceType")}
        names |= dict.fromkeys(spot, limits["training_instances"])
    return {name: float(value) for name, value in sorted(names.items()) if value is not None}


@cache
def _machines(shape: str) -> list[str]:
    return list(get_session().get_service_model("sagemaker").shape_for(shape).metadata["enum"])


def page(request: dict) -> dict:
    """Return one page of a service's quotas, with the token of the next page if there is one."""
    service = request["ServiceCode"]
    found = list(listed(service).items())
    start = int(request.get("NextToken") or 0)
    end = start + request.get("MaxResults", MOST_IN_A_PAGE)
    quotas = [
        {"ServiceCode": service, "QuotaCode": _code(name), "QuotaName": name, "Value": value, "Adjustable": True}
        for name, value in found[start:end]
    ]
    return {"Quotas": quotas, **({"NextToken": str(end)} if end < len(found) else {})}


def _code(name: str) -> str:
    return CODES.get(name) or f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"


# MiniStack's contract for a service module.


async def handle_request(method: str, path: str, headers: dict, body: bytes, query_params: dict):
    operation = headers.get("x-amz-target", "").removeprefix(f"{TARGET_PREFIX}.")
    reply = {"Content-Type": "application/x-amz-json-1.1"}
    if operation != "ListServiceQuotas":
        code, message = "UnknownOperationException", f"{operation} is not simulated; only ListServiceQuotas"
        return 400, {**reply, "x-amzn-errortype": code}, json.dumps({"__type": code, "message": message}).encode()
    return 200, reply, json.dumps(page(json.loads(body or b"{}"))).encode()


def get_state() -> dict:
    return {}


def load_persisted_state(saved: dict) -> None:
    """Nothing is kept: the quotas are settings."""


def reset() -> None:
    """Nothing is kept."""
