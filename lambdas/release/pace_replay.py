"""Release, after the replay's job: a recorded minute, sent again to the endpoints of the release and the champion.

The job has chosen the requests. Each is sent when it came, to both at the same time, by one function, so whatever else
is slow is slow for both. Where functions answer without endpoints, both models answer here as they do in `predict`.
"""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

from domain import lake
from domain.contract.schema import Contract
from domain.release import pace
from domain.release.pace import Paced, Timed
from domain.release.routing import Champion
from domain.runs import ReplaySettings
from lambdas.aws import clients, objects
from lambdas.aws.connections import Unreachable
from lambdas.aws.routes import ReleasesMade, read_made, read_routing
from lambdas.aws.services import ServiceError
from lambdas.request import embedded
from lambdas.request.scoring import Call, ModelFailed, Scores, ask, failure_of_call
from lambdas.settings import CONFIG, CONTRACT

LAKE, ROUTING = os.environ["LAKE"], os.environ["ROUTING_TABLE"]
AT_ONCE = 16  # requests on their way; each waits no longer than the deadline
PATIENCE_S = 50.0  # a serverless endpoint loads its model at the first call
WARM_UPS = 3


class Asked(TypedDict):
    """A release whose endpoint answers, and its run."""

    release: str
    endpoint: str
    run: str


class Target(NamedTuple):
    """A release and its endpoint."""

    release: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects on the lake, the routing and the endpoints; `ask` returns milliseconds, None without an answer."""

    read: Callable[[str], Any]
    write: Callable[[str, object], None]
    champion: Callable[[], Champion | None]
    ask: Callable[[Target, Paced, float], float | None]  # the last is the seconds to wait
    clock: Callable[[], float]
    sleep: Callable[[float], None]


def handler(event: Asked, context: object) -> dict[str, Any]:
    timed = pace_replay(
        event,
        effects=Effects(
            read=lambda key: objects.read_json(LAKE, key),
            write=lambda key, document: objects.write_json(LAKE, key, document),
            champion=lambda: read_routing(ROUTING)["champion"],
            ask=_ask,
            clock=time.monotonic,
            sleep=time.sleep,
        ),
    )
    return {"requests": timed["requests"], "why": timed["why"]}


def pace_replay(asked: Asked, *, effects: Effects) -> Timed:
    """Time both endpoints at the recorded pace, and leave what was found for the judgement."""
    run = asked["run"]
    settings: ReplaySettings = effects.read(lake.replay_key(run, "settings/run.json"))
    requests: list[Paced] = effects.read(lake.paced_key(run)) or []
    champion = effects.champion()
    if not requests:
        timed = pace.not_timed("as no request was captured")
    elif champion is None or champion["release"] != settings["champion"]:
        timed = pace.not_timed(f"as {settings['champion']} is not champion any more")
    else:
        ours = Target(asked["release"], asked["endpoint"])
        timed = _timed(requests, ours, Target(champion["release"], champion["endpoint"]), effects)
    effects.write(lake.replay_key(run, "paced.json"), timed)
    return timed


def _timed(requests: list[Paced], ours: Target, theirs: Target, effects: Effects) -> Timed:
    for target in (ours, theirs):
        for request in requests[:WARM_UPS]:
            effects.ask(target, request, PATIENCE_S)
    wait_s = CONFIG.serving.deadline_ms / 1000
    found: dict[Target, list[Future[float | None]]] = {ours: [], theirs: []}
    # where functions answer, both would compete for this one's processor
    with ThreadPoolExecutor(1 if CONFIG.serving.mode == "function" else AT_ONCE) as pool:
        began = effects.clock()
        for number, request in enumerate(requests):
            effects.sleep(max(0.0, began + request["after_s"] - effects.clock()))
            for target in (ours, theirs) if number % 2 else (theirs, ours):
                found[target].append(pool.submit(effects.ask, target, request, wait_s))
    took = {
        target: pace.side([one.result() for one in futures], deadline_ms=CONFIG.serving.deadline_ms)
        for target, futures in found.items()
    }
    return {
        "requests": len(requests),
        "seconds": requests[-1]["after_s"],
        "release": took[ours],
        "champion": took[theirs],
        "why": "",
    }


# ---- the effects

MADE = ReleasesMade(ROUTING, read_made, instead=CONTRACT)


def _ask(target: Target, request: Paced, wait_s: float) -> float | None:
    contract = MADE.contract_of(target.release)
    rows = [_features(row, contract) for row in request["rows"]]
    call = Call(target.endpoint, rows, contract, target.release)
    try:
        scores = _scores(call, checked_under=request["contract_hash"], wait_s=wait_s)
    except (ServiceError, Unreachable, ModelFailed):
        return None
    return None if failure_of_call(scores) else scores.took_ms


def _scores(call: Call, *, checked_under: str, wait_s: float) -> Scores:
    if CONFIG.serving.mode != "function":
        return ask(clients.sagemaker_runtime(wait_s), call, checked_under=checked_under)
    from lambdas.request.carried import MODELS  # lazy: where endpoints answer nothing of it is needed

    (scores,) = embedded.answer_all([call], models=MODELS, checked_under=checked_under, deadline_ms=int(1000 * wait_s))
    return scores


def _features(row: Mapping[str, Any], contract: Contract) -> dict[str, Any]:
    return {column.name: row[column.name] for column in contract.features if column.name in row}
