"""POST /predictions: check, route, score within the deadline or fall back, remember, reply. GET: what was answered."""

import base64
import hashlib
import json
import os
import time
import zlib
from datetime import UTC, datetime
from uuid import uuid4

from domain.answers import answer_from_score, fallback_answer
from domain.contract import Contract, check_row, entity_id, iso
from domain.records import prediction_id
from domain.routing import choose
from lambdas import metrics, tables
from lambdas.responses import BadRequest, Conflict, NotFound, Request, TooLarge, Unavailable, http_function
from lambdas.routes import RoutingCache, read_routing
from lambdas.scoring import ModelFailed, ask_all
from lambdas.settings import CONFIG, CONTRACT

PREDICTIONS = os.environ["PREDICTIONS_TABLE"]
ROUTING = RoutingCache(lambda table=os.environ["ROUTING_TABLE"]: read_routing(table))
MOST_ROWS = 100
LARGEST_ROW_CHARACTERS = 60_000  # an item of DynamoDB holds 400 KB, and a character can take six bytes
MOST_PROBLEMS = 1000  # reported; a reply has its limit too
REMEMBERED_S = 24 * 3600  # how long a repeated request is recognised
PAGE, LARGEST_PAGE = 20, 100
ANSWER = ("id", "entity_id", "prediction", "probability", "release", "role", "source", "reason", "made_at", "event_time")
OPTIONAL = ("weight", "probabilities")


@http_function
def handler(request: Request):
    return ROUTES[request.route](request)


# ---- POST /predictions


def post(request: Request):
    started = time.perf_counter()
    document = request.json()
    rows = rows_of(document)
    answers, model_ms = predict(
        rows,
        key=key_of(request),
        now=datetime.now(UTC),
        route=ROUTING.current,
        ask=ask,
        recall=recall,
        remember=remember,
        save=save,
    )
    print(measured(answers, milliseconds_since(started), model_ms))
    return {"predictions": answers} if isinstance(document, list) else answers[0]


def rows_of(document) -> list:
    if isinstance(document, dict):
        return [document]
    if not isinstance(document, list) or not document:
        raise BadRequest(f"send one row as an object of columns to values, or a list of 1 to {MOST_ROWS} rows")
    if len(document) > MOST_ROWS:
        raise TooLarge(f"{len(document)} rows; at most {MOST_ROWS} are answered at once, score more as a batch")
    return document


def key_of(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= 255:
        raise BadRequest(f"the Idempotency-Key has {len(key)} characters; 1 to 255 are allowed")
    return key


def predict(rows: list, *, key: str | None, now: datetime, route, ask, recall, remember, save) -> tuple[list[dict], float]:
    """The stored answers, one for each row, and the milliseconds that models took.

    With a key, the first request decides: whoever repeats it, at once or later, gets the answers that it got.
    """
    clean = check_rows(rows, now)
    fingerprint = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
    answers, model_ms = recall(key, fingerprint, now) if key else None, 0.0
    if answers is None:
        started = time.perf_counter()
        answers, asked = answer_all(clean, key=key, made_at=iso(now), routing=route(), ask=ask)
        model_ms = milliseconds_since(started) if asked else 0.0
        answers = remember(key, fingerprint, answers, now) if key else answers
    save([record(answer, row, now) for answer, row in zip(answers, clean, strict=True)])
    return answers, model_ms


def check_rows(rows: list, now: datetime) -> list[dict]:
    """The rows as the contract writes them. Refuses all of them if one is wrong, and names every problem of each."""
    clean, problems = [], []
    for number, row in enumerate(rows):
        kept, found = check_row(CONTRACT, with_event_time(row, now), with_target=False)
        clean.append(kept)
        problems += [problem_of(number, problem) for problem in found]
    if problems:
        counted = f"{len(problems)} problem{'s'[: len(problems) > 1]} in {len({p['row'] for p in problems})} of {len(rows)} rows"
        raise BadRequest(f"{counted}; the first: {problems[0]['message']}", problems[:MOST_PROBLEMS])
    if any(len(json.dumps(row)) > LARGEST_ROW_CHARACTERS for row in clean):
        raise TooLarge(f"a row has more than {LARGEST_ROW_CHARACTERS:,} characters as JSON; it could not be stored")
    return clean


def with_event_time(row, now: datetime):
    """A request without an event time is about now."""
    column = CONTRACT.event_time
    if column is None or not isinstance(row, dict) or row.get(column.name) is not None:
        return row
    return {**row, column.name: iso(now)}


def problem_of(row: int, problem) -> dict:
    column, value = shortened(problem.column), shortened(problem.value)
    message = f"row {row}: {column} = {value!r}: {problem.rule}, {problem.allowed}"
    return {"row": row, "column": column, "value": value, "rule": problem.rule, "allowed": problem.allowed, "message": message}


def shortened(value):
    """What a caller sent, short enough to send back."""
    if value is None or isinstance(value, (bool, int, float)) and abs(value) < 1e18:
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 100 else text[:100] + "..."


def answer_all(rows: list[dict], *, key: str | None, made_at: str, routing: dict | None, ask) -> tuple[list[dict], bool]:
    """An answer for each row, from the release that answers its entity or from the fallback; and whether a model was asked."""
    entities = [entity_id(CONTRACT, row) for row in rows]
    routes = [choose(routing, entity) if routing else None for entity in entities]
    scored = score_by_release(rows, routes, ask)
    answers = []
    for number, (row, entity, route) in enumerate(zip(rows, entities, routes, strict=True)):
        score, classes = scored.get(number, (ModelFailed("no release yet" if routing else "routing not readable"), None))
        answers.append(
            {
                "id": prediction_id("request", key, str(number)) if key else uuid4().hex,
                "entity_id": entity,
                **answer(score, classes, route),
                "made_at": made_at,
                "event_time": row[CONTRACT.event_time.name] if CONTRACT.event_time else None,
            }
        )
    return answers, bool(scored)


def score_by_release(rows: list[dict], routes: list[dict | None], ask) -> dict:
    """{row number: (score, classes)} of the rows that have a route; each endpoint is asked once, for all its rows."""
    numbers: dict[str, list[int]] = {}
    for number, route in enumerate(routes):
        if route:
            numbers.setdefault(route["endpoint"], []).append(number)
    replies = ask([(endpoint, [rows[n] for n in asked]) for endpoint, asked in numbers.items()]) if numbers else []
    return {
        number: (score, reply.classes)
        for asked, reply in zip(numbers.values(), replies, strict=True)
        for number, score in zip(asked, reply.scores, strict=True)
    }


def answer(score, classes: list | None, route: dict | None) -> dict:
    who = {"release": route["release"], "role": route["role"], "weight": route["weight"]} if route else {"release": None, "role": None}
    threshold = CONFIG.serving.threshold
    if isinstance(score, ModelFailed):
        return {**fallback_answer(CONTRACT, threshold=threshold), **who, "source": "fallback", "reason": str(score)}
    given = answer_from_score(CONTRACT, score, classes=classes, threshold=threshold)
    return {**given, **who, "source": "model", "reason": f"{route['role']} at weight {route['weight']}"}


def record(answer: dict, row: dict, now: datetime) -> dict:
    """What is stored: the answer, what it was given for, and when it may go. Text, since a row has too many types for a table."""
    features = {column.name: row[column.name] for column in CONTRACT.features}
    expires_at = int(now.timestamp()) + CONFIG.serving.keep_predictions_days * 86400
    return {**answer, "features": json.dumps(features, ensure_ascii=False), "contract_hash": CONTRACT.hash, "expires_at": expires_at}


# ---- the effects


def ask(calls: list[tuple[str, list[dict]]]):
    return ask_all(calls, contract=CONTRACT, deadline_ms=CONFIG.serving.deadline_ms)


def save(records: list[dict]) -> None:
    try:
        tables.put(PREDICTIONS, records[0]) if len(records) == 1 else tables.put_all(PREDICTIONS, records)
    except tables.TableBusy as error:
        raise Unavailable(f"the answers could not be stored, so none is given: {error}") from error


def recall(key: str, fingerprint: str, now: datetime) -> list[dict] | None:
    """The answers that were given for this key, if any. Refuses another body under the same key."""
    known = tables.get(PREDICTIONS, {"id": {"S": request_id(key)}})
    if known is None or known["expires_at"] <= now.timestamp():  # DynamoDB removes what expired, but late
        return None
    if known["fingerprint"] != fingerprint:
        raise Conflict(f"Idempotency-Key {shortened(key)!r} was used for another body; use a new key for a new request")
    return json.loads(zlib.decompress(known["answers"]))


def remember(key: str, fingerprint: str, answers: list[dict], now: datetime) -> list[dict]:
    """Store the answers under the key, unless a request at the same time did: then its answers are the answers."""
    written = tables.put_if(
        PREDICTIONS,
        {
            "id": request_id(key),
            "fingerprint": fingerprint,
            "answers": zlib.compress(json.dumps(answers).encode()),
            "expires_at": int(now.timestamp()) + REMEMBERED_S,
        },
        condition="attribute_not_exists(id) OR expires_at <= :now",
        given={":now": int(now.timestamp())},
    )
    return answers if written else recall(key, fingerprint, now)


def request_id(key: str) -> str:
    """Beside the predictions, under an id that no prediction has."""
    return "request#" + prediction_id(key)


# ---- GET


def get_one(request: Request) -> dict:
    wanted = request.path["id"]
    found = None if "#" in wanted else tables.get(PREDICTIONS, {"id": {"S": wanted}})
    if found is None:
        raise NotFound(f"prediction {shortened(wanted)!r} is not there; it may have expired")
    return public(found)


def get_of_entity(request: Request) -> dict:
    """The newest first; `next` of one page is `next` of the following request."""
    entity = request.query.get("entity_id")
    if not entity:
        raise BadRequest("say whose predictions: GET /predictions?entity_id=ID, or GET /predictions/ID for one")
    start = {"ExclusiveStartKey": page_key(request.query["next"], entity)} if "next" in request.query else {}
    page = tables.query(
        PREDICTIONS,
        IndexName="by_entity",
        KeyConditionExpression="entity_id = :entity",
        ExpressionAttributeValues={":entity": {"S": entity}},
        ScanIndexForward=False,
        Limit=limit_of(request.query.get("limit", str(PAGE))),
        **start,
    )
    return {"predictions": [public(item) for item in page["items"]], "next": page["last"] and page_token(page["last"])}


def limit_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= LARGEST_PAGE):
        raise BadRequest(f"limit = {shortened(text)!r}: must be a whole number from 1 to {LARGEST_PAGE}")
    return int(text)


def page_token(key: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps([key["id"]["S"], key["made_at"]["S"]]).encode()).decode()


def page_key(token: str, entity: str) -> dict:
    try:
        last, made_at = json.loads(base64.urlsafe_b64decode(token))
        return {"id": {"S": str(last)}, "entity_id": {"S": entity}, "made_at": {"S": str(made_at)}}
    except (ValueError, TypeError):
        raise BadRequest(f"next = {shortened(token)!r} is not one that was given out; leave it away to start anew") from None


def public(item: dict) -> dict:
    return {**{name: item.get(name) for name in ANSWER}, **{name: item[name] for name in OPTIONAL if name in item}}


ROUTES = {"POST /predictions": post, "GET /predictions": get_of_entity, "GET /predictions/{id}": get_one}


# ---- what is measured


def measured(answers: list[dict], latency_ms: float, model_ms: float) -> str:
    reasons = [given["reason"] for given in answers if given["source"] == "fallback"]
    counts = {"Requests": 1, "Predictions": len(answers), "Fallbacks": len(reasons), "Latency": latency_ms}
    if model_ms:
        counts["ModelLatency"] = model_ms
    said = {"fallback_reasons": {reason: reasons.count(reason) for reason in sorted(set(reasons))}}
    return metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=counts, **said)


def milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
