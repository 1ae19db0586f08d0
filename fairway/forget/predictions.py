"""The predictions table: the entity's answers, and the stored requests that contain one of them."""

import json
import zlib
from collections.abc import Iterator
from typing import Any

from domain.names import BY_ENTITY
from domain.records import REQUEST, Item
from fairway.forget.outcomes import forget_outcomes_of
from fairway.forget.place import Removed, Task

DELETES_A_REQUEST = 25  # as many as BatchWriteItem takes


def forget_predictions(task: Task) -> list[Removed]:
    """Remove each answer, and before it an outcome that was sent for it and never joined."""
    query = {
        "IndexName": BY_ENTITY,
        "KeyConditionExpression": "entity_id = :entity",
        "ExpressionAttributeValues": {":entity": {"S": task.entity.id}},
        "ProjectionExpression": "id",
    }
    removed, unjoined = 0, []
    for page in _pages(task, "query", query):
        ids = [item["id"]["S"] for item in page["Items"]]
        unjoined.append(forget_outcomes_of(task, ids))
        removed += _delete(task, ids)
        task.detail(f"{removed:,} predictions")
    return [Removed("predictions", rows=removed), *unjoined]


def forget_requests(task: Task) -> list[Removed]:
    """Remove each stored request that contains an answer for the entity; repeating it is then a new request.

    No index has their entities, so the whole table is read once.
    """
    scan = {
        "FilterExpression": "begins_with(id, :request)",
        "ExpressionAttributeValues": {":request": {"S": REQUEST}},
        "ProjectionExpression": "id, answers",
    }
    removed = 0
    for page in _pages(task, "scan", scan):
        removed += _delete(task, [item["id"]["S"] for item in page["Items"] if _is_about(task, item)])
        task.detail(f"{removed:,} requests")
    return [Removed("remembered requests", rows=removed)]


def _pages(task: Task, operation: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pages = task.stage.client("dynamodb").get_paginator(operation)
    found: Iterator[dict[str, Any]] = iter(pages.paginate(TableName=task.stage.addresses["predictions"], **arguments))
    return found


def _is_about(task: Task, item: Item) -> bool:
    answers = json.loads(zlib.decompress(bytes(item["answers"]["B"])))
    return any(answer["entity_id"] == task.entity.id for answer in answers)


def _delete(task: Task, ids: list[str]) -> int:
    table = task.stage.addresses["predictions"]
    for start in range(0, len(ids) if task.really else 0, DELETES_A_REQUEST):
        chosen = [{"DeleteRequest": {"Key": {"id": {"S": id}}}} for id in ids[start : start + DELETES_A_REQUEST]]
        left = {table: chosen}
        while left:
            left = task.stage.client("dynamodb").batch_write_item(RequestItems=left).get("UnprocessedItems", {})
    return len(ids)
