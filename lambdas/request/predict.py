"""POST /predictions: check, route, score within the deadline or fall back, store, reply. GET: stored answers."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, cast
from uuid import uuid4

from domain.contract.keys import as_key, entity_id
from domain.contract.schema import Contract
from domain.names import Metric
from domain.reasons import Reason, is_planned
from domain.release.claims import Role
from domain.release.routing import Answerer, Routing, choose_all
from domain.request.abstain import Abstain, is_unsure, prefers_fallback
from domain.request.answers import Answer, Prediction, Score, Source, answer_from_score, fallback_answer
from domain.request.confidence import NO_MODEL, NOT_SURE, Confidence, confidence_of, without_model
from domain.request.limits import LARGEST_PAGE, LONGEST_KEY, PAGE
from domain.timestamps import iso
from domain.train.confidence import segment_of
from lambdas import metrics
from lambdas.aws.routes import Made, ReleasesMade, RoutingCache, read_made, read_routing
from lambdas.request import asking
from lambdas.request.answered import Answered
from lambdas.request.http import BadRequest, NotFound, Request, http_function, shortened
from lambdas.request.rows import check_rows, rows_of
from lambdas.request.scoring import Call, ModelFailed, Row, Scores
from lambdas.settings import CONFIG, CONTRACT

PREDICTIONS = os.environ["PREDICTIONS_TABLE"]
ROUTING = RoutingCache(os.environ["ROUTING_TABLE"], read_routing)
MADE = ReleasesMade(os.environ["ROUTING_TABLE"], read_made, instead=CONTRACT)
CONTRACT_HASH = CONTRACT.hash
NOT_REPLIED = ("cause", "latency_ms")


@http_function
def handler(request: Request) -> object:
    return ROUTES[request.route](request)


def _post(request: Request) -> object:
    started, now = time.perf_counter(), datetime.now(UTC)
    document = request.json()
    answers, model_ms = predict(
        rows_of(document),
        key=_key_of(request),
        now=now,
        route=ROUTING.current,
        made=MADE.of,
        ask=lambda calls: asking.ask(calls, now=now),
        answered=_answered_for(request),
    )
    print(_measured(answers, _milliseconds_since(started), model_ms))
    replied = [_replied(answer) for answer in answers]
    return {"predictions": replied} if isinstance(document, list) else replied[0]


def _replied(answer: Prediction) -> dict[str, Any]:
    """Return the part of a prediction that callers get; the rest is for the comparison of releases."""
    return {name: value for name, value in answer.items() if name not in NOT_REPLIED}


def _answered_for(request: Request) -> Answered:
    return Answered(PREDICTIONS, caller=request.caller, only_own=CONFIG.serving.readers == "own")


def _key_of(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= LONGEST_KEY:
        raise BadRequest(f"the Idempotency-Key has {len(key)} characters; 1 to {LONGEST_KEY} are allowed")
    return key


def _get_one(request: Request) -> dict[str, Any]:
    prediction = _answered_for(request).one(request.path["id"], now=datetime.now(UTC))
    if prediction is None:
        raise NotFound(f"prediction {shortened(request.path['id'])!r} is not there; it may have expired")
    return prediction


def _get_of_entity(request: Request) -> dict[str, Any]:
    if not request.query.get("entity_id"):
        raise BadRequest("entity_id: must be given; send GET /predictions?entity_id=ID, or GET /predictions/ID")
    limit = _limit_of(request.query.get("limit", str(PAGE)))
    return _answered_for(request).of_entity(
        as_key(request.query["entity_id"]), now=datetime.now(UTC), limit=limit, token=request.query.get("next")
    )


def _limit_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= LARGEST_PAGE):
        raise BadRequest(f"limit = {shortened(text)!r}: must be a whole number from 1 to {LARGEST_PAGE}")
    return int(text[:9])


def _describe(request: Request) -> dict[str, Any]:
    from domain.request.openapi import document  # lazy: no prediction needs it

    return document(CONTRACT, project=CONFIG.project.name)


ROUTES = {
    "POST /predictions": _post,
    "GET /predictions": _get_of_entity,
    "GET /predictions/{id}": _get_one,
    "GET /openapi.json": _describe,
}


# ---- decisions


class Memory(Protocol):
    """Stored answers; lambdas/request/answered.py keeps them in the predictions table."""

    def recall(self, key: str, fingerprint: str, now: datetime, /) -> list[Prediction] | None: ...

    def remember(self, key: str, fingerprint: str, answers: list[Prediction], now: datetime, /) -> list[Prediction]: ...

    def save(self, records: list[dict[str, Any]], /) -> None: ...


Ask = Callable[[list[Call]], list[Scores]]


def predict(
    rows: list[Any],
    *,
    key: str | None,
    now: datetime,
    route: Callable[[], Routing | None],
    ask: Ask,
    answered: Memory,
    made: Callable[[str], Made] = lambda release: Made(CONTRACT),
) -> tuple[list[Prediction], float]:
    """Return the stored answers, one for each row, and the milliseconds spent on models.

    With a key, the first request decides: a repetition, concurrent or later, gets the answers of the first. `route`
    returns the routing, or None if it cannot be read; `ask` the scores of each call, in order; `made` the contract of a
    release, under which it is asked and its answer read, and what says how sure it is.
    """
    clean = check_rows(CONTRACT, rows, now=now)
    fingerprint = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
    answers, model_ms = answered.recall(key, fingerprint, now) if key else None, 0.0
    if answers is None:
        answers, model_ms = _answer(clean, made_at=iso(now), routing=route(), ask=ask, made=made)
        answers = answered.remember(key, fingerprint, answers, now) if key else answers
    # Also if they were recalled: a request killed between remembering and saving left this undone.
    answered.save([_record(prediction, row) for prediction, row in zip(answers, clean, strict=True)])
    return answers, model_ms


class Asked(NamedTuple):
    """The release that answers a row, and its score under the release's contract or the reason why there is none."""

    by: Answerer | None
    score: Score | ModelFailed
    classes: list[Any] | None = None
    made: Made = Made(CONTRACT)
    source: Source = Source.MODEL
    instead_of: ModelFailed | None = None


def _answer(
    rows: list[Row],
    *,
    made_at: str,
    routing: Routing | None,
    ask: Ask,
    made: Callable[[str], Made],
) -> tuple[list[Prediction], float]:
    """Answer each row, from its release or from the fallback; also return the milliseconds spent on models."""
    started = time.perf_counter()
    entities = [entity_id(CONTRACT, row) for row in rows]
    unread = [_nobody(Reason.ROUTING_UNREADABLE)] * len(rows)
    asked = _ask_releases(rows, entities, routing, ask, made) if routing else unread
    model_ms = _milliseconds_since(started) if any(one.by for one in asked) else 0.0
    latency_ms = _milliseconds_since(started)
    answers = [
        {
            "id": uuid4().hex,
            "entity_id": entities[number],
            **_decided(asked[number], row),
            "made_at": made_at,
            "latency_ms": latency_ms,
            "event_time": row[CONTRACT.event_time.name] if CONTRACT.event_time else None,
        }
        for number, row in enumerate(rows)
    ]
    return cast(list[Prediction], answers), model_ms


def _nobody(reason: Reason, detail: str = "") -> Asked:
    return Asked(None, ModelFailed(reason, detail))


def _ask_releases(
    rows: list[Row],
    entities: list[str],
    routing: Routing,
    ask: Ask,
    made: Callable[[str], Made],
) -> list[Asked]:
    """Call each endpoint once, with all the rows of its release."""
    chosen = choose_all(routing, entities)
    unrouted = _nobody(Reason.NO_ROUTE, routing["reason"]) if routing["version"] else _nobody(Reason.NO_RELEASE)
    asked = [unrouted] * len(rows)
    numbers: dict[tuple[str, str], list[int]] = {}
    for number, one in enumerate(chosen):
        if one:
            numbers.setdefault((one.endpoint, one.release), []).append(number)
    known = {release: made(release) for _, release in numbers}
    calls = [
        _call(endpoint, release, known[release].contract, [rows[number] for number in of_endpoint])
        for (endpoint, release), of_endpoint in numbers.items()
    ]
    for call, of_endpoint, reply in zip(calls, numbers.values(), ask(calls), strict=True):
        for number, score in zip(of_endpoint, reply.scores, strict=True):
            asked[number] = Asked(
                chosen[number], score, reply.classes, known[call.release], reply.source, reply.instead_of
            )
    return asked


def _call(endpoint: str, release: str, contract: Contract, rows: list[Row]) -> Call:
    return Call(endpoint, [_features_of(row, contract) for row in rows], contract, release)


def _decided(asked: Asked, row: Row) -> dict[str, Any]:
    """Make the part of a prediction that differs between rows: answer, release, source and reason."""
    threshold, by = _threshold_of(asked.by), asked.by
    contract, table = asked.made
    if by is None or isinstance(asked.score, ModelFailed):
        return {**_fallback(asked, row, NO_MODEL), **_who(by), **_why_fallback(asked.score)}
    answer = answer_from_score(contract, asked.score, classes=asked.classes, threshold=threshold)
    sure = confidence_of(contract, table, asked.score, classes=asked.classes, happened=CONFIG.confidence.happened)
    if CONFIG.confidence.abstain != Abstain.OFF and is_unsure(sure):
        if CONFIG.confidence.abstain == Abstain.FLAG:
            sure["flagged"] = True
        elif instead := _left_to_fallback(asked, row, answer, sure):
            return instead
    why = {"source": asked.source.value, "reason": _why(by), **_instead(asked.instead_of)}
    return {**answer, "confidence": sure, **_who(by), **why}


def _threshold_of(by: Answerer | None) -> float:
    return by.decides_from(CONFIG.serving.threshold) if by else CONFIG.serving.threshold


def _fallback(asked: Asked, row: Row, why: str) -> dict[str, Any]:
    """Make the answer without the model, by the prior of the row's segment if the release knows one."""
    table = asked.made.confidence
    known = segment_of(table, row) if asked.made.contract.task == CONTRACT.task else None
    prior = known[1]["prior"] if known else None
    answer = fallback_answer(CONTRACT, threshold=_threshold_of(asked.by), prior=prior)
    happened = CONFIG.confidence.happened
    sure = without_model(CONTRACT, table, answer["prediction"], row=row, happened=happened, why=why)
    return {**answer, "confidence": sure}


def _left_to_fallback(asked: Asked, row: Row, answer: Answer, sure: Confidence) -> dict[str, Any] | None:
    """Make the fallback's answer to a row of which the model is not sure; None if the model's is worth more."""
    fallback = _fallback(asked, row, NOT_SURE)
    decisions = {"answer": answer["prediction"], "fallback": fallback["prediction"]}
    if not prefers_fallback(CONFIG.business, sure, **decisions):
        return None
    unsure = _why_fallback(ModelFailed(Reason.UNSURE))
    return {**fallback, **_who(asked.by), **unsure, **_instead(asked.instead_of)}


def _instead(failed: ModelFailed | None) -> dict[str, Any]:
    """Make the part that a stand-in adds: its endpoint's failure counts against the release nevertheless."""
    return {"instead_of": str(failed), "cause": failed.reason.name} if failed else {}


def _why_fallback(score: Score | ModelFailed) -> dict[str, Any]:
    assert isinstance(score, ModelFailed), "without a route there is a reason"
    return {"source": Source.FALLBACK.value, "reason": str(score), "cause": score.reason.name}


def _who(by: Answerer | None) -> dict[str, Any]:
    """Make the part of a prediction by which it counts as evidence."""
    if by is None:
        return {"release": None, "role": None}
    compared = {} if by.rollout is None else {"rollout": by.rollout, "share": by.share}
    own = {} if by.threshold is None else {"threshold": by.threshold}
    return {"release": by.release, "role": by.role, "arm": by.arm, **own, **compared}


def _why(by: Answerer) -> str:
    return by.role if by.role == Role.CHAMPION or by.share is None else f"{by.role} at {100 * by.share:g} %"


def _record(prediction: Prediction, row: Row) -> dict[str, Any]:
    """Make the item to store: the prediction, its features (as text, for monitoring), and when it expires."""
    features = json.dumps(_features_of(row, CONTRACT), ensure_ascii=False)
    expires_at = (
        int(datetime.fromisoformat(prediction["made_at"]).timestamp()) + CONFIG.serving.keep_predictions_days * 86400
    )
    return {**prediction, "features": features, "contract_hash": CONTRACT_HASH, "expires_at": expires_at}


def _features_of(row: Row, contract: Contract) -> Row:
    """Select the columns that a model of this contract reads, if the row's own contract has them."""
    return {column.name: row[column.name] for column in contract.features if column.name in row}


# ---- metrics


def _measured(answers: list[Prediction], latency_ms: float, model_ms: float) -> str:
    reasons = [prediction["reason"] for prediction in answers if prediction["source"] == Source.FALLBACK]
    planned, unsure = sum(map(is_planned, reasons)), reasons.count(Reason.UNSURE)
    counts: dict[str, float] = {
        Metric.REQUESTS: 1,
        Metric.PREDICTIONS: len(answers),
        Metric.FALLBACKS: len(reasons) - planned - unsure,
        Metric.LATENCY: latency_ms,
    }
    if planned:
        counts[Metric.ASLEEP] = planned
    if unsure or (unsure := sum("flagged" in prediction.get("confidence", {}) for prediction in answers)):
        counts[Metric.UNSURE] = unsure
    if model_ms:
        counts[Metric.MODEL_LATENCY] = model_ms
    failures = [prediction["instead_of"] for prediction in answers if "instead_of" in prediction]
    if stand_ins := len(failures) - sum(map(is_planned, failures)):
        counts[Metric.STAND_INS] = stand_ins
    more = {"fallback_reasons": _tally(reasons), **({"stand_in_reasons": _tally(failures)} if failures else {})}
    return metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=counts, **more)


def _tally(reasons: list[str]) -> dict[str, int]:
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
