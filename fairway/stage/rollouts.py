"""The rollout of a stage, read and changed from outside its flow: evidence, pause, end."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

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

TRIES = 5
Found = TypeVar("Found")


class WrittenMeanwhile(Failed):
    """Report that the rollout's flow wrote between the reading and the writing."""

    def __init__(self) -> None:
        message = "the rollout's flow writes all the time; see `fairway rollout status`, then try again"
        super().__init__("rollout_changed", message)


def again(work: Callable[[], Found]) -> Found:
    """Read, decide and write, anew where the rollout's flow wrote meanwhile. Raises WrittenMeanwhile after some tries.

    The flow writes once or twice a look, and looks every few seconds at most.
    """
    for _ in range(TRIES - 1):
        with suppress(WrittenMeanwhile):
            return work()
    return work()


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
    """Write the running rollout with other values. Raises WrittenMeanwhile if its flow did."""
    changed = cast(Rollout, {**under_way(turns), **values})
    write(stage, items.turns_write({**turns, "version": turns["version"] + 1, "current": changed}))
    return changed


def abort(stage: Stage, turns: Turns) -> Rollout:
    """End the running rollout; `take_back` comes next, or its flow takes it back. Raises WrittenMeanwhile."""
    now = datetime.now(UTC)
    return change(stage, turns, **rules.moved(under_way(turns), State.ABORTED, 0.0, now=now, why="aborted by hand"))


def take_back(stage: Stage, ended: Rollout) -> None:
    """Let the champion answer everything again, and mark the release of an aborted rollout."""
    again(lambda: route(stage, ended))
    _mark(stage, ended)


def route(stage: Stage, decided: Rollout) -> None:
    """Make a decision true in the routing. Raises WrittenMeanwhile."""
    if following := rules.routed(decided, records.routing(stage), at=iso(datetime.now(UTC))):
        write(stage, items.routing_write(following))


def abort_waiting(stage: Stage, turns: Turns) -> str:
    """End the release that waits for its turn; its flow notices at its next look. Raises WrittenMeanwhile."""
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
    """Put an item of the routing table by its condition. Raises WrittenMeanwhile where it does not hold."""
    dynamodb = stage.client("dynamodb")
    try:
        dynamodb.put_item(TableName=stage.addresses["routing"], **item)
    except dynamodb.exceptions.ConditionalCheckFailedException:
        raise WrittenMeanwhile from None
