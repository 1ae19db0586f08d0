"""A rollout: how a release earns its traffic, one share after the other, or goes back.

    queued -> shadow -> canary at each share of the plan -> champion
                 |-> rolled back (by its evidence), aborted (by a person), superseded (by a newer release)

An experiment (domain/release/experiment.py) is a rollout whose share stays: of a challenger instead of a canary.

`decide` is the rule, and all of it: the same function is asked in production, by the commands that show it, and by the
simulator that measures it. A rollout may go back by itself whenever it is looked at; it goes forward only on answers,
and without data it holds, whatever the clock shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import isclose
from typing import NotRequired, TypedDict

from domain.config.sections import Config
from domain.release.claims import Claim, Role, live
from domain.release.counts import Counts, Kind, Side, counter, total
from domain.release.evidence import HOLD
from domain.release.harm import Limits, Weighed, in_digits, safety, weigh
from domain.release.looks import Look, remembered
from domain.release.routing import Routing, cast_shadow, end_shadow, give_back, is_champion
from domain.release.routing import claim as claim_share
from domain.release.shadow import EVEN, Shadow
from domain.release.shadow import evidence_of as shadow_evidence
from domain.timestamps import iso, parse_timestamp

LOOKS = 200  # most looks in the age of a step, so that years of looks fit in the history of one execution
REMEMBERED = 50  # decisions


class State(StrEnum):
    """State of a rollout. While its endpoint is made and tried, there is none yet."""

    QUEUED = "queued"
    SHADOW = "shadow"
    CANARY = "canary"
    CHALLENGER = "challenger"  # of an experiment
    CHAMPION = "champion"
    STOPPED = "stopped"  # an experiment, whatever it found
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"
    SUPERSEDED = "superseded"


COMPARED = (State.SHADOW, State.CANARY)  # while evidence is gathered of a release on its way
UNDER_WAY = (State.QUEUED, *COMPARED, State.CHALLENGER)
ENDED = (State.STOPPED, State.ROLLED_BACK, State.ABORTED, State.SUPERSEDED)


class Decision(TypedDict):
    """A change of state or share, and the reason."""

    at: str  # timestamp
    state: str  # a State
    share: float
    why: str


class Verdict(TypedDict):
    """What an experiment found, once: nothing that is counted later changes it."""

    at: str  # timestamp
    better: bool | None  # the challenger; None where no difference was shown
    sentence: str


class Experiment(TypedDict):
    """What an experiment asks, and what it found."""

    share: float  # of all entities, for the challenger
    metric: str  # a domain/release/experiment.py Metric
    users: int  # entities of both arms that are to have a value
    days: float  # that it lasts at most
    by: str  # who began it
    before: str  # state of the release, which it has again where it is not promoted
    threshold: NotRequired[float]  # from which the challenger's decisions are yes, where that is not serving.threshold
    against: NotRequired[float]  # the champion's threshold, where the challenger has one of its own
    verdict: NotRequired[Verdict]


class Rollout(TypedDict):
    """A rollout as stored; timestamps are ISO 8601 text."""

    rollout: str  # id, which its claims, answers and evidence have
    release: str
    endpoint: str
    champion: str  # the release it is compared with
    state: str  # a State
    share: float  # of all entities, that it answers or, as a shadow, is asked about after the champion; 0 while neither
    began_at: str
    step_since: str
    looked_at: str
    paused: str  # by whom and why; empty where it is not
    why: str  # it is where it is
    routed: bool  # whether the routing has been made what `state` and `share` are
    decisions: list[Decision]  # the newest last
    looks: list[Look]  # some of them, the newest last
    experiment: NotRequired[Experiment]


@dataclass(frozen=True)
class Plan:
    """A project's requirements for a rollout, from [release] and [business]."""

    shares: tuple[float, ...]  # rising, each above 0 and below 1
    minutes: float  # least duration of a share
    rows: int  # least number of answers by the canary at a share
    look_s: int
    limits: Limits
    shadow: float = 0.0  # of all entities, that it is asked about before it answers any; 0 where it is no shadow
    shadow_minutes: float = 0.0
    shadow_rows: int = 1

    @property
    def compares(self) -> bool:
        """Whether a release is compared with the champion before it takes its place."""
        return bool(self.shadow or self.shares)


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
        shadow=release.shadow / 100,
        shadow_minutes=release.shadow_minutes,
        shadow_rows=release.shadow_rows,
    )


def begun(*, rollout: str, release: str, endpoint: str, champion: str, now: datetime, plan: Plan) -> Rollout:
    """Return a rollout at the first step of its plan."""
    first = queued(rollout=rollout, release=release, endpoint=endpoint, champion=champion, now=now)
    state, share = (State.SHADOW, plan.shadow) if plan.shadow else (State.CANARY, plan.shares[0])
    return moved(first, state, share, now=now, why=f"begins beside {champion}")


def queued(*, rollout: str, release: str, endpoint: str, champion: str, now: datetime) -> Rollout:
    """Return a rollout that answers nobody yet."""
    at = iso(now)
    return {
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
        "looks": [],
    }


def evidence_of(rollout: Rollout) -> str:
    """Return the id under which the evidence of its last step that had any is counted."""
    compared = [one["state"] for one in rollout["decisions"] if one["state"] in COMPARED]
    is_shadows = compared[-1:] == [State.SHADOW]
    return shadow_evidence(rollout["rollout"]) if is_shadows else rollout["rollout"]


def decide(rollout: Rollout, counts: Sequence[Counts], *, now: datetime, plan: Plan) -> Rollout:
    """Return the rollout after a look at its counts (`evidence_of`): further, back, or where it is, and why."""
    if rollout["state"] not in COMPARED:
        return rollout
    weighed = weigh(counts, plan.limits)
    rollout = seen(rollout, counts, weighed, now=now)
    worst = max(weighed, key=lambda one: one.log_e - one.boundary)
    if worst.is_harm:
        return moved(rollout, State.ROLLED_BACK, 0.0, now=now, why=worst.sentence)
    if doubt := _doubt(rollout, weighed):
        return held(rollout, doubt, now=now)
    reason, missing = _readiness(rollout, counts, now=now, plan=plan)
    if missing:
        return held(rollout, missing, now=now)
    answered = rollout["share"] if rollout["state"] == State.CANARY else 0.0
    following = next((share for share in plan.shares if share > answered), None)
    if following is None:
        return moved(rollout, State.CHAMPION, rollout["share"], now=now, why=reason)
    return moved(rollout, State.CANARY, following, now=now, why=reason)


def threshold_of(rollout: Rollout) -> float | None:
    """Return the threshold that an experiment gives its challenger; None where it decides by serving.threshold."""
    return rollout["experiment"].get("threshold") if "experiment" in rollout else None


def is_of_one_release(rollout: Rollout) -> bool:
    """Whether the champion is compared with itself at another threshold."""
    return rollout["release"] == rollout["champion"]


def called(rollout: Rollout) -> tuple[str, str]:
    """Name the champion and the release beside it, with their thresholds where an experiment compares these."""
    release, champion = rollout["release"], rollout["champion"]
    if (threshold := threshold_of(rollout)) is None:
        return champion, release
    against = rollout["experiment"].get("against")
    return champion if against is None else f"{champion} at {against:g}", f"{release} at threshold {threshold:g}"


def moved(rollout: Rollout, state: State, share: float, *, now: datetime, why: str) -> Rollout:
    """Return the rollout in another state or at another share, with the decision recorded."""
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


def held(rollout: Rollout, why: str, *, now: datetime) -> Rollout:
    """Return the rollout where it is, with the reason."""
    return {**rollout, "looked_at": iso(now), "why": f"holds {place_of(rollout)}: {why}"}


def place_of(rollout: Rollout) -> str:
    """Say where a rollout that is under way stands: at its share, or as the shadow of so many entities."""
    share = percent(rollout["share"])
    return f"as a shadow at {share}" if rollout["state"] == State.SHADOW else f"at {share}"


def seen(
    rollout: Rollout,
    counts: Sequence[Counts],
    weighed: Sequence[Weighed],
    *,
    now: datetime,
    difference: Sequence[float] = (),
) -> Rollout:
    """Return the rollout with this look among those that it remembers."""
    look: Look = {
        "at": iso(now),
        "entities": sum(total(counts, counter(side, Kind.ENTITIES)) for side in Side),
        "evidence": {one.rule: round(one.log_e, 4) for one in weighed},
    }
    if difference:
        look["difference"] = list(difference)
    return {**rollout, "looks": remembered(rollout["looks"], look)}


def _doubt(rollout: Rollout, weighed: Sequence[Weighed]) -> str:
    """Return why the rollout must not move forward whatever its progress; empty if nothing speaks against it."""
    if rollout["paused"]:
        return rollout["paused"]
    return next((one.sentence for one in weighed if one.holds), "")


def _readiness(rollout: Rollout, counts: Sequence[Counts], *, now: datetime, plan: Plan) -> tuple[str, str]:
    """Return why it may go forward, and what it lacks: one of the two is empty."""
    is_shadow = rollout["state"] == State.SHADOW
    share = EVEN if is_shadow else rollout["share"]
    needed_rows, needed_minutes = (plan.shadow_rows, plan.shadow_minutes) if is_shadow else (plan.rows, plan.minutes)
    here = next((step for step in counts if step.share == share), Counts(share=share))
    rows, minutes = max(here.canary_rows, here.canary_entities), _minutes_since(rollout["step_since"], now)
    if rows == 0:
        return "", "the shadow was asked nothing yet" if is_shadow else "the canary has answered nobody yet"
    safe = safety(counts, plan.limits)
    if safe >= HOLD:
        return f"failures are below {plan.limits.safe:g} times the champion's; e-value {in_digits(safe)} of 20", ""
    answers = f"{rows:,} answers of {needed_rows:,}"
    lasted = f" in {_in_words(minutes)} of {_in_words(needed_minutes)}" if needed_minutes else ""
    if rows >= needed_rows and minutes >= needed_minutes:
        return f"{answers}{lasted}, and no evidence of harm", ""
    return "", f"{answers}{lasted}"


def _in_words(minutes: float) -> str:
    return f"{minutes:,.0f} min" if minutes >= 2 else f"{minutes * 60:.0f} s"


def _minutes_since(timestamp: str, now: datetime) -> float:
    since = parse_timestamp(timestamp)
    return (now - since).total_seconds() / 60 if since else 0.0


def wait_s(rollout: Rollout, *, now: datetime, plan: Plan) -> int:
    """Return the seconds until the next look; steps that have lasted for days are looked at less often."""
    return max(plan.look_s, int(_minutes_since(rollout["step_since"], now) * 60 / LOOKS))


def percent(share: float) -> str:
    return f"{100 * share:g} %"


# ---- the matching routing


def routed(rollout: Rollout, routing: Routing, *, at: str) -> Routing | None:
    """Return the routing after the rollout's last decision; None if it already matches."""
    mine = [claim for claim in live(routing["claims"]) if claim["rollout"] == rollout["rollout"]]
    about = f"{'experiment' if 'experiment' in rollout else 'rollout'} of {called(rollout)[1]}"
    reason = f"{about}: {rollout['state']} at {percent(rollout['share'])}: {rollout['why']}"
    if rollout["state"] == State.SHADOW and not _is_shadow(rollout, routing):
        return cast_shadow(routing, _shadow(rollout, at), reason=reason)
    answers = rollout["state"] in (State.CANARY, State.CHALLENGER)
    if answers and max((claim["end"] for claim in mine), default=0.0) < rollout["share"]:
        return claim_share(_without_shadow(rollout, routing), _claim(rollout, at), reason=reason)
    if rollout["state"] not in ENDED:
        return None
    reason = f"{about}: {rollout['why']}"
    if mine:
        return give_back(_without_shadow(rollout, routing), rollout["rollout"], at=at, reason=reason)
    return end_shadow(routing, at=at, reason=reason) if _is_shadow(rollout, routing) else None


def _shadow(rollout: Rollout, at: str) -> Shadow:
    return {
        "rollout": shadow_evidence(rollout["rollout"]),
        "release": rollout["release"],
        "endpoint": rollout["endpoint"],
        "share": rollout["share"],
        "since": at,
    }


def _claim(rollout: Rollout, at: str) -> Claim:
    role = Role.CHALLENGER if "experiment" in rollout else Role.CANARY
    threshold = threshold_of(rollout)
    claim: Claim = {
        "rollout": rollout["rollout"],
        "arm": role,
        "role": role,
        "release": rollout["release"],
        "endpoint": rollout["endpoint"],
        "start": 0.0,
        "end": rollout["share"],
        "since": at,
    }
    return claim if threshold is None else {**claim, "threshold": threshold}


def _is_shadow(rollout: Rollout, routing: Routing) -> bool:
    shadow = routing.get("shadow")
    return shadow is not None and shadow["rollout"] == shadow_evidence(rollout["rollout"])


def _without_shadow(rollout: Rollout, routing: Routing) -> Routing:
    """Leave out the rollout's shadow, as part of a change that is on its way."""
    return {**routing, "shadow": None} if _is_shadow(rollout, routing) else routing


def found(rollout: Rollout, routing: Routing, *, now: datetime) -> Rollout:
    """Return the rollout as the routing has it: somebody else may have ended it there, by hand or for the budget."""
    if rollout["state"] not in (*COMPARED, State.CHALLENGER) or not rollout["routed"]:
        return rollout
    mine = [claim for claim in live(routing["claims"]) if claim["rollout"] == rollout["rollout"]]
    widths = [claim["end"] - claim["start"] for claim in mine]
    if widths and "experiment" in rollout and not isclose(sum(widths), rollout["share"]):
        why = f"its share was changed to {percent(round(sum(widths), 6))}, so its arms cannot be compared any more"
        return moved(rollout, State.STOPPED, 0.0, now=now, why=why)
    if _is_there(rollout, routing):
        return rollout
    champion = routing["champion"]["release"] if routing["champion"] else None
    if is_champion(routing, rollout["release"], threshold_of(rollout)):
        return moved(rollout, State.CHAMPION, 1.0, now=now, why=routing["reason"])
    state = State.ABORTED if champion == rollout["champion"] else State.SUPERSEDED
    return moved(rollout, state, 0.0, now=now, why=routing["reason"])


def _is_there(rollout: Rollout, routing: Routing) -> bool:
    if rollout["state"] == State.SHADOW:
        return _is_shadow(rollout, routing)
    return any(claim["rollout"] == rollout["rollout"] for claim in live(routing["claims"]))
