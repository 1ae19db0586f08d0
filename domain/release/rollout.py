"""A rollout: how a release earns its traffic, one share after the other, or goes back.

    queued -> canary at each share of the plan -> champion
                 |-> rolled back (by its evidence), aborted (by a person), superseded (by a newer release)

`decide` is the rule, and all of it: the same function is asked in production, by the commands that show it, and by the
simulator that measures it. A rollout may go back by itself whenever it is looked at; it goes forward only on answers,
and without data it holds, whatever the clock shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from domain.config.sections import Config
from domain.release.claims import Claim, Role, live
from domain.release.counts import Counts
from domain.release.evidence import HOLD
from domain.release.harm import Limits, Weighed, in_digits, safety, weigh
from domain.release.routing import Routing, give_back
from domain.release.routing import claim as claim_share
from domain.timestamps import iso, parse_timestamp

LOOKS = 200  # in the age of a step, at most: so many looks of years fit in the history of one execution
REMEMBERED = 50  # decisions


class State(StrEnum):
    """State of a rollout. While its endpoint is made and tried, there is none yet."""

    QUEUED = "queued"
    CANARY = "canary"
    CHAMPION = "champion"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"
    SUPERSEDED = "superseded"


UNDER_WAY = (State.QUEUED, State.CANARY)


class Decision(TypedDict):
    """A change of state or share, and why."""

    at: str  # timestamp
    state: str  # a State
    share: float
    why: str


class Rollout(TypedDict):
    """A rollout as it is stored; timestamps are ISO 8601 text."""

    rollout: str  # its id, by which claims, answers and evidence carry it
    release: str
    endpoint: str
    champion: str  # the release that it is compared with
    state: str  # a State
    share: float  # of all entities; 0 while it answers nobody
    began_at: str
    step_since: str
    looked_at: str
    paused: str  # by whom and why; empty where it is not
    why: str  # it is where it is
    routed: bool  # whether the routing has been made what `state` and `share` are
    decisions: list[Decision]  # the newest last


@dataclass(frozen=True)
class Plan:
    """What a project asks of a rollout, from [release] and [business]."""

    shares: tuple[float, ...]  # rising, each above 0 and below 1
    minutes: float  # that a share lasts at least
    rows: int  # answers of the canary that a share needs at least
    look_s: int
    limits: Limits


def plan_of(config: Config) -> Plan:
    """Read the plan from a stage's settings."""
    release, business = config.release, config.business
    values = (
        business.true_positive_usd,
        business.false_positive_usd,
        business.true_negative_usd,
        business.false_negative_usd,
    )
    return Plan(
        shares=tuple(percent / 100 for percent in release.canary),
        minutes=release.canary_minutes,
        rows=release.canary_rows,
        look_s=release.look_seconds,
        limits=Limits(
            failures=release.tolerated_failures,
            slow=release.tolerated_slow,
            values=config.project.task == "binary" and any(values),
        ),
    )


def begun(*, rollout: str, release: str, endpoint: str, champion: str, now: datetime, plan: Plan) -> Rollout:
    """Return a rollout at the first share of its plan."""
    at = iso(now)
    first: Rollout = {
        "rollout": rollout,
        "release": release,
        "endpoint": endpoint,
        "champion": champion,
        "state": State.QUEUED,
        "share": 0.0,
        "began_at": at,
        "step_since": at,
        "looked_at": at,
        "paused": "",
        "why": "",
        "routed": False,
        "decisions": [],
    }
    return moved(first, State.CANARY, plan.shares[0], now=now, why=f"begins beside {champion}")


def decide(rollout: Rollout, counts: Sequence[Counts], *, now: datetime, plan: Plan) -> Rollout:
    """Return the rollout after a look at its counts of every share: further, back, or where it is, and why."""
    if rollout["state"] != State.CANARY:
        return rollout
    weighed = weigh(counts, plan.limits)
    worst = max(weighed, key=lambda one: one.log_e - one.boundary)
    if worst.is_harm:
        return moved(rollout, State.ROLLED_BACK, 0.0, now=now, why=worst.sentence)
    if doubt := _doubt(rollout, weighed):
        return _held(rollout, doubt, now)
    reason, missing = _readiness(rollout, counts, now=now, plan=plan)
    if missing:
        return _held(rollout, missing, now)
    following = next((share for share in plan.shares if share > rollout["share"]), None)
    if following is None:
        return moved(rollout, State.CHAMPION, rollout["share"], now=now, why=reason)
    return moved(rollout, State.CANARY, following, now=now, why=reason)


def moved(rollout: Rollout, state: State, share: float, *, now: datetime, why: str) -> Rollout:
    """Return the rollout in another state or at another share, with the decision on record."""
    at = iso(now)
    decision: Decision = {"at": at, "state": state, "share": share, "why": why}
    return {
        **rollout,
        "state": state,
        "share": share,
        "step_since": at,
        "looked_at": at,
        "why": why,
        "routed": False,
        "decisions": [*rollout["decisions"], decision][-REMEMBERED:],
    }


def _held(rollout: Rollout, why: str, now: datetime) -> Rollout:
    return {**rollout, "looked_at": iso(now), "why": f"holds at {percent(rollout['share'])}: {why}"}


def _doubt(rollout: Rollout, weighed: Sequence[Weighed]) -> str:
    """Return why it goes nowhere, whatever it has earned; empty where nothing speaks against it."""
    if rollout["paused"]:
        return rollout["paused"]
    return next((one.sentence for one in weighed if one.holds), "")


def _readiness(rollout: Rollout, counts: Sequence[Counts], *, now: datetime, plan: Plan) -> tuple[str, str]:
    """Return why it may go forward, and what it lacks: one of the two is empty."""
    here = next((step for step in counts if step.share == rollout["share"]), Counts(share=rollout["share"]))
    rows, minutes = max(here.canary_rows, here.canary_entities), _minutes_since(rollout["step_since"], now)
    if rows == 0:
        return "", "the canary has answered nobody yet"
    safe = safety(counts, plan.limits)
    if safe >= HOLD:
        return f"failures are below {plan.limits.safe:g} times the champion's; e-value {in_digits(safe)} of 20", ""
    seen = f"{rows:,} answers of {plan.rows:,} in {minutes:,.0f} minutes of {plan.minutes:,.0f}"
    if rows >= plan.rows and minutes >= plan.minutes:
        return f"{seen}, and no evidence of harm", ""
    return "", seen


def _minutes_since(timestamp: str, now: datetime) -> float:
    since = parse_timestamp(timestamp)
    return (now - since).total_seconds() / 60 if since else 0.0


def wait_s(rollout: Rollout, *, now: datetime, plan: Plan) -> int:
    """Return the seconds until the next look: a step that has lasted for days is looked at less often."""
    return max(plan.look_s, int(_minutes_since(rollout["step_since"], now) * 60 / LOOKS))


def percent(share: float) -> str:
    return f"{100 * share:g} %"


# ---- what the routing must be


def routed(rollout: Rollout, routing: Routing, *, at: str) -> Routing | None:
    """Return the routing after the rollout's last decision; None where it is so already."""
    mine = [claim for claim in live(routing["claims"]) if claim["rollout"] == rollout["rollout"]]
    reason = f"rollout of {rollout['release']}: {rollout['state']} at {percent(rollout['share'])}: {rollout['why']}"
    if rollout["state"] == State.CANARY and max((claim["end"] for claim in mine), default=0.0) < rollout["share"]:
        wanted: Claim = {
            "rollout": rollout["rollout"],
            "arm": Role.CANARY,
            "role": Role.CANARY,
            "release": rollout["release"],
            "endpoint": rollout["endpoint"],
            "start": 0.0,
            "end": rollout["share"],
            "since": at,
        }
        return claim_share(routing, wanted, reason=reason)
    if rollout["state"] in (State.ROLLED_BACK, State.ABORTED, State.SUPERSEDED) and mine:
        return give_back(
            routing, rollout["rollout"], at=at, reason=f"rollout of {rollout['release']}: {rollout['why']}"
        )
    return None


def found(rollout: Rollout, routing: Routing, *, now: datetime) -> Rollout:
    """Return the rollout as the routing has it: somebody else may have ended it there, by hand or for the budget."""
    held = any(claim["rollout"] == rollout["rollout"] for claim in live(routing["claims"]))
    if rollout["state"] != State.CANARY or not rollout["routed"] or held:
        return rollout
    champion = routing["champion"]["release"] if routing["champion"] else None
    if champion == rollout["release"]:
        return moved(rollout, State.CHAMPION, 1.0, now=now, why=routing["reason"])
    state = State.ABORTED if champion == rollout["champion"] else State.SUPERSEDED
    return moved(rollout, state, 0.0, now=now, why=routing["reason"])
