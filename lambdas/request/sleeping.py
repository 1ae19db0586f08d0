"""Endpoints that are deleted on purpose: predict reports the reason, and wakes them once if settings ask for it."""

import json
import logging
import os
from collections.abc import Callable
from datetime import datetime

from domain import hours
from domain.reasons import Reason
from domain.records import WOKEN
from domain.timestamps import iso
from lambdas.aws import clients, tables
from lambdas.aws.connections import Unreachable
from lambdas.aws.services import ServiceError
from lambdas.request.scoring import ModelFailed, Scores
from lambdas.settings import CONFIG

LOG = logging.getLogger("fairway")
ROUTING = os.environ["ROUTING_TABLE"]
HOURS = os.environ["HOURS_FUNCTION"]


def with_reasons(replies: list[Scores], *, now: datetime, wake: Callable[[], None]) -> list[Scores]:
    """Replace the reason of a missing endpoint that sleeps. `wake()` is called once for all of them."""
    reason = hours.why_asleep(CONFIG.serving, now) if any(_is_missing(reply) for reply in replies) else None
    if reason is None:
        return replies
    if reason is Reason.WAKING:
        wake()
    return [Scores([ModelFailed(reason)] * len(reply.scores)) if _is_missing(reply) else reply for reply in replies]


def _is_missing(reply: Scores) -> bool:
    return bool(reply.scores) and all(
        isinstance(score, ModelFailed) and score.reason is Reason.ENDPOINT_MISSING for score in reply.scores
    )


def wake(now: datetime) -> None:
    """Ask for the endpoints, unless another request did. A failure is only logged, as `hours` looks by itself too."""
    try:
        if _is_first_to_ask(now):
            body, event = json.dumps({"wake": iso(now)}).encode(), {"x-amz-invocation-type": "Event"}
            clients.functions().post("Invoke", f"/2015-03-31/functions/{HOURS}/invocations", body, **event)
    except (ServiceError, Unreachable) as error:
        LOG.warning("endpoints not woken (%s)", type(error).__name__)


def _is_first_to_ask(now: datetime) -> bool:
    return tables.put_if(
        ROUTING,
        {"item": WOKEN, "woken_at": iso(now)},
        condition="attribute_not_exists(#item) OR #woken_at < :stale",
        names={"#item": "item", "#woken_at": "woken_at"},
        given={":stale": iso(now - hours.idle_time(CONFIG.serving))},
    )
