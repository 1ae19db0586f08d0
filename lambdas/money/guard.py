"""Hourly: what this month has cost so far by its usage, told as a metric, and what the budget's limits ask for then.

AWS's own billing data is hours late. This is the projection of the stage's deployed templates at the pace of this
month, so it is an estimate, and as good as the price table. Nothing is done that fairway.toml does not ask for.
"""

import dataclasses
import functools
import os
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from domain.hours import sleeps
from domain.money import spending
from domain.money.prices import read_prices
from domain.money.projection import project
from domain.money.schedule import HOURS_PER_MONTH
from domain.money.template import Resource
from domain.money.usage import SECONDS_PER_HOUR, month_of
from domain.names import METRICS_NAMESPACE, Metric
from domain.records import GUARD, routing_item
from domain.release.routing import Routing, RoutingChanged
from domain.timestamps import iso, parse_timestamp
from lambdas import metrics
from lambdas.aws import clients, hosting, tables
from lambdas.aws.deployed import deployed
from lambdas.aws.routes import read_routing, write_routing
from lambdas.settings import CONFIG

ROUTING = os.environ["ROUTING_TABLE"]
RUNS = os.environ["RUNS_TABLE"]
ALARMS = os.environ["ALARMS"]
TOO_EARLY = timedelta(hours=1)  # of a month, to tell its pace
MEASURED = {
    "requests": (Metric.REQUESTS, "Sum"),
    "predictions": (Metric.PREDICTIONS, "Sum"),
    "outcomes": (Metric.OUTCOMES, "Sum"),
    "latency_ms": (Metric.LATENCY, "Average"),
    "model_ms": (Metric.MODEL_LATENCY, "Average"),
}


class Estimate(TypedDict):
    spent_usd: float
    forecast_usd: float


class Guarded(Estimate):
    actions: list[str]


def handler(event: dict[str, Any], context: object) -> Guarded:
    now = datetime.now(UTC)
    return guard(
        now=now,
        estimate=lambda: estimate(deployed(), measured(now), now=now),
        done=tables.get(ROUTING, routing_item(GUARD)) or spending.NOTHING,
        routing=lambda: read_routing(ROUTING),
        announce=announce,
        write_routing=lambda routing: write_routing(ROUTING, routing),
        make=bring_up,
        remember=lambda item: tables.put(ROUTING, {**item, "item": GUARD}),
    )


def guard(
    *,
    now: datetime,
    estimate: Callable[[], Estimate],
    done: spending.Done,
    routing: Callable[[], Routing],
    announce: Callable[[str], None],
    write_routing: Callable[[Routing], bool],
    make: Callable[[str], None],
    remember: Callable[[spending.Done], None],
) -> Guarded:
    """Announce, take and remember each action that is due, and bring back a model that an earlier month stopped."""
    if back := spending.come_back(routing(), done, now=iso(now)):
        make(back["routes"][0]["endpoint"])
        if not write_routing(back):
            raise RoutingChanged("somebody else changed the routing just now; the next hour tries again")
        announce(f"{CONFIG.prefix}: {back['reason']}; {back['routes'][0]['release']} answers again.")
        done = spending.new_month(iso(now))
        remember(done)
    if now - month_start(now) < TOO_EARLY:
        return {"spent_usd": 0.0, "forecast_usd": 0.0, "actions": []}
    found, budget = estimate(), CONFIG.budget
    percent = 100 * found["spent_usd"] / budget.monthly_usd if budget.monthly_usd else 0.0
    print(
        told({Metric.SPENT_USD: found["spent_usd"], Metric.SPENT_PERCENT: percent}, forecast_usd=found["forecast_usd"])
    )
    actions = spending.due(budget, found["spent_usd"], done, now=iso(now))
    for action in actions:
        reason = f"{percent:.0f} % of the budget of ${budget.monthly_usd:,.2f} is spent: {spending.ACTIONS[action]}"
        announce(f"{CONFIG.prefix}: {reason}. `fairway resume --stage {CONFIG.stage}` undoes it.")
        changed = spending.changed(routing(), action, at=iso(now), reason=reason)
        if changed and not write_routing(changed):
            raise RoutingChanged("somebody else changed the routing just now; the next hour tries again")
        done = spending.after(done, [action], spent_usd=found["spent_usd"], budget_usd=budget.monthly_usd, now=iso(now))
        remember(done)
    return {"spent_usd": found["spent_usd"], "forecast_usd": found["forecast_usd"], "actions": actions}


def bring_up(endpoint: str) -> None:
    """Create the endpoint that `reap` removed while the model was stopped; office hours create theirs when due."""
    if not sleeps(CONFIG.serving):
        hosting.make(endpoint, prefix=CONFIG.prefix)


def estimate(templates: list[Resource], counted: dict[str, float], *, now: datetime) -> Estimate:
    """Project the month's bill at its pace so far, and the share of it that has passed."""
    hours = (now - month_start(now)).total_seconds() / SECONDS_PER_HOUR
    passed = hours / (24 * monthrange(now.year, now.month)[1])
    # Not held to the limits of [usage], which are there for slips of the hand: what was counted is so.
    usage = dataclasses.replace(CONFIG.usage, **at_this_pace(counted, hours))
    config = dataclasses.replace(CONFIG, usage=usage)
    monthly_usd = project(templates, month_of(config), PRICES, today=now.date().isoformat()).monthly_usd
    return {"spent_usd": monthly_usd * passed, "forecast_usd": monthly_usd}


PRICES = read_prices(CONFIG.target.region)


def at_this_pace(counted: dict, hours: float) -> dict:
    """A usage profile; what was not measured is left to the settings."""
    requests, predictions, months = counted["requests"], counted["predictions"], HOURS_PER_MONTH / hours
    found = {
        "requests_per_second": requests / (hours * SECONDS_PER_HOUR),
        "hours": {},
        "training_runs": counted["training_runs"] * months,
        "batch_runs": counted["batch_runs"] * months,
    }
    if counted["batch_rows"]:
        found["rows_per_batch"] = max(1, round(counted["batch_rows"] / counted["batch_runs"]))
    if requests:
        found |= {
            "rows_per_request": max(1.0, predictions / requests),
            "outcomes_percent": min(100.0, 100 * counted["outcomes"] / predictions),
        }
    if counted["latency_ms"]:
        found |= {
            "predict_ms": max(1.0, counted["latency_ms"]),
            "scoring_ms": max(0.01, min(counted["model_ms"], counted["latency_ms"])),
        }
    return found


def month_start(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


# ---- what is there to see


def measured(now: datetime) -> dict:
    """What this month counted so far: its requests, and the runs that were begun in it."""
    batches, trainings = (begun(kind, month_start(now)) for kind in ("batch", "train"))
    runs = {
        "training_runs": len(trainings),
        "batch_runs": len(batches),
        "batch_rows": sum(run.get("read", 0) for run in batches),
    }
    return {**requests_measured(month_start(now), now), **runs}


def requests_measured(start: datetime, end: datetime) -> dict[str, float]:
    dimensions = [{"Name": "project", "Value": CONFIG.project.name}, {"Name": "stage", "Value": CONFIG.stage}]
    queries = [
        {
            "Id": id,
            "MetricStat": {
                "Metric": {"Namespace": METRICS_NAMESPACE, "MetricName": name, "Dimensions": dimensions},
                "Period": 86_400,
                "Stat": stat,
            },
        }
        for id, (name, stat) in MEASURED.items()
    ]
    found: dict[str, list[float]] = {id: [] for id in MEASURED}
    for page in (
        cloudwatch().get_paginator("get_metric_data").paginate(MetricDataQueries=queries, StartTime=start, EndTime=end)
    ):
        for result in page["MetricDataResults"]:
            found[result["Id"]] += result["Values"]
    return {
        id: sum(values) / (len(values) or 1) if MEASURED[id][1] == "Average" else sum(values)
        for id, values in found.items()
    }


def begun(kind: str, since: datetime) -> list[dict]:
    runs = tables.query_all(
        RUNS,
        KeyConditionExpression="#kind = :kind",
        ExpressionAttributeNames={"#kind": "kind"},
        ExpressionAttributeValues={":kind": {"S": kind}},
    )
    return [run for run in runs if (at := parse_timestamp(run.get("started_at", ""))) and at >= since]


# ---- what is done


@functools.cache
def cloudwatch():
    return clients.build("cloudwatch", tries=4, connect_s=2, read_s=20)


@functools.cache
def sns():
    return clients.build("sns", tries=4, connect_s=2, read_s=10)


def announce(message: str) -> None:
    sns().publish(TopicArn=ALARMS, Subject=f"{CONFIG.prefix}: budget", Message=message)


def told(measured: dict, **said) -> str:
    return metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=measured, **said)
