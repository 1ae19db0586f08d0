"""An experiment of a stage, begun, read and ended from outside its flow."""

from datetime import UTC, datetime
from typing import Any, cast

from domain import records as items
from domain.release import experiment as trial
from domain.release import rollout as rules
from domain.release.harm import Weighed, weigh
from domain.release.rollout import Experiment, Rollout, State
from domain.release.routing import Champion, is_champion, promote
from domain.release.sequence import Difference
from domain.release.state import ReleaseItem, ReleaseState
from domain.release.turns import Turns
from domain.runs import ExperimentItem, RunKind
from domain.timestamps import iso
from fairway.stage import executions, records, rollouts
from fairway.stage.aws import Stage
from fairway.stage.deployment import model_package
from fairway.stage.evidence import counts_of
from fairway.stage.promotion import approve, mark
from fairway.terminal.errors import Failed, Refused
from fairway.terminal.progress import Progress


def begin(stage: Stage, release: str, asked: Experiment, *, progress: Progress) -> Rollout:
    """Bring the release up beside the champion, and return the experiment once it answers. Raises Failed."""
    states, machine = stage.client("stepfunctions"), stage.addresses["release"]
    values = {"model_package_arn": model_package(stage, release), "release": release, "experiment": asked}
    before = running(rollouts.turns_of(stage))
    arn = executions.start(states, machine, name=executions.unique(release), values=values)

    def begun() -> Rollout | None:
        now = running(rollouts.turns_of(stage))
        return now if now and now != before and now["release"] == release and now["routed"] else None

    executions.follow(stage, arn, progress=progress, until=lambda: begun() is not None)
    if found := begun():
        return found
    item = records.release(stage, release) or {}
    stopped = item.get("state") == ReleaseState.ROLLED_BACK  # by its replay, which comes before
    why = f": {item.get('failure')}" if stopped else "; its alarm topic has the reason"
    raise Failed("not_begun", f"the experiment of {release} did not begin{why}")


def running(turns: Turns) -> Rollout | None:
    """Return the experiment that runs; None where none does."""
    current = turns["current"]
    return current if current and current["state"] == State.CHALLENGER else None


def latest(turns: Turns) -> Rollout | None:
    """Return the experiment that runs, or the last one where no rollout came after it."""
    current = turns["current"]
    return current if current and "experiment" in current else None


def kept(stage: Stage) -> list[ExperimentItem]:
    """Read the record of every experiment, the newest first."""
    query = stage.client("dynamodb").get_paginator("query")
    pages = query.paginate(
        TableName=stage.addresses["runs"], **items.runs_query(RunKind.EXPERIMENT), ConsistentRead=True
    )
    found = [cast(ExperimentItem, items.from_item(item)) for page in pages for item in page["Items"]]
    return sorted(found, key=lambda item: item["started_at"], reverse=True)


def seen(stage: Stage, rollout: Rollout) -> tuple[Difference | None, list[Weighed], str]:
    """Return what the arms come to as they are counted now, the evidence of harm, and the first in words."""
    counts = counts_of(stage, rollout["rollout"])
    difference = trial.difference_of(rollout, counts, stage.config.business)
    weighed = weigh(counts, rules.plan_of(stage.config).limits)
    return difference, weighed, trial.standing(rollout, counts, difference, stage.config.business)


def stop(stage: Stage, *, to_champion: bool) -> Rollout:
    """End the experiment that runs: the champion answers everybody again, or the challenger does.

    What was decided is written first: whoever is killed then finds the flow doing the rest at its next look.
    """
    decided = rollouts.again(lambda: _decided(stage, to_champion=to_champion))
    decided = rollouts.again(lambda: _made_true(stage, decided))
    _settle(stage, decided)
    return decided


def _decided(stage: Stage, *, to_champion: bool) -> Rollout:
    turns, now = rollouts.turns_of(stage), datetime.now(UTC)
    current = running(turns)
    if current is None:
        raise Refused("no_experiment", "no experiment runs; `fairway experiment status` shows those there were")
    if (ended := rules.found(current, records.routing(stage), now=now)) != current:
        raise Refused("no_experiment", f"the experiment has ended: {ended['why']}; `fairway status` shows who answers")
    verdict = current["experiment"].get("verdict")
    what = verdict["sentence"] if verdict else f"no verdict; {seen(stage, current)[2]}"
    state, share, how = (State.CHAMPION, 1.0, "promoted") if to_champion else (State.STOPPED, 0.0, "stopped")
    decided = rules.moved(current, state, share, now=now, why=f"{how} by hand: {what}")
    if to_champion and current["experiment"]["before"] == ReleaseState.WAITING:
        approve(stage, current["release"])
    rollouts.write(stage, items.turns_write({**turns, "version": turns["version"] + 1, "current": decided}))
    return decided


def _made_true(stage: Stage, decided: Rollout) -> Rollout:
    """Write a decision into the routing, and then note that it is there, unless the flow has noted it."""
    turns = rollouts.turns_of(stage)
    current = turns["current"]
    routed: Rollout = {**decided, "routed": True}
    is_noted = current is None or current["rollout"] != decided["rollout"] or current["routed"]
    if decided["state"] == State.CHAMPION:  # noted or not: the flow leaves the routing to its next step
        _promote(stage, decided)
    elif not is_noted:
        rollouts.route(stage, decided)
    if not is_noted:
        rollouts.write(stage, items.turns_write({**turns, "version": turns["version"] + 1, "current": routed}))
    return routed


def _promote(stage: Stage, decided: Rollout) -> None:
    routing, release, threshold = records.routing(stage), decided["release"], rules.threshold_of(decided)
    if is_champion(routing, release, threshold):
        return
    at, reason = iso(datetime.now(UTC)), f"experiment of {rules.called(decided)[1]}: {decided['why']}"
    endpoint = decided["endpoint"]
    following = promote(routing, release=release, endpoint=endpoint, at=at, reason=reason, threshold=threshold)
    rollouts.write(stage, items.routing_write(following))


def _settle(stage: Stage, decided: Rollout) -> None:
    """Mark both releases, and keep the record."""
    is_one = rules.is_of_one_release(decided)
    if decided["state"] == State.CHAMPION:
        mark(stage, decided["release"], state=ReleaseState.CHAMPION, promoted_at=decided["step_since"])
        if not is_one:
            mark(stage, decided["champion"], state=ReleaseState.PREVIOUS)
    elif not is_one:
        mark(stage, decided["release"], state=decided["experiment"]["before"])
    item = items.to_item(cast(dict[str, Any], trial.record_of(decided)))
    stage.client("dynamodb").put_item(TableName=stage.addresses["runs"], Item=item)


def refuse_overlap(turns: Turns) -> None:
    """Refused while anything else is compared, or waits to be."""
    current, waiting = turns["current"], turns["waiting"]
    if current and current["state"] == State.CHALLENGER:
        raise Refused("overlap", f"an experiment of {current['release']} runs; `fairway experiment stop` ends it")
    if current and current["state"] in rules.UNDER_WAY:
        why = f"a rollout of {current['release']} runs"
        raise Refused("overlap", f"{why}; wait for it, or `fairway rollout abort` ends it")
    if waiting:
        raise Refused("overlap", f"{waiting['release']} waits for its rollout; `fairway rollout abort RELEASE` ends it")


def champion_of(stage: Stage) -> Champion:
    """Return the champion, which everything is compared with. Refused without one."""
    champion = records.routing(stage)["champion"]
    if champion is None:
        why = "there is no champion to be compared with"
        raise Refused("champion", f"{why}; `fairway train` makes the first release")
    return champion


def refuse_release(stage: Stage, release: str, champion: Champion, *, threshold: float | None) -> ReleaseItem:
    """Return the item of a release that can be a challenger. Refused for any other.

    The champion is one only at a `threshold` that it does not have yet.
    """
    item = records.release(stage, release)
    if item is None:
        raise Refused("no_release", f"release {release!r} is not there; `fairway releases` lists those that are")
    if champion["release"] == release:
        decides_from = champion.get("threshold", stage.config.serving.threshold)
        if threshold is None:
            why = f"release {release!r} is the champion; `fairway releases` lists the others"
            raise Refused("champion", f"{why}, and --threshold compares it with itself")
        if threshold == decides_from:
            raise Refused("threshold", f"--threshold = {threshold:g}: the champion decides by it already; give another")
        return item
    reasons = {
        ReleaseState.REJECTED: f"was rejected: {item.get('reason')}",
        ReleaseState.ROLLED_BACK: f"was rolled back: {item.get('failure')}",
        ReleaseState.DEPLOYING: "is being deployed",
        ReleaseState.CANARY: "is on its way to champion",
    }
    refusal = reasons.get(ReleaseState(item["state"]))
    if refusal:
        raise Refused("release", f"release {release!r} {refusal}; take another one, or `fairway train` makes it")
    return item
