"""The outcomes table: the entity's outcomes, and outcomes sent for its predictions but never joined."""

from collections.abc import Iterable, Sequence

from domain.records import UNKNOWN, Item, outcome_key, unjoined_entity
from fairway.forget.place import Removed, Task

OUTCOMES = "outcomes"
KEYS_A_REQUEST = 100  # as many as BatchGetItem reads


def forget_outcomes(task: Task) -> list[Removed]:
    """Remove each outcome stored under the entity's id."""
    pages = (
        task.stage.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=task.stage.addresses["outcomes"],
            KeyConditionExpression="entity_id = :entity",
            ExpressionAttributeValues={":entity": {"S": task.entity.id}},
            ProjectionExpression="entity_id, event_time",
            ConsistentRead=True,
        )
    )
    return [Removed(OUTCOMES, rows=_remove(task, (item for page in pages for item in page["Items"])))]


def forget_outcomes_of(task: Task, predictions: Sequence[str]) -> Removed:
    """Remove outcomes that came for these predictions when their entity was unknown."""
    chunks = (predictions[start : start + KEYS_A_REQUEST] for start in range(0, len(predictions), KEYS_A_REQUEST))
    return Removed(OUTCOMES, rows=sum(_remove(task, _there(task, chunk)) for chunk in chunks))


def _there(task: Task, predictions: Sequence[str]) -> list[Item]:
    table = task.stage.addresses["outcomes"]
    left = {table: {"Keys": [outcome_key(unjoined_entity(id), UNKNOWN) for id in dict.fromkeys(predictions)]}}
    found: list[Item] = []
    while left:
        reply = task.stage.client("dynamodb").batch_get_item(RequestItems=left)
        found += reply["Responses"].get(table, [])
        left = reply.get("UnprocessedKeys", {})
    return found


def _remove(task: Task, items: Iterable[Item]) -> int:
    removed = 0
    for item in items:
        key = {name: item[name] for name in ("entity_id", "event_time")}
        if task.really:
            task.stage.client("dynamodb").delete_item(TableName=task.stage.addresses["outcomes"], Key=key)
        removed += 1
        task.detail(f"{removed:,} outcomes")
    return removed
