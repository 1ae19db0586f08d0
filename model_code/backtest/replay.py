"""The replay itself: day after day, every policy looks at its windows, trains, judges, releases and answers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import NotRequired, TypedDict

from domain.config.sections import Config
from domain.contract.schema import Contract
from domain.watch.backtest import Alarm, Backtest, Order
from domain.watch.decision import Action, Reason, in_words
from domain.watch.policies import Days, Policy, days_of, is_due, replayed
from model_code.backtest.answers import Answered, Requests, answered, answered_by_prior, prior_sums, requests_of
from model_code.backtest.history import DAY, History
from model_code.backtest.judged import Judge
from model_code.backtest.loop import decided
from model_code.backtest.policy import Stand, begin, note, promote, take, tried, worth
from model_code.backtest.trained import Training
from model_code.watch.answers import Yardstick

_BY_THE_CALENDAR = "by the calendar"


class Told(TypedDict):
    """How far a backtest is, as it prints it."""

    sorted: NotRequired[int]  # rows of the history
    day: NotRequired[str]
    done: NotRequired[int]  # days
    days: NotRequired[int]
    trained: NotRequired[int]  # models


Tell = Callable[[Told], None]


@dataclass
class _World:
    """Whatever the policies share."""

    history: History
    contract: Contract
    config: Config
    order: Order
    first: date
    yardsticks: dict[str, Yardstick] = field(default_factory=dict)  # by release
    prior_usd: float = 0.0


def replay(history: History, config: Config, order: Order, training: Training, *, tell: Tell) -> Backtest:
    """Replay the days of an order under every policy. Raises SpanRefused."""
    contract = history.contract
    days = _days(history, config, order)
    stands = [begin(Policy(name), contract, config) for name in order["policies"]]
    world = _World(history, contract, config, order, days.first)
    training.expect(_calendar(stands, days))
    for number, day in enumerate(days_of(*days)):
        tell({"day": day.isoformat(), "done": number, "days": _many(days), "trained": training.trained})
        _live(world, stands, day, training)
    for stand in stands:  # windows that end or close with the last day
        stand.alarms += stand.watch.look(days.until, has_champion=stand.champion is not None)
    return _summed_up(world, stands, days)


def _days(history: History, config: Config, order: Order) -> Days:
    first, last = history.ends
    wanted = [date.fromisoformat(text) if text else None for text in (order["first"], order["until"])]
    return replayed(
        Days(first, last + DAY),
        first=wanted[0],
        until=wanted[1],
        window_days=config.data.window_days,
        held_out=config.data.evaluate_days,
    )


def _calendar(stands: Iterable[Stand], days: Days) -> list[date]:
    """Return the days on which some policy trains for sure."""
    policies = [stand.policy for stand in stands]
    return [day for day in days_of(*days) if any(is_due(each, days.first, day, has_release=True) for each in policies)]


def _many(days: Days) -> int:
    return (days.until - days.first).days


# ---- one day


def _live(world: _World, stands: list[Stand], day: date, training: Training) -> None:
    for stand in stands:
        promote(stand, day)
        if day > world.first:
            stand.alarms += stand.watch.look(day, has_champion=stand.champion is not None)
    reasons = [(stand, _why(world, stand, day)) for stand in stands]
    if due := [(stand, why) for stand, why in reasons if why]:
        _run(world, due, day, training)
    asked = world.history.day(day)
    if len(asked.rows):
        _answer(world, stands, day, requests_of(world.contract, asked.rows))
    refused, came = len(asked.refused), len(asked.rows) + len(asked.refused)
    instead = prior_sums(world.contract, world.config, asked.refused) if refused else {}
    world.prior_usd += instead.get("value_usd", 0.0)
    for stand in stands:
        worth(stand, world.first, day, instead)
        stand.watch.come_in(day, came, asked.reasons, quarantined=refused)


def _why(world: _World, stand: Stand, day: date) -> str:
    """Return why a policy trains on this day; empty if it does not."""
    if is_due(stand.policy, world.first, day, has_release=stand.has_release):
        return _BY_THE_CALENDAR
    if stand.policy is not Policy.LOOP or not stand.watch.has_ended(day):
        return ""
    decision = decided(stand, day, world.history, world.config, world.order["run_usd"])
    stand.evaluations += decision["action"] == Action.EVALUATE
    if decision["action"] == Action.STOPPED and not stand.is_stopped:
        told: Alarm = {
            "told": day.isoformat(),
            "window": stand.watch.items[-1]["run"],
            "kind": Reason.LOOP_GUARD,
            "text": in_words(decision),
        }
        stand.alarms.append(told)
        stand.is_stopped = True
    return in_words(decision) if decision["action"] == Action.RETRAIN else ""


def _run(world: _World, due: list[tuple[Stand, str]], day: date, training: Training) -> None:
    """Train as of the day, and judge for each policy against its own champion."""
    judge = Judge(world.history, world.config, day, training.models_of(day))
    for stand, why in due:
        judged = judge.judge(stand.champion)
        if judged.release:
            world.yardsticks.setdefault(judged.release.name, Yardstick(judged.release.model.reference))
        yardstick = world.yardsticks.get(judged.release.name) if judged.release else None
        note(stand, day, why, judged, yardstick, world.config)
        if why != _BY_THE_CALENDAR:
            stand.rejected = 0 if judged.release else stand.rejected + 1
        promote(stand, day)


def _answer(world: _World, stands: list[Stand], day: date, requests: Requests) -> None:
    """Answer the day's requests once by each release that is champion somewhere."""
    prior = answered_by_prior(world.contract, world.config, requests)
    world.prior_usd += prior.together.get("value_usd", 0.0)
    known: dict[str, Answered] = {}
    comes = world.history.known_at(day, world.config.monitoring.outcome_days)
    for stand in stands:
        champion = stand.champion
        if champion and champion.name not in known:
            known[champion.name] = answered(
                world.contract,
                world.config,
                requests,
                release=champion.name,
                artefact=champion.model.artefact,
                yardstick=world.yardsticks[champion.name],
            )
        take(stand, world.first, day, known[champion.name] if champion else prior, comes)


# ---- the result


def _summed_up(world: _World, stands: list[Stand], days: Days) -> Backtest:
    order, metric = world.order, _metric(world, stands)
    policies = [tried(stand, world.contract, metric, order) for stand in stands]
    return {
        "history": order["history"],
        "first": days.first.isoformat(),
        "until": days.until.isoformat(),
        "scenario": order["scenario"],
        "rows": policies[0]["answers"],
        "task": world.contract.task,
        "metric": metric,
        "prior_usd": round(world.prior_usd, 2) if world.contract.task == "binary" else None,
        "policies": policies,
    }


def _metric(world: _World, stands: list[Stand]) -> str:
    """Return the metric of the benchmarks if sums of outcomes determine it, else one that they do."""
    wanted = world.config.benchmarks.metric
    known = tried(stands[0], world.contract, wanted, world.order)["metrics"]
    return wanted if wanted in known or not known else next(iter(known))
