"""Read the predictions table; an item that has expired counts as missing, though DynamoDB may delete it days later."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from domain.names import BY_ENTITY
from domain.records import Item, is_expired, prediction_key
from lambdas.aws import tables


class Page(NamedTuple):
    """Predictions, newest first; `last` is where the next page starts, or None."""

    predictions: list[dict[str, Any]]
    last: Item | None


def item(table: str, id: str, *, now: datetime) -> dict[str, Any] | None:
    """Read the item of an id; None if there is none."""
    found = tables.get(table, prediction_key(id))
    return None if found is None or is_expired(found, now) else found


def prediction(table: str, id: str, *, now: datetime) -> dict[str, Any] | None:
    """Read the prediction of an id; the stored requests in the same table are not predictions."""
    found = item(table, id, now=now)
    return found if found and "entity_id" in found else None


def page_of_entity(table: str, entity: str, *, now: datetime, limit: int, start: Item | None = None) -> Page:
    """Read a page of an entity's predictions, which may have fewer than `limit`."""
    more: dict[str, Any] = {"ExclusiveStartKey": start} if start else {}
    page = tables.query(table, **_newest_first(entity), Limit=limit, **more)
    return Page([each for each in page["items"] if not is_expired(each, now)], page["last"])


def newest_of_entity(table: str, entity: str, *, now: datetime, at: str | None = None) -> dict[str, Any] | None:
    """Read the newest prediction of an entity, or of those at the event time `at`."""
    query = _newest_first(entity)
    if at is not None:
        query["ExpressionAttributeValues"][":at"] = {"S": at}
        query["FilterExpression"] = "event_time = :at"
    else:
        query["Limit"] = 1
    items: Iterator[dict[str, Any]] = tables.query_all(table, **query)
    return next((each for each in items if not is_expired(each, now)), None)


def _newest_first(entity: str) -> dict[str, Any]:
    return {
        "IndexName": BY_ENTITY,
        "KeyConditionExpression": "entity_id = :entity",
        "ExpressionAttributeValues": {":entity": {"S": entity}},
        "ScanIndexForward": False,
    }
