"""The table of evidence: the items that count the entity and its answers for a rollout.

The counts themselves are sums and name nobody.
"""

from collections.abc import Iterator

from domain.names import BY_ENTITY
from domain.records import Item
from domain.release.counts import Kind, Side, seen_key, value_key
from domain.request.compared import answer_key
from domain.request.shadowed import seen_of_side
from fairway.forget.place import Removed, Task


def forget_evidence(task: Task) -> list[Removed]:
    """Remove the items of the entity, and of its answers while they still exist to name them.

    No index has their entities, so the whole table is read once.
    """
    table = task.stage.addresses.get("evidence")
    if table is None:  # deployed before this table existed
        return []
    dynamodb, removed = task.stage.client("dynamodb"), 0
    wanted = set(_names(task))
    keys = {"ProjectionExpression": "#rollout, #item"}
    names = {"ExpressionAttributeNames": {"#rollout": "rollout", "#item": "item"}}
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, **keys, **names):
        for key in (item for item in page["Items"] if item["item"]["S"] in wanted):
            if task.really:
                dynamodb.delete_item(TableName=table, Key=key)
            removed += 1
            task.detail(f"{removed:,} items of evidence")
    return [Removed("evidence", rows=removed)]


def _names(task: Task) -> Iterator[str]:
    """Return the sort keys of items about the entity, which are the same in every rollout."""
    yield from (_name(seen_key("", kind, task.entity.id)) for kind in Kind)
    yield from (_name(seen_of_side("", kind, side, task.entity.id)) for kind in Kind for side in Side)
    yield _name(value_key("", task.entity.id))
    pages = (
        task.stage.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=task.stage.addresses["predictions"],
            IndexName=BY_ENTITY,
            KeyConditionExpression="entity_id = :entity",
            ExpressionAttributeValues={":entity": {"S": task.entity.id}},
            ProjectionExpression="id",
        )
    )
    yield from (_name(answer_key("", item["id"]["S"])) for page in pages for item in page["Items"])


def _name(key: Item) -> str:
    return str(key["item"]["S"])
