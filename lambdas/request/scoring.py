"""Ask endpoints for scores within a deadline; every failure of a model becomes a reason, never an exception."""

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

from domain.contract.schema import Contract
from domain.reasons import Reason
from domain.records import LARGEST_NUMBER
from domain.request.answers import Score, Source
from lambdas.aws import clients
from lambdas.aws.connections import TimedOut, Unreachable
from lambdas.aws.services import Rest, ServiceError

LOG = logging.getLogger("fairway")
Row = dict[str, Any]
OF_A_ROW = frozenset((Reason.ROW_NOT_SCORED, Reason.NOT_A_NUMBER))  # the same model would say the same
ROUNDING = 1e-9  # shares that were summed and divided may be this far beyond 0 and 1
WAITING = ThreadPoolExecutor(max_workers=8, thread_name_prefix="endpoint")
REASONS = {
    "ValidationError": Reason.ENDPOINT_MISSING,
    "ModelNotReadyException": Reason.NOT_READY,
    "ThrottlingException": Reason.THROTTLED,
    "ServiceUnavailable": Reason.THROTTLED,
}


class ModelFailed(Exception):
    """Report that there is no score; the text is that of the answer's `reason`."""

    def __init__(self, reason: Reason, detail: object = ""):
        super().__init__(reason.value.format(detail))
        self.reason = reason


class Call(NamedTuple):
    """The features of the rows for a release, its endpoint, and the contract it was made under."""

    endpoint: str
    rows: list[Row]
    contract: Contract
    release: str


class Scores(NamedTuple):
    """One score for each row, or the ModelFailed of a row without one; `classes` of a multiclass model.

    `instead_of` is why the endpoint did not answer, where something else did; `took_ms` what the call took, where it
    was answered.
    """

    scores: Sequence[Score | ModelFailed]
    classes: list[Any] | None = None
    source: Source = Source.MODEL
    instead_of: ModelFailed | None = None
    took_ms: float | None = None


def ask_all(
    calls: list[Call],
    *,
    checked_under: str,
    deadline_ms: int,
    waits_ms: float | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Scores]:
    """Ask all endpoints at once for the scores of their rows; wait no longer than the deadline, or `waits_ms`.

    `checked_under` is the hash of the contract that the rows keep. `meanwhile()` is called if some have not answered
    after half of the time.
    """
    waits_s = (deadline_ms if waits_ms is None else waits_ms) / 1000
    runtime = clients.sagemaker_runtime(deadline_ms / 1000)  # built before the clock starts
    ends = time.monotonic() + waits_s
    futures = [WAITING.submit(ask, runtime, call, checked_under=checked_under) for call in calls]
    if wait(futures, timeout=waits_s / 2).not_done:
        meanwhile()
    return [
        _in_time(future, call, ends=ends, deadline_ms=deadline_ms) for future, call in zip(futures, calls, strict=True)
    ]


def _in_time(future: Future[Scores], call: Call, *, ends: float, deadline_ms: int) -> Scores:
    """Wait until the deadline; a socket's time limit starts again with every byte, this one does not."""
    try:
        return future.result(timeout=max(0.0, ends - time.monotonic()))
    except (TimeoutError, TimedOut):
        future.cancel()  # a call that has not begun is no longer needed
        failed = ModelFailed(Reason.LATE, f"{deadline_ms} ms")
    except (ServiceError, Unreachable, ModelFailed) as error:
        failed = failure_of(error)
    LOG.warning("endpoint %s: %s", call.endpoint, failed)
    return Scores([failed] * len(call.rows))


def failure_of(error: Exception) -> ModelFailed:
    """Convert the error of a call to the failure with which its rows are answered."""
    if isinstance(error, ModelFailed):
        return error
    if not isinstance(error, ServiceError):
        return ModelFailed(Reason.UNREACHABLE, type(error).__name__)
    if error.code == "ModelError":
        return ModelFailed(Reason.MODEL_ERROR, error.more.get("OriginalStatusCode", "unknown"))
    if error.code in REASONS:
        return ModelFailed(REASONS[error.code])
    return ModelFailed(Reason.ENDPOINT_ERROR, error.code)


def ask(runtime: Rest, call: Call, *, checked_under: str) -> Scores:
    """Make one call for all rows. Raises ServiceError, Unreachable, or ModelFailed for an answer that cannot be used.

    With the hash of another contract than its own, the container leaves limits and additional columns to that contract.
    """
    body, began = body_of(call, checked_under=checked_under), time.monotonic()
    reply = runtime.post("InvokeEndpoint", f"/endpoints/{call.endpoint}/invocations", body, accept="application/json")
    took_ms = round(1000 * (time.monotonic() - began), 3)
    return scores_of(reply, len(call.rows), contract=call.contract)._replace(took_ms=took_ms)


def failure_of_call(reply: Scores) -> ModelFailed | None:
    """Return why a call has no answer to any row; None where it has one, or where rows are at fault."""
    first = next(iter(reply.scores), None)
    if not isinstance(first, ModelFailed) or first.reason in OF_A_ROW:
        return None
    return first if all(isinstance(score, ModelFailed) for score in reply.scores) else None


def body_of(call: Call, *, checked_under: str) -> bytes:
    return json.dumps({"instances": call.rows, "contract": checked_under}).encode()


def scores_of(body: bytes, rows: int, *, contract: Contract) -> Scores:
    try:
        document = json.loads(body)
        scores, classes = document["predictions"], document.get("classes")
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise ModelFailed(Reason.MALFORMED_ANSWER) from None
    if not isinstance(scores, list) or len(scores) != rows:
        raise ModelFailed(Reason.MALFORMED_ANSWER)
    if contract.task == "multiclass" and not (isinstance(classes, list) and classes):
        raise ModelFailed(Reason.MALFORMED_ANSWER)
    return Scores([_checked(score, contract=contract, classes=classes) for score in scores], classes)


def _checked(score: Any, *, contract: Contract, classes: list[Any] | None) -> Score | ModelFailed:
    """Return the score, or the failure of its row."""
    if isinstance(score, dict):
        return ModelFailed(Reason.ROW_NOT_SCORED)
    if contract.task == "multiclass":
        right = isinstance(score, list) and len(score) == len(classes or ()) and all(map(_is_share, score))
    else:
        right = _is_share(score) if contract.task == "binary" else _is_number(score)
    return score if right else ModelFailed(Reason.NOT_A_NUMBER)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and abs(value) < LARGEST_NUMBER if isinstance(value, float) else abs(value) < 2**63


def _is_share(value: Any) -> bool:
    return _is_number(value) and -ROUNDING <= value <= 1 + ROUNDING
