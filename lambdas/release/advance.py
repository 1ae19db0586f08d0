"""Release, between TryEndpoint and Promote: a look at the rollout, which goes further, goes back or stays.

What was decided is written down first and then made true in the routing by one conditional write, so whoever is killed
in between finds the decision at the next look. Nothing is decided here: domain/release/rollout.py does.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NotRequired, TypedDict, cast

from domain.money import spending
from domain.records import GUARD, ROLLOUT, release_key, routing_item, to_item, turns_write
from domain.release import experiment as trial
from domain.release import rollout as rules
from domain.release import turns as line
from domain.release.counts import EXPERIMENT, SHARE, Counts, from_items
from domain.release.rollout import Experiment, Plan, Rollout, State
from domain.release.routing import Routing, RoutingChanged, is_champion
from domain.release.state import ReleaseItem, ReleaseState
from domain.release.turns import NO_TURNS, Turns, Waiting
from domain.timestamps import iso
from lambdas.aws import tables
from lambdas.aws.routes import mark, read_routing, write_routing
from lambdas.aws.topics import announce
from lambdas.settings import CONFIG

ROUTING = os.environ["ROUTING_TABLE"]
EVIDENCE = os.environ["EVIDENCE_TABLE"]
RUNS = os.environ["RUNS_TABLE"]
ALARMS = os.environ["ALARMS"]
PLAN = rules.plan_of(CONFIG)
MARKS = {
    State.QUEUED: ReleaseState.CANARY,
    State.SHADOW: ReleaseState.CANARY,
    State.CANARY: ReleaseState.CANARY,
    State.CHAMPION: ReleaseState.CANARY,  # until Promote has made it so
    State.ROLLED_BACK: ReleaseState.ROLLED_BACK,
    State.ABORTED: ReleaseState.ABORTED,
    State.SUPERSEDED: ReleaseState.SUPERSEDED,
}
CHALLENGING = (State.CHALLENGER, State.CHAMPION)  # an experiment's release is otherwise what it was before


class Next(StrEnum):
    """Where the flow goes on."""

    WAIT = "wait"
    PROMOTE = "promote"
    END = "end"


class Looked(TypedDict):
    """What came of a look; `seconds` until the next."""

    next: str  # a Next
    seconds: int
    state: str  # a State
    reason: str


class Asked(TypedDict):
    """A release whose endpoint answers the golden rows; `failed` where the flow cannot go on with it."""

    rollout: str
    release: str
    endpoint: str
    asked_at: str
    experiment: NotRequired[Experiment]  # empty where it is to become champion
    failed: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects on the tables and on people; the writes return whether nobody else wrote since."""

    turns: Callable[[], Turns]
    routing: Callable[[], Routing]
    counts: Callable[[str], list[Counts]]
    budget: Callable[[], spending.Done]
    release: Callable[[str], ReleaseItem]
    write_turns: Callable[[Turns], bool]
    write_routing: Callable[[Routing], bool]
    mark: Callable[[str, dict[str, Any]], None]
    record: Callable[[Rollout], None]  # of an experiment
    announce: Callable[[str, str], None]


def handler(event: Asked, context: object) -> Looked:
    effects = Effects(
        turns=lambda: cast(Turns, {**NO_TURNS, **(tables.get(ROUTING, routing_item(ROLLOUT)) or {})}),
        routing=lambda: read_routing(ROUTING),
        counts=_counts,
        budget=lambda: cast(spending.Done, tables.get(ROUTING, routing_item(GUARD)) or spending.NOTHING),
        release=lambda name: cast(ReleaseItem, tables.get(ROUTING, release_key(name)) or {}),
        write_turns=lambda turns: tables.held("PutItem", TableName=ROUTING, **turns_write(turns)),
        write_routing=lambda routing: write_routing(ROUTING, routing),
        mark=lambda release, values: mark(ROUTING, release, values),
        record=lambda ended: tables.put(RUNS, trial.record_of(ended)),
        announce=_announce,
    )
    prefix = EXPERIMENT if event.get("experiment") else ""
    asked: Asked = {**event, "rollout": f"{prefix}{event['rollout']}"}
    return advance(asked, now=datetime.now(UTC), plan=PLAN, effects=effects)


def advance(asked: Asked, *, now: datetime, plan: Plan, effects: Effects) -> Looked:
    """Take a look, and make it true. Raises RoutingChanged where somebody else wrote meanwhile; ask again then."""
    turns, routing = effects.turns(), effects.routing()
    current = turns["current"]
    if current is None or current["rollout"] != asked["rollout"]:
        ended = effects.release(asked["release"]).get("rollout")
        if ended and ended["rollout"] == asked["rollout"]:  # by hand, and the next one has begun
            return _looked(Next.END, State(ended["state"]), ended["why"])
        if experiment := asked.get("experiment"):
            return _begin(asked, experiment, turns, routing, now=now, plan=plan, effects=effects)
        if why := _at_once(asked["release"], turns, routing, now=now, plan=plan):
            if turns["waiting"] and turns["waiting"]["rollout"] == asked["rollout"]:
                _write({**turns, "waiting": None}, effects)
            return _looked(Next.PROMOTE, State.CHAMPION, why)
        return _line_up(asked, turns, routing, now=now, plan=plan, effects=effects)
    decided = current
    may_fail = current["state"] in (*rules.UNDER_WAY, State.CHAMPION)
    if asked.get("failed") and may_fail and not is_champion(routing, current["release"], rules.threshold_of(current)):
        decided = rules.moved(current, State.ABORTED, 0.0, now=now, why=f"the flow failed: {asked['failed']}"[:500])
    elif current["routed"]:
        decided = rules.found(current, routing, now=now)
        decided = _decide(decided, effects.counts(rules.evidence_of(decided)), now=now, plan=plan)
    return _made_true(decided, turns, routing, now=now, plan=plan, effects=effects)


def _decide(current: Rollout, counts: list[Counts], *, now: datetime, plan: Plan) -> Rollout:
    if "experiment" in current:
        return trial.decide(current, counts, now=now, limits=plan.limits, business=CONFIG.business)
    return rules.decide(current, counts, now=now, plan=plan)


def _begin(
    asked: Asked,
    experiment: Experiment,
    turns: Turns,
    routing: Routing,
    *,
    now: datetime,
    plan: Plan,
    effects: Effects,
) -> Looked:
    """Begin an experiment; it does not stand in line, so where anything else runs or waits it ends."""
    champion = routing["champion"]
    why = asked.get("failed", "")
    why = why or spending.challenger_refusal(effects.budget(), now=iso(now)) or ""
    if not why and (turns["waiting"] or not line.is_free(turns, now=now, plan=plan)):
        why = "another rollout or experiment began meanwhile"
    if not why and (champion is None or is_champion(routing, asked["release"], experiment.get("threshold"))):
        why = "there is nobody to be compared with"
    was_champion = experiment["before"] == ReleaseState.CHAMPION
    if not why and champion and was_champion and champion["release"] != asked["release"]:
        why = "it is not champion any more"
    if why or champion is None:
        if not was_champion:
            effects.mark(asked["release"], {"state": experiment["before"]})
        effects.announce(asked["release"], f"its experiment did not begin: {why}")
        return _looked(Next.END, State.ABORTED, why)
    names = {"rollout": asked["rollout"], "release": asked["release"], "endpoint": asked["endpoint"]}
    first = trial.begun(experiment, **names, champion=champion["release"], now=now)
    return _made_true(first, turns, routing, now=now, plan=plan, effects=effects)


def _at_once(release: str, turns: Turns, routing: Routing, *, now: datetime, plan: Plan) -> str:
    """Return why a release needs no rollout; empty where it does, or has to wait for an experiment."""
    champion, current = routing["champion"], turns["current"]
    if champion is None or champion["release"] == release:
        return "there is nobody to be compared with"
    # A person goes back to it, and its endpoint was gone: nobody waits for shares then.
    if any(one["release"] == release for one in routing["previous"]):
        return "it was champion before"
    compared = current is not None and "experiment" in current and not line.is_free(turns, now=now, plan=plan)
    return "" if plan.compares or compared else "release.canary has no shares, and release.shadow is 0"


def _line_up(asked: Asked, turns: Turns, routing: Routing, *, now: datetime, plan: Plan, effects: Effects) -> Looked:
    """Begin, wait for the rollout that runs, or end where a later release waits."""
    mine: Waiting = {
        "rollout": asked["rollout"],
        "release": asked["release"],
        "asked_at": asked["asked_at"],
        "aborted": False,
    }
    lined = line.in_line(turns, mine)
    failed = asked.get("failed") or spending.challenger_refusal(effects.budget(), now=iso(now))
    if ended := (State.ABORTED, failed) if failed else line.objection(lined, asked["rollout"]):
        state, why = ended
        if turns["waiting"] and turns["waiting"]["rollout"] == asked["rollout"]:
            _write({**turns, "waiting": None}, effects)
        effects.mark(asked["release"], {"state": MARKS[state], "failure": why})
        effects.announce(asked["release"], f"{state}: {why}. `fairway promote {asked['release']}` begins again.")
        return _looked(Next.END, state, why)
    current = turns["current"]
    if not line.is_free(lined, now=now, plan=plan):
        assert current is not None, "a rollout runs"
        if lined != turns:
            _write(lined, effects)
            effects.mark(asked["release"], {"state": ReleaseState.CANARY})
        return _looked(Next.WAIT, State.QUEUED, f"waits for {current['release']}", seconds=plan.look_s)
    if current and current["state"] in rules.UNDER_WAY:
        routing = _taken_over(current, routing, now=now, effects=effects)
    assert routing["champion"] is not None, "checked before"
    names = {"rollout": asked["rollout"], "release": asked["release"], "endpoint": asked["endpoint"]}
    first = rules.begun(**names, champion=routing["champion"]["release"], now=now, plan=plan)
    return _made_true(first, {**lined, "waiting": None}, routing, now=now, plan=plan, effects=effects)


def _taken_over(lost: Rollout, routing: Routing, *, now: datetime, effects: Effects) -> Routing:
    """Give back the share of a rollout that nobody has looked at for long."""
    ended = rules.moved(lost, State.ABORTED, 0.0, now=now, why=f"nobody has looked at it since {lost['looked_at']}")
    following = rules.routed(ended, routing, at=iso(now))
    if following and not effects.write_routing(following):
        raise RoutingChanged(f"the routing changed while {lost['release']} was taken back; try again")
    effects.mark(lost["release"], _marks_of(ended))
    if "experiment" in ended:
        effects.record(ended)
    return following or routing


def _made_true(
    decided: Rollout, turns: Turns, routing: Routing, *, now: datetime, plan: Plan, effects: Effects
) -> Looked:
    if _was_champion(decided, routing):
        return _looked(Next.END, State.CHAMPION, f"{decided['release']} was champion, and is not any more")
    if decided != turns["current"]:
        turns = _write({**turns, "current": decided}, effects)
    if not decided["routed"]:
        changed = rules.routed(decided, routing, at=iso(now))
        if changed and not effects.write_routing(changed):
            raise RoutingChanged(f"the routing changed while {decided['release']} was on its way; try again")
        decided = {**decided, "routed": True}
        effects.mark(decided["release"], _marks_of(decided))
        if "experiment" in decided:
            effects.record(decided)
        effects.announce(decided["release"], _in_words(decided))  # before the last write: told twice rather than never
        _write({**turns, "current": decided}, effects)
    following = dict.fromkeys((*rules.COMPARED, State.CHALLENGER), Next.WAIT) | {State.CHAMPION: Next.PROMOTE}
    going = following.get(State(decided["state"]), Next.END)
    seconds = rules.wait_s(decided, now=now, plan=plan)
    return _looked(going, State(decided["state"]), decided["why"], seconds=seconds)


def _was_champion(decided: Rollout, routing: Routing) -> bool:
    """Whether a person promoted it and has taken that back since: then it is not promoted again."""
    promoted = decided["state"] == State.CHAMPION and decided["share"] == 1.0 and decided["routed"]
    return promoted and not is_champion(routing, decided["release"], rules.threshold_of(decided))


def _marks_of(decided: Rollout) -> dict[str, Any]:
    """Return what a release's item has of a decision; one that is compared with itself stays what it is."""
    if rules.is_of_one_release(decided):
        return {"rollout": decided}
    goes_on = decided["state"] in (*rules.COMPARED, State.CHALLENGER, State.CHAMPION, State.STOPPED)
    failure = {} if goes_on else {"failure": decided["why"]}
    return {"state": _mark_of(decided), "rollout": decided, **failure}


def _mark_of(decided: Rollout) -> str:
    """Return the state of a release after a decision about its rollout or experiment."""
    state = State(decided["state"])
    if "experiment" not in decided or state == State.ROLLED_BACK:
        return MARKS[state]
    return ReleaseState.CHALLENGER if state in CHALLENGING else decided["experiment"]["before"]


def _write(turns: Turns, effects: Effects) -> Turns:
    following: Turns = {**turns, "version": turns["version"] + 1}
    if not effects.write_turns(following):
        raise RoutingChanged("the rollout was changed by somebody else meanwhile; try again")
    return following


def _looked(following: Next, state: State, reason: str, *, seconds: int = 0) -> Looked:
    return {"next": following, "seconds": seconds, "state": state, "reason": reason}


def _in_words(decided: Rollout) -> str:
    """Tell what was done, on what evidence, and which command undoes it."""
    undo = {
        State.SHADOW: f"`fairway rollout abort --stage {CONFIG.stage}` asks it no more",
        State.CANARY: f"`fairway rollout abort --stage {CONFIG.stage}` lets the champion answer everybody",
        State.CHALLENGER: f"`fairway experiment stop --stage {CONFIG.stage}` lets the champion answer everybody",
        State.CHAMPION: f"`fairway rollback --stage {CONFIG.stage}` takes it back",
    }
    taken_back = decided["state"] == State.ROLLED_BACK or "experiment" not in decided
    command = f"fairway promote {decided['release']}{' --again' if taken_back else ''} --stage {CONFIG.stage}"
    again = f"`{command}` lets it answer all the same"
    if rules.is_of_one_release(decided):
        again = f"{rules.called(decided)[0]} decides everything"
    answers = decided["state"] in (*rules.COMPARED, State.CHALLENGER)
    where = f" at {rules.percent(decided['share'])}" if answers else ""
    return f"{decided['state']}{where}: {decided['why']}. {undo.get(State(decided['state']), again)}."


# ---- the effects


def _counts(rollout: str) -> list[Counts]:
    query = {
        "KeyConditionExpression": "#rollout = :rollout AND begins_with(#item, :share)",
        "ExpressionAttributeNames": {"#rollout": "rollout", "#item": "item"},
        "ExpressionAttributeValues": to_item({":rollout": rollout, ":share": SHARE}),
        "ConsistentRead": True,
    }
    return from_items(tables.query_all(EVIDENCE, **query))


def _announce(release: str, message: str) -> None:
    announce(ALARMS, f"{CONFIG.prefix}: rollout of {release}", f"{CONFIG.prefix}, {release}: {message}")
