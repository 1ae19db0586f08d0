"""Shed overload at once, as AWS does: functions have a concurrency, HTTP APIs a rate and a burst.

A function beyond its reserved concurrency, or beyond the account's, is not run: Lambda answers 429
TooManyRequestsException, and an HTTP API in front of it 503. An API beyond its stage's throttling answers 429 itself.
An account has 1,000 concurrent executions, a new one 10; each is a process here, so the default is smaller.
FAIRWAY_LAMBDA_CONCURRENCY sets another number.
"""

import json
import os
import time
from collections.abc import Callable

from ministack.services import apigateway, lambda_svc, stepfunctions

HOOKS = (
    "ministack.services.lambda_svc:_ACCOUNT_CONCURRENCY_CAP",
    "ministack.services.stepfunctions:_call_lambda",
    "ministack.services.stepfunctions:_ExecutionError",
    "ministack.services.apigateway:_invoke_lambda_proxy",
    "ministack.services.apigateway:_stages",
)
AT_ONCE = 32  # concurrent executions of all functions
THROTTLED = "TooManyRequestsException"


def register() -> None:
    call, invoke = stepfunctions._call_lambda, apigateway._invoke_lambda_proxy
    buckets: dict[tuple, Bucket] = {}

    def call_by_name(reference: str, event: object) -> object:
        """Call with the error that Step Functions has for a throttled function, which flows retry."""
        try:
            return call(reference, event)
        except stepfunctions._ExecutionError as error:
            if _is_throttled(error.cause):
                raise stepfunctions._ExecutionError(f"Lambda.{THROTTLED}", json.loads(error.cause)["message"]) from None
            raise

    async def invoke_within_rate(integration: dict, api_id: str, stage: str, *arguments, **named):
        settings = apigateway._stages.get(api_id, {}).get(stage) or {}
        rate, burst = _throttling_of(settings.get("defaultRouteSettings") or {})
        if rate is not None and burst is not None:
            key = (api_id, stage, rate, burst)
            if not buckets.setdefault(key, Bucket(rate, burst)).take():
                return 429, {"Content-Type": "application/json"}, b'{"message":"Too Many Requests"}'
        return await invoke(integration, api_id, stage, *arguments, **named)

    lambda_svc._ACCOUNT_CONCURRENCY_CAP = int(os.environ.get("FAIRWAY_LAMBDA_CONCURRENCY", AT_ONCE))
    stepfunctions._call_lambda = call_by_name
    apigateway._invoke_lambda_proxy = invoke_within_rate


def _is_throttled(cause: str) -> bool:
    try:
        found = json.loads(cause)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("__type") == THROTTLED


def _throttling_of(settings: dict) -> tuple[float, int] | tuple[None, None]:
    """Return rate and burst of a stage, whose settings a template and a request spell differently."""
    found = {name.lower(): value for name, value in settings.items()}
    rate, burst = found.get("throttlingratelimit"), found.get("throttlingburstlimit")
    return (None, None) if rate is None or burst is None else (float(rate), int(burst))


class Bucket:
    """Tokens that return at a rate, up to `burst`; each request takes one."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self.tokens, self.at = float(burst), clock()

    def take(self) -> bool:
        now = self.clock()
        self.tokens, self.at = min(self.burst, self.tokens + (now - self.at) * self.rate), now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
