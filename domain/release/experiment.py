"""An experiment: two releases side by side at a share that stays, and which of them is better by one metric.

The unit is the entity, since it keeps its arm. Each has one value: whether it ever failed, or what came of the first of
its answers whose outcome is known. So values are independent of each other, and a mean's variance is right however many
rows an entity has. Whatever answered counts for the arm, the fallback too.

`decide` is the rule, and all of it: asked in production, by the commands that show it, and by the simulator.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from domain.config.sections import Business
from domain.release.counts import Cell, Counts, Kind, Side, total
from domain.release.counts import counter as counter_of
from domain.release.harm import Limits, Rule, in_digits, weigh
from domain.release.rollout import Experiment, Rollout, State, Verdict, called, held, moved, queued, seen
from domain.release.sequence import LEAST, Arm, Difference, arm_of, compare
from domain.runs import ExperimentItem, RunKind, RunStatus
from domain.timestamps import iso, parse_timestamp

FEWEST_USERS, MOST_USERS = 2 * LEAST, 10**9
LONGEST_DAYS = 90.0
ANSWERED = (Cell.TRUE_POSITIVE, Cell.FALSE_POSITIVE, Cell.TRUE_NEGATIVE, Cell.FALSE_NEGATIVE)
RIGHT = (Cell.TRUE_POSITIVE, Cell.TRUE_NEGATIVE, Cell.RIGHT)


class Metric(StrEnum):
    """What the arms are compared by, one value of each entity."""

    VALUE = "value"
    CORRECT = "correct"
    CONVERSION = "conversion"
    ERROR = "error"


class _Words(NamedTuple):
    """How a difference is told."""

    meaning: str
    told: str  # with places for the number, and for more or less
    less: str
    times: float
    is_good: bool  # whether more of it is


WORDS = {
    Metric.VALUE: _Words(
        "dollars that its decision brought, by [business]", "brings ${} {} per entity", "less", 1, True
    ),
    Metric.CORRECT: _Words("whether its decision was right", "is right for {} {} of 100 entities", "fewer", 100, True),
    Metric.CONVERSION: _Words(
        "whether its outcome was yes", "has a yes from {} {} of 100 entities", "fewer", 100, True
    ),
    Metric.ERROR: _Words("whether it ever got a failed answer", "fails {} {} of 100 entities", "fewer", 100, False),
}


def objection(metric: str, task: str, business: Business) -> str:
    """Return why a project has no such metric; empty where it has."""
    if metric not in list(Metric):
        return f"must be one of {', '.join(Metric)}"
    if metric == Metric.ERROR:
        return ""
    if task == "regression":
        return "needs decisions that are right or wrong, which a number is not; take error"
    if task == "multiclass" and metric != Metric.CORRECT:
        return "needs a yes or no; take correct"
    if metric == Metric.VALUE and not any(_values(business).values()):
        return "needs the value of decisions; set them in [business]"
    return ""


def begun(asked: Experiment, *, rollout: str, release: str, endpoint: str, champion: str, now: datetime) -> Rollout:
    """Return an experiment at its share."""
    first = queued(rollout=rollout, release=release, endpoint=endpoint, champion=champion, now=now)
    beginning: Rollout = {**first, "experiment": asked}
    why = f"compared with {called(beginning)[0]} by {asked['metric']}"
    return moved(beginning, State.CHALLENGER, asked["share"], now=now, why=why)


def decide(rollout: Rollout, counts: Sequence[Counts], *, now: datetime, limits: Limits, business: Business) -> Rollout:
    """Return the experiment after a look at its counts: ended, or where it is, and why."""
    if rollout["state"] != State.CHALLENGER:
        return rollout
    weighed = weigh(counts, limits)
    difference = difference_of(rollout, counts, business)
    rollout = seen(rollout, counts, weighed, now=now, difference=_ends(difference))
    worst = max(weighed, key=lambda one: one.log_e - one.boundary)
    if worst.is_harm:
        # a broken split is not the release's fault, and leaves nothing to compare
        state = State.STOPPED if worst.rule == Rule.SPLIT else State.ROLLED_BACK
        return moved(rollout, state, 0.0, now=now, why=worst.sentence)
    before = asked_of(rollout).get("verdict")
    found = before or verdict(rollout, difference, now=now)
    if found and not before:
        rollout = {**rollout, "experiment": {**asked_of(rollout), "verdict": found}}
        state, share = (State.CHALLENGER, rollout["share"]) if found["better"] else (State.STOPPED, 0.0)
        return moved(rollout, state, share, now=now, why=found["sentence"])
    why = found["sentence"] if found else standing(rollout, counts, difference, business)
    if is_over(rollout, now=now):
        return moved(rollout, State.STOPPED, 0.0, now=now, why=f"{asked_of(rollout)['days']:g} days are over: {why}")
    return held(rollout, why, now=now)


def asked_of(rollout: Rollout) -> Experiment:
    """Return what the experiment asks; the rollout must be one."""
    return rollout["experiment"]


def is_over(rollout: Rollout, *, now: datetime) -> bool:
    began = parse_timestamp(rollout["began_at"])
    return began is not None and now - began >= timedelta(days=asked_of(rollout)["days"])


def difference_of(rollout: Rollout, counts: Iterable[Counts], business: Business) -> Difference | None:
    """Compare the arms as they are counted now; None while too few values of one are known."""
    asked = asked_of(rollout)
    champion, challenger = arms(counts, Metric(asked["metric"]), business)
    return compare(champion, challenger, planned=asked["users"])


def arms(counts: Iterable[Counts], metric: Metric, business: Business) -> tuple[Arm, Arm]:
    """Return the values of the champion's entities and of the challenger's."""
    steps = list(counts)
    return _arm(steps, Side.CHAMPION, metric, business), _arm(steps, Side.CANARY, metric, business)


def _arm(steps: Sequence[Counts], side: Side, metric: Metric, business: Business) -> Arm:
    if metric == Metric.ERROR:
        failed, entities = (total(steps, counter_of(side, kind)) for kind in (Kind.ERROR, Kind.ENTITIES))
        return arm_of({1.0: failed, 0.0: entities - failed})
    found: dict[float, int] = {}
    for cell, value in _worth(metric, business).items():
        found[value] = found.get(value, 0) + total(steps, counter_of(side, cell))
    return arm_of(found)


def _worth(metric: Metric, business: Business) -> Mapping[Cell, float]:
    if metric == Metric.VALUE:
        return _values(business)
    if metric == Metric.CONVERSION:
        return {cell: float(cell in (Cell.TRUE_POSITIVE, Cell.FALSE_NEGATIVE)) for cell in ANSWERED}
    return {cell: float(cell in RIGHT) for cell in Cell}


def _values(business: Business) -> dict[Cell, float]:
    return {
        Cell.TRUE_POSITIVE: business.true_positive_usd,
        Cell.FALSE_POSITIVE: business.false_positive_usd,
        Cell.TRUE_NEGATIVE: business.true_negative_usd,
        Cell.FALSE_NEGATIVE: business.false_negative_usd,
    }


def record_of(rollout: Rollout) -> ExperimentItem:
    """Make the item that keeps an experiment in the table of runs."""
    ended = rollout["state"] != State.CHALLENGER
    last = rollout["looks"][-1] if rollout["looks"] else None
    item: ExperimentItem = {
        "kind": RunKind.EXPERIMENT,
        "run": rollout["rollout"],
        "status": RunStatus.SUCCEEDED if ended else RunStatus.RUNNING,
        "release": rollout["release"],
        "champion": rollout["champion"],
        "experiment": {**asked_of(rollout)},
        "state": rollout["state"],
        "why": rollout["why"],
        "entities": last["entities"] if last else 0,
        "started_at": rollout["began_at"],
    }
    if last and "difference" in last:
        item["difference"] = last["difference"]
    if ended:
        item["finished_at"] = rollout["step_since"]
    return item


# ---- in words


def verdict(rollout: Rollout, difference: Difference | None, *, now: datetime) -> Verdict | None:
    """Return what is found, once the interval excludes 0 or as many entities as planned have a value."""
    if difference is None or not (difference.excludes_zero or difference.is_final):
        return None
    if not difference.excludes_zero:
        told = _told(rollout, difference)
        sentence = f"no difference shown among {difference.entities:,} entities: {told}"
        return {"at": iso(now), "better": None, "sentence": sentence}
    better = (difference.value > 0) == WORDS[Metric(asked_of(rollout)["metric"])].is_good
    return {"at": iso(now), "better": better, "sentence": _told(rollout, difference)}


def standing(rollout: Rollout, counts: Iterable[Counts], difference: Difference | None, business: Business) -> str:
    """Tell how far an experiment is that has found nothing yet."""
    asked = asked_of(rollout)
    if difference:
        return f"{difference.entities:,} of {asked['users']:,} entities: {_told(rollout, difference)}"
    both = zip(called(rollout), arms(counts, Metric(asked["metric"]), business), strict=True)
    known = ", ".join(f"{arm.uncommon:,} of {arm.entities:,} of {name}" for name, arm in both)
    return f"values other than the commonest one: {known}; each needs {LEAST}"


def _told(rollout: Rollout, difference: Difference) -> str:
    """Tell a difference with its interval, turned so that the difference itself is positive."""
    words = WORDS[Metric(asked_of(rollout)["metric"])]
    sign = 1 if difference.value >= 0 else -1
    low, high = sorted((sign * difference.low, sign * difference.high))
    number, least, most = (f"{words.times * value:.2f}" for value in (abs(difference.value), low, high))
    told = words.told.format(number, "more" if sign > 0 else words.less)
    odds = f"odds against chance {in_digits(difference.log_e)} to 1"
    champion, challenger = called(rollout)
    return f"{challenger} {told} than {champion} ({least} to {most}); {odds}"


def _ends(difference: Difference | None) -> tuple[float, ...]:
    return (difference.low, difference.value, difference.high) if difference else ()
