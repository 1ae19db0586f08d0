"""What predict makes of an endpoint that is not there on purpose: it says so, and asks for it once where settings say
that.
"""

import json
import logging
import os
from datetime import datetime

from domain import hours
from domain.timestamps import iso
from lambdas.aws import clients, tables
from lambdas.aws.connections import Unreachable
from lambdas.aws.services import ServiceError
from lambdas.request.scoring import MISSING, ModelFailed, Scores
from lambdas.settings import CONFIG

LOG = logging.getLogger("fairway")
ROUTING = os.environ["ROUTING_TABLE"]
HOURS = os.environ["HOURS_FUNCTION"]


def with_reasons(replies: list[Scores], *, now: datetime, wake) -> list[Scores]:
    """The replies, in which an endpoint that sleeps is not merely missing. `wake()` is called once for all of them."""
    why = hours.why_asleep(CONFIG.serving, now) if any(is_missing(reply) for reply in replies) else None
    if why is None:
        return replies
    if why == hours.WAKING:
        wake()
    return [Scores([ModelFailed(why)] * len(reply.scores)) if is_missing(reply) else reply for reply in replies]


def is_missing(reply: Scores) -> bool:
    return bool(reply.scores) and all(
        isinstance(score, ModelFailed) and str(score) == MISSING for score in reply.scores
    )


def wake(now: datetime) -> None:
    """Ask for the endpoints, unless somebody did. It must not cost anybody the answer: `hours` looks by itself as well."""
    try:
        if first_to_ask(now):
            body, event = json.dumps({"wake": iso(now)}).encode(), {"x-amz-invocation-type": "Event"}
            clients.functions().post("Invoke", f"/2015-03-31/functions/{HOURS}/invocations", body, **event)
    except (ServiceError, Unreachable) as error:
        LOG.warning("endpoints not woken (%s)", type(error).__name__)


def first_to_ask(now: datetime) -> bool:
    return tables.put_if(
        ROUTING,
        {"item": hours.WOKEN, "woken_at": iso(now)},
        condition="attribute_not_exists(#item) OR #woken_at < :stale",
        names={"#item": "item", "#woken_at": "woken_at"},
        given={":stale": iso(now - hours.idle_time(CONFIG.serving))},
    )
