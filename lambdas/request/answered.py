"""Stored answers: written before they are sent, and read by id, by entity, or by Idempotency-Key."""

import base64
import json
import re
import zlib
from datetime import datetime
from typing import Any, cast

from domain.records import REQUEST, Item, prediction_id
from domain.request.answers import Prediction
from domain.timestamps import parse_timestamp
from lambdas.aws import tables
from lambdas.aws.connections import Unreachable
from lambdas.aws.services import ServiceError
from lambdas.request import stored
from lambdas.request.http import LOG, BadRequest, Conflict, Unavailable, shortened

REPLIED = (
    "id",
    "entity_id",
    "prediction",
    "probability",
    "release",
    "role",
    "source",
    "reason",
    "made_at",
    "event_time",
)
OPTIONAL = ("threshold", "arm", "rollout", "share", "instead_of", "probabilities", "confidence")
LONGEST_ID = 100
ID = re.compile(r"[0-9a-f]{32}")
REMEMBERED_S = 24 * 3600  # how long a repeated request is recognised


class Answered:
    """The predictions table for one caller.

    It also holds each request that had a key, under an id that no prediction has. With `only_own`, callers find only
    the predictions that they requested themselves.
    """

    def __init__(self, table: str, *, caller: str, only_own: bool):
        self.table, self.caller, self.only_own = table, caller, only_own

    def save(self, records: list[dict[str, Any]]) -> None:
        """Store the predictions with their caller. Raises Unavailable."""
        asked_by = {"caller": self.caller} if self.caller else {}
        try:
            tables.put_all(self.table, [{**record, **asked_by} for record in records])
        except (ServiceError, Unreachable, tables.TableBusy) as error:
            LOG.exception("%d answers not stored", len(records))
            raise Unavailable("the answers could not be stored, so none is returned; trying again is safe") from error

    def recall(self, key: str, fingerprint: str, now: datetime) -> list[Prediction] | None:
        """Read the answers that were sent for the key, if any. Refuses another body with the same key."""
        known = stored.item(self.table, _request_id(self.caller, key), now=now)
        if known is None:
            return None
        if known["fingerprint"] != fingerprint:
            used = f"Idempotency-Key {shortened(key)!r} was used for another body"
            raise Conflict(f"{used}; use a new key for a new request")
        return cast(list[Prediction], json.loads(zlib.decompress(known["answers"])))

    def remember(self, key: str, fingerprint: str, answers: list[Prediction], now: datetime) -> list[Prediction]:
        """Store the answers under the key, unless a concurrent request did: then return its answers."""
        request = {
            "id": _request_id(self.caller, key),
            "fingerprint": fingerprint,
            "answers": zlib.compress(json.dumps(answers).encode()),
            "expires_at": int(now.timestamp()) + REMEMBERED_S,
        }
        is_first = "attribute_not_exists(id) OR expires_at <= :now"
        if tables.put_if(self.table, request, condition=is_first, given={":now": int(now.timestamp())}):
            return answers
        return self.recall(key, fingerprint, now) or answers

    def one(self, id: str, *, now: datetime) -> dict[str, Any] | None:
        """Read the prediction of an id as the API returns it."""
        item = stored.prediction(self.table, id, now=now) if len(id) <= LONGEST_ID else None
        return _public(item) if item and self._may_read(item) else None

    def _may_read(self, item: dict[str, Any]) -> bool:
        return not self.only_own or bool(self.caller and item.get("caller") == self.caller)

    def of_entity(self, entity: str, *, now: datetime, limit: int, token: str | None) -> dict[str, Any]:
        """Read {predictions, next}, newest first; `next` is the token of the following page, or None.

        A page has fewer than `limit` predictions if expired ones, or other callers', are left out.
        """
        start = _page_key(token, entity) if token is not None else None
        page = stored.page_of_entity(self.table, entity, now=now, limit=limit, start=start)
        following = _page_token(page.last) if page.last else None
        return {"predictions": [_public(item) for item in page.predictions if self._may_read(item)], "next": following}


def _request_id(caller: str, key: str) -> str:
    """Return the id of a request; a key belongs to its caller, so others neither get nor are refused its answers."""
    return REQUEST + prediction_id(caller, key)


def _public(item: dict[str, Any]) -> dict[str, Any]:
    return {**{name: item.get(name) for name in REPLIED}, **{name: item[name] for name in OPTIONAL if name in item}}


def _page_token(key: Item) -> str:
    return base64.urlsafe_b64encode(json.dumps([key["id"]["S"], key["made_at"]["S"]]).encode()).decode()


def _page_key(token: str, entity: str) -> Item:
    try:
        last, made_at = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        last = made_at = None
    if not (isinstance(last, str) and ID.fullmatch(last) and isinstance(made_at, str) and parse_timestamp(made_at)):
        raise BadRequest(
            f"next = {shortened(token)!r} must be a token of an earlier reply; omit it to start from the first page"
        )
    return {"id": {"S": last}, "entity_id": {"S": entity}, "made_at": {"S": made_at}}
