"""Retraining by the loop, stopped and started by one write to an item of the routing table."""

from datetime import UTC, datetime
from typing import cast

from domain import records as items
from domain.timestamps import iso
from domain.watch.decision import Action, Loop, in_words, is_paused
from fairway.stage import windows
from fairway.stage.aws import Stage

KEY = items.routing_item(items.LOOP)


def read(stage: Stage) -> Loop:
    found = stage.client("dynamodb").get_item(TableName=stage.addresses["routing"], Key=KEY, ConsistentRead=True)
    values = items.from_item(found["Item"]) if "Item" in found else {}
    return cast(Loop, {name: value for name, value in values.items() if name in Loop.__annotations__})


def held(stage: Stage) -> str | None:
    """Write why no window starts a run, and how that ends; None where they may."""
    state, newest = read(stage), windows.newest(stage)
    if is_paused(state):
        return f"no window starts a run since {state['paused_at']}; `fairway watch resume` lets them"
    decision = newest.get("decision") if newest else None
    if decision and decision["action"] == Action.STOPPED:
        return f"retraining is {in_words(decision)}; `fairway watch resume` lets it try again"
    return None


def pause(stage: Stage) -> Loop:
    return _set(stage, "paused_at")


def resume(stage: Stage) -> Loop:
    return _set(stage, "resumed_at")


def _set(stage: Stage, name: str) -> Loop:
    """Set a timestamp of the item to now, and return the item."""
    stage.client("dynamodb").update_item(
        TableName=stage.addresses["routing"],
        Key=KEY,
        UpdateExpression="SET #name = :now",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":now": {"S": iso(datetime.now(UTC))}},
    )
    return read(stage)
