"""The rollout of a stage, read and changed from outside its flow: evidence, pause, end."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from domain import records as items
from domain.release import rollout as rules
from domain.release.harm import Weighed, weigh
from domain.release.rollout import UNDER_WAY, Rollout, State
from domain.release.state import ReleaseItem, ReleaseState
from domain.release.turns import NO_TURNS, Turns
from domain.timestamps import iso
from fairway.stage import records
from fairway.stage.aws import Stage
from fairway.stage.evidence import counts_of
from fairway.terminal.errors import Failed, Refused


def turns_of(stage: Stage) -> Turns:
    """Read the running or last rollout, and the next release."""
    found = stage.client("dynamodb").get_item(
        TableName=stage.addresses["routing"], Key=items.routing_item(items.ROLLOUT), ConsistentRead=True
    )
    return cast(Turns, {**NO_TURNS, **(items.from_item(found["Item"]) if "Item" in found else {})})


def newest_replay(stage: Stage) -> ReleaseItem | None:
    """Read the release that was replayed last; None where none was."""
    return max(
        (item for item in records.releases(stage) if "replay" in item),
        key=lambda item: item["replay"]["at"],
        default=None,
    )


def running(stage: Stage) -> Rollout | None:
    """Read the running rollout; None if there is none."""
    current = turns_of(stage)["current"]
    return current if current and current["state"] in UNDER_WAY else None


def evidence_of(stage: Stage, rollout: Rollout) -> list[Weighed]:
    """Weigh what a rollout has seen so far, as a shadow or as a canary, by the rules that decide about it."""
    return weigh(counts_of(stage, rules.evidence_of(rollout)), rules.plan_of(stage.config).limits)


def under_way(turns: Turns) -> Rollout:
    """Return the running rollout. Raises Refused if there is none."""
    current = turns["current"]
    if current and current["state"] == State.CHALLENGER:
        why = f"an experiment of {current['release']} is under way, and no rollout"
        raise Refused("no_rollout", f"{why}; `fairway experiment status` shows it")
    if current is None or current["state"] not in UNDER_WAY:
        last = f"; the last one, of {current['release']}, ended as {current['state']}" if current else ""
        raise Refused("no_rollout", f"no rollout is in progress{last}; `fairway status` shows which release answers")
    return current


def change(stage: Stage, turns: Turns, **values: Any) -> Rollout:
    """Write the running rollout with other values. Raises Failed if its flow wrote meanwhile."""
    changed = cast(Rollout, {**under_way(turns), **values})
    write(stage, items.turns_write({**turns, "version": turns["version"] + 1, "current": changed}))
    return changed


def abort(stage: Stage, turns: Turns) -> Rollout:
    """End the running rollout, and let the champion answer everything again."""
    now = datetime.now(UTC)
    ended = change(stage, turns, **rules.moved(under_way(turns), State.ABORTED, 0.0, now=now, why="aborted by hand"))
    following = rules.routed(ended, records.routing(stage), at=iso(now))
    if following:
        write(stage, items.routing_write(following))
    _mark(stage, ended)
    return ended


def abort_waiting(stage: Stage, turns: Turns) -> str:
    """End the release that waits for its turn; its flow notices at its next look."""
    waiting = turns["waiting"]
    assert waiting is not None, "the caller has looked"
    following = {**turns, "version": turns["version"] + 1, "waiting": {**waiting, "aborted": True}}
    write(stage, items.turns_write(following))
    return waiting["release"]


def _mark(stage: Stage, ended: Rollout) -> None:
    stage.client("dynamodb").update_item(
        TableName=stage.addresses["routing"],
        Key=items.release_key(ended["release"]),
        UpdateExpression="SET #state = :state, failure = :why, #rollout = :rollout",
        ExpressionAttributeNames={"#state": "state", "#rollout": "rollout"},
        ExpressionAttributeValues=items.to_item(
            {":state": ReleaseState.ABORTED.value, ":why": ended["why"], ":rollout": ended}
        ),
    )


def write(stage: Stage, item: Mapping[str, Any]) -> None:
    """Put an item of the routing table by its condition. Raises Failed where the rollout's flow wrote meanwhile."""
    dynamodb = stage.client("dynamodb")
    try:
        dynamodb.put_item(TableName=stage.addresses["routing"], **item)
    except dynamodb.exceptions.ConditionalCheckFailedException:
        message = "the rollout's flow wrote just now; see `fairway rollout status`, then try again"
        raise Failed("rollout_changed", message) from None
