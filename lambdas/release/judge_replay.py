"""Release, after the replay's job: what outcomes say of the rows that flipped, and whether the release goes on."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict, cast

from domain import lake
from domain.records import outcome_key, prediction_key
from domain.release import replay as rules
from domain.release.pace import Timed as Paced
from domain.release.replay import Known, Replayed, Report
from domain.release.state import ReleaseState
from domain.request.flipped import known_of
from domain.timestamps import iso
from lambdas.aws import objects, tables
from lambdas.aws.routes import mark
from lambdas.aws.topics import announce
from lambdas.settings import CONFIG, CONTRACT

LAKE, ALARMS = os.environ["LAKE"], os.environ["ALARMS"]
ROUTING = os.environ["ROUTING_TABLE"]
PREDICTIONS, OUTCOMES = os.environ["PREDICTIONS_TABLE"], os.environ["OUTCOMES_TABLE"]


class Asked(TypedDict):
    """A release, its run, and why it was not replayed; empty where it was."""

    release: str
    run: str
    why: str


class Judged(TypedDict):
    go_on: bool
    reason: str


class ReplayMissing(Exception):
    """The job has left no summary."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects on the lake, the tables and people. `outcome` gives what happened to a prediction, None where unknown."""

    read: Callable[[str], Any]
    write: Callable[[str, object], None]
    outcome: Callable[[str], Any]
    mark: Callable[[str, dict[str, Any]], None]
    announce: Callable[[str, str], None]


def handler(event: Asked, context: object) -> Judged:
    return judge_replay(
        event,
        at=iso(datetime.now(UTC)),
        effects=Effects(
            read=lambda key: objects.read_json(LAKE, key),
            write=lambda key, document: objects.write_json(LAKE, key, document),
            outcome=_outcome,
            mark=lambda release, values: mark(ROUTING, release, values),
            announce=_announce,
        ),
    )


def judge_replay(asked: Asked, *, at: str, effects: Effects) -> Judged:
    """Record the replay with the release; one that stops it is told of, and the release comes back by hand alone.

    Raises ReplayMissing.
    """
    release = asked["release"]
    if asked["why"]:
        effects.mark(release, {"replay": {"at": at, "stop": "", "why": asked["why"]}})
        return {"go_on": True, "reason": asked["why"]}
    key = lake.replay_key(asked["run"], "summary.json")
    replayed: Replayed | None = effects.read(key)
    if replayed is None or replayed["release"] != release:
        raise ReplayMissing(f"{lake.uri(LAKE, key)} is not there; `fairway promote {release}` tries again")
    known = _known(replayed, effects.outcome)
    # where nothing is sent any more, what an earlier replay of the run had found is not of this one
    paced_key = lake.replay_key(asked["run"], "paced.json")
    paced: Paced | None = effects.read(paced_key) if CONFIG.release.replay_seconds else None
    stop, why = rules.judged(replayed, known, rules.limits_of(CONFIG), paced)
    report = _report(replayed, at=at, known=known, stop=stop, why=why)
    if paced:
        report["paced"] = paced
    effects.write(lake.replay_key(asked["run"], "report.json"), report)
    stopped = {"state": ReleaseState.ROLLED_BACK, "failure": f"replay: {why}"} if stop else {}
    effects.mark(release, {"replay": report, **stopped})
    if stop:
        effects.announce(release, f"stopped in its replay: {why}. {_by_hand(release)}.")
    return {"go_on": not stop, "reason": why}


def _known(replayed: Replayed, outcome: Callable[[str], Any]) -> Known:
    outcomes = ((flip, outcome(flip["id"])) for flip in replayed["flips"])
    return known_of(CONTRACT, CONFIG.business, (each for each in outcomes if each[1] is not None))


def _report(replayed: Replayed, *, at: str, known: Known, stop: str, why: str) -> Report:
    """Make what is kept of a replay: all but the rows that flipped, which are in the lake."""
    counted = {name: value for name, value in replayed.items() if name != "flips"}
    return cast(Report, {**counted, "at": at, "known": known, "stop": stop, "why": why})


def _by_hand(release: str) -> str:
    return f"`fairway promote {release} --again --stage {CONFIG.stage}` lets it go on all the same"


# ---- the effects


def _outcome(id: str) -> Any:
    """Read what happened, as far as it is reported, to the event that a prediction was made of."""
    prediction = tables.get(PREDICTIONS, prediction_key(id))
    if prediction is None or "entity_id" not in prediction:
        return None
    event_time = prediction.get("event_time") or prediction["made_at"]
    return (tables.get(OUTCOMES, outcome_key(prediction["entity_id"], event_time)) or {}).get("outcome")


def _announce(release: str, message: str) -> None:
    announce(ALARMS, f"{CONFIG.prefix}: replay of {release}", f"{CONFIG.prefix}, {release}: {message}")
