"""Hourly: estimate the month's cost so far, report it as a metric, and take the actions due at the budget's limits.

AWS's own billing data is hours late. The estimate is the projection of the stage's deployed templates at this month's
pace, so it is as good as the price table. Only actions that fairway.toml asks for are taken. As this function runs in
every stage, it reports the age of the newest row too.
"""

import dataclasses
import os
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, cast

from domain.hours import sleeps
from domain.money import spending
from domain.money.prices import read_prices
from domain.money.projection import project
from domain.money.schedule import HOURS_PER_MONTH
from domain.money.template import Resource
from domain.money.usage import SECONDS_PER_HOUR, month_of
from domain.names import Metric
from domain.records import GUARD, routing_item
from domain.release.routing import Routing, RoutingChanged
from domain.timestamps import iso
from lambdas import metrics
from lambdas.aws import hosting, tables
from lambdas.aws.deployed import deployed
from lambdas.aws.routes import read_routing, write_routing
from lambdas.aws.topics import announce
from lambdas.money.counted import Counted, count
from lambdas.money.rows_age import report_age
from lambdas.settings import CONFIG

ROUTING = os.environ["ROUTING_TABLE"]
ALARMS = os.environ["ALARMS"]
TOO_EARLY = timedelta(hours=1)  # hours of a month from which its pace is known


class Estimate(TypedDict):
    spent_usd: float
    forecast_usd: float


class Guarded(Estimate):
    actions: list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Effects:
    """Effects on the routing, the endpoints and people; `write_routing` returns whether its condition held."""

    routing: Callable[[], Routing]
    write_routing: Callable[[Routing], bool]
    make: Callable[[str], None]  # an endpoint
    announce: Callable[[str], None]
    remember: Callable[[spending.Done], None]


def handler(event: dict[str, Any], context: object) -> Guarded:
    now = datetime.now(UTC)
    report_age(now)
    return guard(
        now=now,
        estimate=lambda: estimate(deployed(), count(_month_start(now), now), now=now),
        done=cast(spending.Done, tables.get(ROUTING, routing_item(GUARD)) or spending.NOTHING),
        effects=Effects(
            routing=lambda: read_routing(ROUTING),
            write_routing=lambda routing: write_routing(ROUTING, routing),
            make=_bring_up,
            announce=_announce,
            remember=lambda done: tables.put(ROUTING, {**done, "item": GUARD}),
        ),
    )


def guard(*, now: datetime, estimate: Callable[[], Estimate], done: spending.Done, effects: Effects) -> Guarded:
    """Announce, take and record each action that is due, and let a model that an earlier month stopped answer again.

    Raises RoutingChanged if the routing was written meanwhile.
    """
    done = _come_back(done, now=iso(now), effects=effects)
    if now - _month_start(now) < TOO_EARLY:
        return {"spent_usd": 0.0, "forecast_usd": 0.0, "actions": []}
    estimated = estimate()
    _report(estimated)
    actions = spending.due(CONFIG.budget, estimated["spent_usd"], done, now=iso(now))
    for action in actions:
        done = _take(action, estimated["spent_usd"], done, now=iso(now), effects=effects)
    return {"spent_usd": estimated["spent_usd"], "forecast_usd": estimated["forecast_usd"], "actions": actions}


def _come_back(done: spending.Done, *, now: str, effects: Effects) -> spending.Done:
    """Let a model that an earlier month stopped answer again; return the actions of this month then."""
    back = spending.come_back(effects.routing(), done, now=now)
    if back is None:
        return done
    champion = back["champion"]
    assert champion is not None, "a rollback lets one answer"
    effects.make(champion["endpoint"])
    _write(back, effects)
    effects.announce(f"{CONFIG.prefix}: {back['reason']}; {champion['release']} answers again.")
    done = spending.new_month(now)
    effects.remember(done)
    return done


def _take(action: str, spent_usd: float, done: spending.Done, *, now: str, effects: Effects) -> spending.Done:
    budget_usd = CONFIG.budget.monthly_usd
    spent = f"{_percent(spent_usd):.0f} % of the budget of ${budget_usd:,.2f} is spent"
    reason = f"{spent}: {spending.ACTIONS[action]}"
    effects.announce(f"{CONFIG.prefix}: {reason}. `fairway resume --stage {CONFIG.stage}` undoes it.")
    changed = spending.changed(effects.routing(), action, at=now, reason=reason)
    if changed:
        _write(changed, effects)
    done = spending.after(done, [action], spent_usd=spent_usd, budget_usd=budget_usd, now=now)
    effects.remember(done)
    return done


def _write(routing: Routing, effects: Effects) -> None:
    if not effects.write_routing(routing):
        raise RoutingChanged("the routing was changed by somebody else; the next hour tries again")


def _percent(spent_usd: float) -> float:
    return 100 * spent_usd / CONFIG.budget.monthly_usd if CONFIG.budget.monthly_usd else 0.0


def _bring_up(endpoint: str) -> None:
    """Create the endpoint that `reap` removed while the model was stopped; `hours` creates those of office hours."""
    if not sleeps(CONFIG.serving):
        hosting.make(endpoint, prefix=CONFIG.prefix)


def estimate(templates: list[Resource], counted: Counted, *, now: datetime) -> Estimate:
    """Project the month's bill at its pace so far; also return the share of the month that has passed."""
    hours = (now - _month_start(now)).total_seconds() / SECONDS_PER_HOUR
    passed = hours / (24 * monthrange(now.year, now.month)[1])
    # The limits of [usage], which catch typing errors, do not apply to counted values.
    usage = dataclasses.replace(CONFIG.usage, **_at_this_pace(counted, hours))
    config = dataclasses.replace(CONFIG, usage=usage)
    monthly_usd = project(templates, month_of(config), PRICES, today=now.date().isoformat()).monthly_usd
    return {"spent_usd": monthly_usd * passed, "forecast_usd": monthly_usd}


PRICES = read_prices(CONFIG.target.region)


def _at_this_pace(counted: Counted, hours: float) -> dict[str, Any]:
    """Replace the settings of [usage] that were counted; the others stay as they are."""
    requests, predictions, months = counted["requests"], counted["predictions"], HOURS_PER_MONTH / hours
    usage: dict[str, Any] = {
        "requests_per_second": requests / (hours * SECONDS_PER_HOUR),
        "hours": {},
        "training_runs": counted["training_runs"] * months,
        "batch_runs": counted["batch_runs"] * months,
    }
    if counted["batch_rows"]:
        usage["rows_per_batch"] = max(1, round(counted["batch_rows"] / counted["batch_runs"]))
    if requests:
        usage |= {
            "rows_per_request": max(1.0, predictions / requests),
            "outcomes_percent": min(100.0, 100 * counted["outcomes"] / predictions),
        }
    if counted["latency_ms"]:
        usage |= {
            "predict_ms": max(1.0, counted["latency_ms"]),
            "scoring_ms": max(0.01, min(counted["model_ms"], counted["latency_ms"])),
        }
    return usage


def _month_start(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


# ---- effects


def _announce(message: str) -> None:
    announce(ALARMS, f"{CONFIG.prefix}: budget", message)


def _report(estimated: Estimate) -> None:
    spent_usd, forecast_usd = estimated["spent_usd"], estimated["forecast_usd"]
    measured: dict[str, float] = {Metric.SPENT_USD: spent_usd, Metric.SPENT_PERCENT: _percent(spent_usd)}
    print(metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=measured, forecast_usd=forecast_usd))
