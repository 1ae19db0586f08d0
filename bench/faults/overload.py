"""More requests than the function may run at once: they are refused and not piled up, and then answers come again."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.faults import looks
from bench.faults.clients import Reply, asker, steadily
from bench.faults.place import SCORED, Place
from fairway.stage.aws import Stage, connect
from flights.demo import sample

CLIENTS, AT_ONCE = 16, 2
PREDICT = "flights-local-predict"
ANSWERS_AGAIN = 50  # in a row without a refusal: the overload is over
POLL_S = 0.005


@dataclass(frozen=True)
class Found:
    """Replies under overload; `recovered_s` from its end to the first of many answers without a refusal between."""

    answered: int
    refused: int
    otherwise: int
    not_stored: int
    recovered_s: float


def run(place: Place, *, seconds: float) -> Found:
    """Let 16 clients ask one after the other, for `seconds` of which the function may run twice at once."""
    stage: Stage = connect(place.folder, "local")
    lambdas, ask = stage.client("lambda"), asker(stage.addresses["api_url"], place.state)
    with steadily(ask, _rows(place), clients=CLIENTS) as replies:
        lambdas.put_function_concurrency(FunctionName=PREDICT, ReservedConcurrentExecutions=AT_ONCE)
        time.sleep(seconds)
        lambdas.delete_function_concurrency(FunctionName=PREDICT)
        ended, under_way = time.monotonic(), len(replies)
        while not (first := _first_of_many(replies, under_way)):
            time.sleep(POLL_S)
        recovered_s = first - ended
    statuses = [reply.status for reply in replies]
    answered, refused = statuses.count(200), statuses.count(503)
    missing = looks.missing(place, [reply.body["id"] for reply in replies if reply.status == 200])
    return Found(answered, refused, len(statuses) - answered - refused, missing, recovered_s)


def _first_of_many(replies: list[Reply], start: int) -> float | None:
    """When the first of so many answers in a row came, behind the place `start`; None if there are none yet."""
    behind = replies[start:]
    refusals = [number for number, reply in enumerate(behind) if reply.status != 200]
    row = behind[refusals[-1] + 1 if refusals else 0 :]
    return row[0].at if len(row) >= ANSWERS_AGAIN else None


def _rows(place: Place) -> list[dict[str, Any]]:
    rows = sample(Path(f"{place.folder.parent}/data/flights-{SCORED[0]}.csv"), 200)
    return [{name: value for name, value in row.items() if name != "late"} for row in rows]
