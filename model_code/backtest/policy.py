"""One policy of a backtest: who answers, what was run, what alarmed, and the sums of its answers."""

import math
from dataclasses import dataclass, field
from datetime import date, timedelta

from domain.config.sections import Config
from domain.contract.schema import Contract
from domain.release.state import Verdict
from domain.watch import happened
from domain.watch.backtest import Alarm, Order, Run, Tried, Week
from domain.watch.counts import NO_RELEASE
from domain.watch.happened import Happened
from domain.watch.policies import WEEK, Policy
from model_code.backtest.answers import Answered
from model_code.backtest.judged import Judged, Release
from model_code.backtest.watching import Watch
from model_code.watch.answers import Yardstick
from model_code.watch.outcomes import Sums, add_sums

_MINUTES_A_DAY = 24 * 60
FAILED = "failed"


@dataclass
class Stand:
    """Where a policy stands."""

    policy: Policy
    watch: Watch
    champion: Release | None = None
    coming: list[tuple[date, Release]] = field(default_factory=list)  # approved, with the day it becomes champion
    runs: list[Run] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    weeks: dict[date, Sums] = field(default_factory=dict)
    by_model: int = 0
    since: date | None = None  # when the champion became it
    evaluations: int = 0
    rejected: int = 0  # candidates in a row, of runs that the loop started
    is_stopped: bool = False  # by the loop guard

    @property
    def has_release(self) -> bool:
        return self.champion is not None or bool(self.coming)


def begin(policy: Policy, contract: Contract, config: Config) -> Stand:
    return Stand(policy, Watch(contract, config))


def promote(stand: Stand, day: date) -> None:
    """Let the releases whose rollout ends on this day answer, the newest of them."""
    due = [release for start, release in stand.coming if start <= day]
    if due:
        stand.champion, stand.since = due[-1], day
        stand.coming = [(start, release) for start, release in stand.coming if start > day]


def note(stand: Stand, day: date, why: str, judged: Judged, yardstick: Yardstick | None, config: Config) -> None:
    """Note a run, and put its release, if it has one, on its way."""
    verdict = judged.judgement["verdict"] if judged.judgement else FAILED
    stand.runs.append(
        {
            "as_of": day.isoformat(),
            "why": why,
            "verdict": verdict,
            "release": judged.judgement["release"] if judged.judgement else None,
            "candidate": judged.judgement["candidate"] if judged.judgement else None,
            "reason": judged.reason,
        }
    )
    if verdict == Verdict.APPROVED and judged.release and yardstick:
        stand.watch.know(judged.release.name, judged.release.model.reference, yardstick)
        stand.coming.append((day + _rollout_of(config), judged.release))


def _rollout_of(config: Config) -> timedelta:
    """Return how many days a release is on its way at least, by the settings of its shadow and canary."""
    release = config.release
    minutes = release.canary_minutes * len(release.canary) + (release.shadow_minutes if release.shadow else 0)
    return timedelta(days=math.ceil(minutes / _MINUTES_A_DAY))


def take(stand: Stand, first: date, day: date, answers: Answered, known: date) -> None:
    """Take a day's answers, whose outcomes have come at the beginning of the day `known`."""
    name = stand.champion.name if stand.champion else None
    captured = {name or NO_RELEASE: answers.captured}
    stand.watch.add(day, captured, {name: answers.by_model} if name and answers.by_model else {}, known=known)
    worth(stand, first, day, answers.together)
    stand.by_model += answers.model_rows


def worth(stand: Stand, first: date, day: date, sums: Sums) -> None:
    """Add what a day's answers were worth to their week."""
    week = first + (day - first) // WEEK * WEEK
    add_sums(stand.weeks.setdefault(week, {}), sums)


def tried(stand: Stand, contract: Contract, metric: str, order: Order) -> Tried:
    """Sum a policy up."""
    sums: Sums = {}
    for week in stand.weeks.values():
        add_sums(sums, week)
    training, value = _training_usd(stand, order), sums.get("value_usd")
    return {
        "policy": stand.policy.value,
        "answers": int(sums.get("outcomes", 0)),
        "by_model": stand.by_model,
        "metrics": _metrics(contract, sums),
        "wrong": _whole(sums.get("wrong")),
        "value_usd": None if value is None else round(value, 2),
        "training_usd": None if training is None else round(training, 2),
        "net_usd": None if value is None or training is None else round(value - training, 2),
        "runs": stand.runs,
        "evaluations": stand.evaluations,
        "alarms": stand.alarms,
        "windows": _states(stand),
        "weeks": [_week(contract, metric, week, stand.weeks[week]) for week in sorted(stand.weeks)],
    }


def _training_usd(stand: Stand, order: Order) -> float | None:
    run, evaluation = order["run_usd"], order["evaluation_usd"]
    return None if run is None or evaluation is None else run * len(stand.runs) + evaluation * stand.evaluations


def _metrics(contract: Contract, sums: Sums) -> dict[str, float]:
    return {name: round(value, 6) for name, value in happened.metrics(contract.task, Happened("", sums)).items()}


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _states(stand: Stand) -> dict[str, int]:
    states: dict[str, int] = {}
    for item in stand.watch.items:
        states[item["state"]] = states.get(item["state"], 0) + 1
    return dict(sorted(states.items()))


def _week(contract: Contract, metric: str, week: date, sums: Sums) -> Week:
    value = sums.get("value_usd")
    return {
        "week": week.isoformat(),
        "answers": int(sums.get("outcomes", 0)),
        "wrong": _whole(sums.get("wrong")),
        "value_usd": None if value is None else round(value, 2),
        "quality": _metrics(contract, sums).get(metric),
    }
