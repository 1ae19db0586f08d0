"""`fairway resume`: undo what the guard stopped at the budget's limits."""

from datetime import UTC, datetime
from pathlib import Path

from domain.money import spending
from domain.records import GUARD, from_item, routing_item
from domain.timestamps import iso
from fairway.stage.aws import connect
from fairway.stage.promotion import go_back
from fairway.stage.records import routing
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress

KEY = routing_item(GUARD)


def resume(folder: Path, stage_name: str, *, progress: Progress) -> Done:
    """Undo every action in force; the guard takes none of them again this month.

    Raises Refused if nothing is stopped.
    """
    stage = connect(folder, stage_name)
    dynamodb, table = stage.client("dynamodb"), stage.addresses["routing"]
    item = dynamodb.get_item(TableName=table, Key=KEY, ConsistentRead=True).get("Item")
    standing = [
        action
        for action in (from_item(item)["actions"] if item else [])
        if action not in from_item(item).get("undone", [])
    ]
    now = routing(stage)
    # Only the guard empties the routing, but an item of a later month may no longer name that action.
    if spending.is_stopped(now) and spending.STOP_MODEL not in standing:
        standing.append(spending.STOP_MODEL)
    if not standing:
        raise Refused("nothing_stopped", f"the guard stopped nothing in stage {stage_name!r}")
    if spending.is_stopped(now):
        go_back(stage, now, reason="resumed by hand", progress=progress)
    if item:
        dynamodb.update_item(
            TableName=table,
            Key=KEY,
            UpdateExpression="SET undone = :actions, resumed_at = :now",
            ExpressionAttributeValues={":actions": item["actions"], ":now": {"S": iso(datetime.now(UTC))}},
        )
    lines = [f"undone: {spending.ACTIONS[action]}" for action in standing]
    return Done(
        {"stage": stage_name, "resumed": standing},
        lines,
        "raise budget.monthly_usd and deploy, or it happens again next month",
    )
