"""Asking endpoints for scores within a deadline; every way a model can fail ends as a reason, never as an exception."""

import json
import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from domain.contract.schema import Contract
from domain.records import LARGEST_NUMBER
from lambdas.aws import clients
from lambdas.aws.connections import TimedOut, Unreachable
from lambdas.aws.services import Rest, ServiceError

LOG = logging.getLogger("fairway")
ROUNDING = 1e-9  # shares that were summed and divided may be this far beyond 0 and 1
WAITING = ThreadPoolExecutor(max_workers=8, thread_name_prefix="endpoint")
MISSING = "endpoint missing"
REASONS = {
    "ValidationError": MISSING,
    "ModelNotReadyException": "model not ready",
    "ThrottlingException": "throttled",
    "ServiceUnavailable": "throttled",
}


class ModelFailed(Exception):
    """Why there is no score, in the words that the answer will carry."""


class Scores(NamedTuple):
    """One score for each row, or the ModelFailed of a row that has none; `classes` of a multiclass model."""

    scores: list
    classes: list | None = None


def ask_all(calls: list[tuple[str, list[dict]]], *, contract: Contract, deadline_ms: int) -> list[Scores]:
    """The scores of each (endpoint, rows), all asked at once, none waited for beyond the deadline."""
    runtime = clients.sagemaker_runtime(deadline_ms / 1000)  # built before the clock starts
    ends = time.monotonic() + deadline_ms / 1000
    waiting = [WAITING.submit(ask, runtime, endpoint, rows, contract=contract) for endpoint, rows in calls]
    return [
        in_time(future, rows, ends=ends, deadline_ms=deadline_ms, endpoint=endpoint)
        for future, (endpoint, rows) in zip(waiting, calls, strict=True)
    ]


def in_time(future, rows: list[dict], *, ends: float, deadline_ms: int, endpoint: str) -> Scores:
    """A socket's time limit starts anew with every byte; this one does not."""
    try:
        return future.result(timeout=max(0.0, ends - time.monotonic()))
    except (TimeoutError, TimedOut):
        future.cancel()  # not begun, as all threads wait for others: nobody wants its answer any more
        failed = ModelFailed(f"deadline of {deadline_ms} ms passed")
    except (ServiceError, Unreachable, ModelFailed) as error:
        failed = ModelFailed(reason_of(error))
    LOG.warning("endpoint %s: %s", endpoint, failed)
    return Scores([failed] * len(rows))


def reason_of(error: Exception) -> str:
    if isinstance(error, ModelFailed):
        return str(error)
    if not isinstance(error, ServiceError):
        return f"endpoint not reachable ({type(error).__name__})"
    if error.code == "ModelError":
        return f"model error {error.more.get('OriginalStatusCode', 'unknown')}"
    return REASONS.get(error.code, f"endpoint error {error.code}")


def ask(runtime: Rest, endpoint: str, rows: list[dict], *, contract: Contract) -> Scores:
    """One call for all rows. Raises ServiceError, Unreachable, or ModelFailed for an answer that cannot be used."""
    body = json.dumps({"instances": rows}).encode()
    reply = runtime.post("InvokeEndpoint", f"/endpoints/{endpoint}/invocations", body, accept="application/json")
    return scores_of(reply, len(rows), contract=contract)


def scores_of(body: bytes, rows: int, *, contract: Contract) -> Scores:
    try:
        document = json.loads(body)
        scores, classes = document["predictions"], document.get("classes")
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise ModelFailed("malformed answer") from None
    if not isinstance(scores, list) or len(scores) != rows:
        raise ModelFailed("malformed answer")
    if contract.task == "multiclass" and not (isinstance(classes, list) and classes):
        raise ModelFailed("malformed answer")
    return Scores([checked(score, contract=contract, classes=classes) for score in scores], classes)


def checked(score, *, contract: Contract, classes: list | None):
    """The score, or why it is none."""
    if isinstance(score, dict):
        return ModelFailed("model could not score the row")
    if contract.task == "multiclass":
        right = isinstance(score, list) and len(score) == len(classes) and all(map(is_share, score))
    else:
        right = is_share(score) if contract.task == "binary" else is_number(score)
    return score if right else ModelFailed("model gave no usable number")


def is_number(value) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and abs(value) < LARGEST_NUMBER if isinstance(value, float) else abs(value) < 2**63


def is_share(value) -> bool:
    return is_number(value) and -ROUNDING <= value <= 1 + ROUNDING
