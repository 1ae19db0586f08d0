"""POST /predictions: check, route, score within the deadline or fall back, remember, reply. GET: what was answered."""

import hashlib
import json
import os
import time
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

from domain.contract.keys import as_key, entity_id
from domain.hours import IDLE, OUTSIDE, WAKING
from domain.release.routing import choose
from domain.request.answers import answer_from_score, fallback_answer
from domain.timestamps import iso, parse_timestamp
from lambdas import metrics
from lambdas.aws.routes import RoutingCache, read_routing
from lambdas.request import sleeping
from lambdas.request.answered import Answered
from lambdas.request.http import BadRequest, NotFound, Request, http_function, shortened
from lambdas.request.rows import check_rows, rows_of
from lambdas.request.scoring import ModelFailed, ask_all
from lambdas.settings import CONFIG, CONTRACT

ANSWERED = Answered(os.environ["PREDICTIONS_TABLE"])
ROUTING = RoutingCache(os.environ["ROUTING_TABLE"], read_routing)
CONTRACT_HASH = CONTRACT.hash
PAGE, LARGEST_PAGE = 20, 100
PLANNED = (WAKING, OUTSIDE, IDLE)  # reasons why an endpoint is not there on purpose


@http_function
def handler(request: Request):
    return ROUTES[request.route](request)


def post(request: Request):
    started, now = time.perf_counter(), datetime.now(UTC)
    document = request.json()
    answers, model_ms = predict(
        rows_of(document),
        key=key_of(request),
        now=now,
        route=ROUTING.current,
        ask=lambda calls: sleeping.with_reasons(
            ask_all(calls, contract=CONTRACT, deadline_ms=CONFIG.serving.deadline_ms),
            now=now,
            wake=lambda: sleeping.wake(now),
        ),
        answered=ANSWERED,
    )
    print(measured(answers, milliseconds_since(started), model_ms))
    return {"predictions": answers} if isinstance(document, list) else answers[0]


def key_of(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= 255:
        raise BadRequest(f"the Idempotency-Key has {len(key)} characters; 1 to 255 are allowed")
    return key


def get_one(request: Request) -> dict:
    found = ANSWERED.one(request.path["id"])
    if found is None:
        raise NotFound(f"prediction {shortened(request.path['id'])!r} is not there; it may have expired")
    return found


def get_of_entity(request: Request) -> dict:
    if not request.query.get("entity_id"):
        raise BadRequest("say whose predictions: GET /predictions?entity_id=ID, or GET /predictions/ID for one")
    limit = limit_of(request.query.get("limit", str(PAGE)))
    return ANSWERED.of_entity(as_key(request.query["entity_id"]), limit=limit, token=request.query.get("next"))


def limit_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= LARGEST_PAGE):
        raise BadRequest(f"limit = {shortened(text)!r}: must be a whole number from 1 to {LARGEST_PAGE}")
    return int(text[:9])


ROUTES = {"POST /predictions": post, "GET /predictions": get_of_entity, "GET /predictions/{id}": get_one}


# ---- what is decided


def predict(rows: list, *, key: str | None, now: datetime, route, ask, answered) -> tuple[list[dict], float]:
    """The stored answers, one for each row, and the milliseconds that were spent on models.

    With a key, the first request decides: whoever repeats it, at once or later, gets the answers that it got.
    `route()` gives the routing, or None; `ask([(endpoint, rows)])` their Scores; `answered` recalls, remembers, saves.
    """
    clean = check_rows(CONTRACT, rows, now=now)
    fingerprint = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
    answers, model_ms = answered.recall(key, fingerprint, now) if key else None, 0.0
    if answers is None:
        answers, model_ms = answer(clean, made_at=iso(now), routing=route(), ask=ask)
        answers = answered.remember(key, fingerprint, answers, now) if key else answers
    # Also when they were recalled: whoever was killed between remembering and saving left that to us.
    answered.save([record(given, row) for given, row in zip(answers, clean, strict=True)])
    return answers, model_ms


class Asked(NamedTuple):
    """Who was to answer a row, and what came of it: a score, or the ModelFailed that says why there is none."""

    route: dict | None
    score: object
    classes: list | None = None


def answer(rows: list[dict], *, made_at: str, routing: dict | None, ask) -> tuple[list[dict], float]:
    """An answer for each row, from its release or from the fallback, and the milliseconds that were spent on models."""
    started = time.perf_counter()
    entities = [entity_id(CONTRACT, row) for row in rows]
    asked = ask_releases(rows, entities, routing, ask) if routing else [nobody("routing not readable")] * len(rows)
    model_ms = milliseconds_since(started) if any(one.route for one in asked) else 0.0
    answers = [
        {
            "id": uuid4().hex,
            "entity_id": entities[number],
            **in_answer(asked[number]),
            "made_at": made_at,
            "event_time": row[CONTRACT.event_time.name] if CONTRACT.event_time else None,
        }
        for number, row in enumerate(rows)
    ]
    return answers, model_ms


def nobody(reason: str) -> Asked:
    return Asked(None, ModelFailed(reason))


def ask_releases(rows: list[dict], entities: list[str], routing: dict, ask) -> list[Asked]:
    """Each endpoint is asked once, for all the rows of its release."""
    routes = [choose(routing, entity) for entity in entities]
    asked = [nobody(f"no release answers: {routing['reason']}" if routing["version"] else "no release yet")] * len(rows)
    numbers: dict[str, list[int]] = {}
    for number, route in enumerate(routes):
        if route:
            numbers.setdefault(route["endpoint"], []).append(number)
    calls = [(endpoint, [features_of(rows[n]) for n in of_endpoint]) for endpoint, of_endpoint in numbers.items()]
    for of_endpoint, reply in zip(numbers.values(), ask(calls), strict=True):
        for number, score in zip(of_endpoint, reply.scores, strict=True):
            asked[number] = Asked(routes[number], score, reply.classes)
    return asked


def in_answer(asked: Asked) -> dict:
    """The part of an answer that says what, who and why."""
    threshold, route = CONFIG.serving.threshold, asked.route
    who = {name: route[name] for name in ("release", "role", "weight")} if route else {"release": None, "role": None}
    if isinstance(asked.score, ModelFailed):
        given = fallback_answer(CONTRACT, threshold=threshold)
        return {**given, **who, "source": "fallback", "reason": str(asked.score)}
    given = answer_from_score(CONTRACT, asked.score, classes=asked.classes, threshold=threshold)
    return {**given, **who, "source": "model", "reason": f"{route['role']} at weight {route['weight']}"}


def record(answer: dict, row: dict) -> dict:
    """What is stored: the answer, what it was given for (as text, for monitoring), and when it may go."""
    features = json.dumps(features_of(row), ensure_ascii=False)
    made_at = parse_timestamp(answer["made_at"])
    expires_at = int(made_at.timestamp()) + CONFIG.serving.keep_predictions_days * 86400
    return {**answer, "features": features, "contract_hash": CONTRACT_HASH, "expires_at": expires_at}


def features_of(row: dict) -> dict:
    """What a model sees of a row: not whom it is about, nor anything else."""
    return {column.name: row[column.name] for column in CONTRACT.features}


# ---- what is measured


def measured(answers: list[dict], latency_ms: float, model_ms: float) -> str:
    reasons = [given["reason"] for given in answers if given["source"] == "fallback"]
    planned = sum(reason in PLANNED for reason in reasons)  # nothing to be alarmed about
    counts = {"Requests": 1, "Predictions": len(answers), "Fallbacks": len(reasons) - planned, "Latency": latency_ms}
    if planned:
        counts["Asleep"] = planned
    if model_ms:
        counts["ModelLatency"] = model_ms
    said = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    return metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=counts, fallback_reasons=said)


def milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
