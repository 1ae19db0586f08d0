"""The answers that were given: stored before they are given, found again by id, by entity, or by Idempotency-Key."""

import base64
import json
import re
import zlib
from datetime import datetime

from domain.records import prediction_id
from domain.timestamps import parse_timestamp
from lambdas.aws import tables
from lambdas.aws.connections import Unreachable
from lambdas.aws.services import ServiceError
from lambdas.request.http import LOG, BadRequest, Conflict, Unavailable, shortened

GIVEN = ("id", "entity_id", "prediction", "probability", "release", "role", "source", "reason", "made_at", "event_time")
OPTIONAL = ("weight", "probabilities")
LONGEST_ID = 100
ID = re.compile(r"[0-9a-f]{32}")
REMEMBERED_S = 24 * 3600  # how long a repeated request is recognised


class Answered:
    """The predictions table. It also holds each request that had a key, under an id that no prediction has."""

    def __init__(self, table: str):
        self.table = table

    def save(self, records: list[dict]) -> None:
        try:
            tables.put_all(self.table, records)
        except (ServiceError, Unreachable, tables.TableBusy) as error:
            LOG.exception("%d answers not stored", len(records))
            raise Unavailable("the answers could not be stored, so none is given; trying again is safe") from error

    def recall(self, key: str, fingerprint: str, now: datetime) -> list[dict] | None:
        """The answers that were given for the key, if any. Refuses another body under the same key."""
        known = tables.get(self.table, {"id": {"S": request_id(key)}})
        if known is None or known["expires_at"] <= now.timestamp():  # DynamoDB removes what expired, but late
            return None
        if known["fingerprint"] != fingerprint:
            used = f"Idempotency-Key {shortened(key)!r} was used for another body"
            raise Conflict(f"{used}; use a new key for a new request")
        return json.loads(zlib.decompress(known["answers"]))

    def remember(self, key: str, fingerprint: str, answers: list[dict], now: datetime) -> list[dict]:
        """Store the answers under the key, unless a request at the same time did: then its answers are the answers."""
        request = {
            "id": request_id(key),
            "fingerprint": fingerprint,
            "answers": zlib.compress(json.dumps(answers).encode()),
            "expires_at": int(now.timestamp()) + REMEMBERED_S,
        }
        is_first = "attribute_not_exists(id) OR expires_at <= :now"
        if tables.put_if(self.table, request, condition=is_first, given={":now": int(now.timestamp())}):
            return answers
        return self.recall(key, fingerprint, now)

    def one(self, wanted: str) -> dict | None:
        found = tables.get(self.table, {"id": {"S": wanted}}) if len(wanted) <= LONGEST_ID else None
        return public(found) if found and "entity_id" in found else None

    def of_entity(self, entity: str, *, limit: int, token: str | None) -> dict:
        """{predictions, next}, the newest first; `next` is the token of the following page, or None."""
        start = {"ExclusiveStartKey": page_key(token, entity)} if token is not None else {}
        page = tables.query(
            self.table,
            IndexName="by_entity",
            KeyConditionExpression="entity_id = :entity",
            ExpressionAttributeValues={":entity": {"S": entity}},
            ScanIndexForward=False,
            Limit=limit,
            **start,
        )
        following = page_token(page["last"]) if page["last"] else None
        return {"predictions": [public(item) for item in page["items"]], "next": following}


def request_id(key: str) -> str:
    return "request#" + prediction_id(key)


def public(item: dict) -> dict:
    return {**{name: item.get(name) for name in GIVEN}, **{name: item[name] for name in OPTIONAL if name in item}}


def page_token(key: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps([key["id"]["S"], key["made_at"]["S"]]).encode()).decode()


def page_key(token: str, entity: str) -> dict:
    try:
        last, made_at = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        last = made_at = None
    if not (isinstance(last, str) and ID.fullmatch(last) and isinstance(made_at, str) and parse_timestamp(made_at)):
        raise BadRequest(f"next = {shortened(token)!r} is not one that was given out; leave it away to start anew")
    return {"id": {"S": last}, "entity_id": {"S": entity}, "made_at": {"S": made_at}}
