"""The monthly projection: every resource of the synthesised templates, times the usage, times the price table.

Each resource ends up in `lines` (priced), in `free` (known to cost nothing) or in `unpriced`, by name: none is left
out.
"""

import csv
import dataclasses
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.money.allowances import with_allowances
from domain.money.prices import OLD_AFTER_DAYS, STALE_AFTER_DAYS, Prices, age_days
from domain.money.resources import api, compute, data, network, storage, watching, workflow
from domain.money.resources.lines import FLOWS, Line
from domain.money.template import Resource, verb_of
from domain.money.usage import Month

FREE = Path(__file__).parent / "data" / "free.csv"
# Uncertainty of a price, by its origin: quoted from AWS for exactly this usage, derived by a rule, or a guess.
OFF_BY = {"high": 0.02, "medium": 0.15, "low": 0.5}


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A resource, or a use of it, without a price, and the reason."""

    resource: str
    type: str
    why: str


@dataclass(frozen=True, slots=True)
class Projection:
    """Bill of one month of a stage, as `fairway cost --json` prints it.

    Sums are dollars a month; figures for a prediction are None without predictions. Ages are those of the prices behind
    lines that cost something.
    """

    stage: str
    monthly_usd: float
    low_usd: float
    high_usd: float
    fixed_usd: float
    per_use_usd: float
    by_flow_usd: dict[str, float]
    predictions: float
    per_prediction_usd: float | None
    per_thousand_predictions_usd: float | None
    next_thousand_predictions_usd: float | None
    lines: list[Line]
    unpriced: list[Unpriced]
    free: list[Unpriced]
    oldest_price: str | None
    oldest_price_days: int | None
    old_prices: list[str]
    undated_prices: list[str]
    stale_usd: float


def _function_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line] | None:
    """Price a function itself, its traces, and the metrics that it writes."""
    lines = compute.function_lines(resource, usage, prices)
    if lines is None:
        return None
    runs = compute.RUNS[verb_of(resource)](usage)
    traces = watching.trace_lines(resource, usage, prices, runs.count, fixed=runs.fixed)
    return lines + traces + watching.metric_lines(resource, usage, prices)


PRICED = {
    "AWS::ApiGateway::RestApi": api.rest_api_lines,
    "AWS::ApiGatewayV2::Api": api.http_api_lines,
    "AWS::CloudWatch::Alarm": watching.alarm_lines,
    "AWS::CloudWatch::CompositeAlarm": watching.composite_alarm_lines,
    "AWS::CloudWatch::Dashboard": watching.dashboard_lines,
    "AWS::DynamoDB::GlobalTable": data.table_lines,
    "AWS::DynamoDB::Table": data.table_lines,
    "AWS::EC2::EIP": network.address_lines,
    "AWS::EC2::NatGateway": network.nat_gateway_lines,
    "AWS::EC2::VPCEndpoint": network.vpc_endpoint_lines,
    "AWS::ECR::Repository": storage.repository_lines,
    "AWS::KMS::Key": watching.key_lines,
    "AWS::Lambda::Function": _function_lines,
    "AWS::Logs::LogGroup": watching.log_group_lines,
    "AWS::Logs::MetricFilter": watching.metric_filter_lines,
    "AWS::S3::Bucket": storage.bucket_lines,
    "AWS::SNS::Topic": watching.topic_lines,
    "AWS::SQS::Queue": watching.queue_lines,
    "AWS::SSM::Parameter": watching.parameter_lines,
    "AWS::Scheduler::Schedule": watching.schedule_lines,
    "AWS::StepFunctions::StateMachine": workflow.machine_lines,
    "AWS::WAFv2::WebACL": network.firewall_lines,
}


@functools.cache
def _free_types() -> dict[str, str]:
    """Return {resource type: why it costs nothing}."""
    with open(FREE, newline="", encoding="utf-8") as lines:
        return {row["type"]: row["why"] for row in csv.DictReader(lines)}


def project(resources: list[Resource], usage: Month, prices: Prices, *, today: str) -> Projection:
    """Compute the bill of one month. `today` is an ISO date, from which the prices have an age."""
    lines: list[Line] = []
    unpriced: list[Unpriced] = []
    free: list[Unpriced] = []
    for resource in resources:
        if why := _why_free(resource.type):
            free.append(Unpriced(resource.name, resource.type, why))
        else:
            known, unknown = _lines_of(resource, usage, prices)
            lines += known
            unpriced += [Unpriced(resource.name, resource.type, reason) for reason in unknown]
    if usage.usage.free_tier:
        lines = with_allowances(lines, usage.config.target.region)
    return Projection(
        stage=usage.config.stage,
        lines=lines,
        unpriced=unpriced,
        free=free,
        **_totals(lines, usage.predictions + usage.batch_rows),
        **_ages(lines, today),
    )


def run_usd(resources: list[Resource], usage: Month, prices: Prices, *, today: str) -> float:
    """Return what one training run and its release cost: what a month's bill is higher by with one than with none."""
    one, none = (
        project(resources, dataclasses.replace(usage, training_runs=runs), prices, today=today).monthly_usd
        for runs in (1.0, 0.0)
    )
    return one - none


def _lines_of(resource: Resource, usage: Month, prices: Prices) -> tuple[list[Line], list[str]]:
    """Return the priced lines of a resource, and the reasons why it, or a use of it, has no price."""
    if resource.type not in PRICED:
        rooms = "domain/money/projection.py or domain/money/data/free.csv"
        return [], [f"no pricing rule for {resource.type}; add one in {rooms}"]
    lines = PRICED[resource.type](resource, usage, prices)
    if lines is None:
        return [], ["no rule for its usage; add one in domain/money/resources/, next to the others of its type"]
    known = [line for line in lines if line.monthly_usd is not None]
    return known, [_no_price(line) for line in lines if line.monthly_usd is None and line.quantity]


def _why_free(type: str) -> str | None:
    return "billed as the function it calls" if type.startswith("Custom::") else _free_types().get(type)


def _no_price(line: Line) -> str:
    price = " ".join(filter(None, (line.service, line.usage_type, line.operation)))
    return f"{line.what}: {line.quantity:,.4g} a month, but the price table has no {price} for this region"


def _totals(lines: list[Line], predictions: float) -> dict[str, Any]:
    total = _total_usd(lines)
    per_use = _total_usd(line for line in lines if not line.fixed)
    return {
        "monthly_usd": total,
        "low_usd": sum(line.usd * (1 - OFF_BY[line.confidence]) for line in lines),
        "high_usd": sum(line.usd * (1 + OFF_BY[line.confidence]) for line in lines),
        "fixed_usd": total - per_use,
        "per_use_usd": per_use,
        "by_flow_usd": {flow: _total_usd(line for line in lines if line.flow == flow) for flow in FLOWS},
        "predictions": predictions,
        "per_prediction_usd": total / predictions if predictions else None,
        "per_thousand_predictions_usd": 1000 * total / predictions if predictions else None,
        "next_thousand_predictions_usd": 1000 * per_use / predictions if predictions else None,
    }


def _total_usd(lines: Iterable[Line]) -> float:
    return sum(line.usd for line in lines)


def _ages(lines: list[Line], today: str) -> dict[str, Any]:
    """Return the age of the prices, and which have no date; only of lines that cost something."""
    paid = [line for line in lines if line.usd > 0]
    oldest = min((line.price_date for line in paid if line.price_date), default=None)
    return {
        "oldest_price": oldest,
        "oldest_price_days": age_days(oldest, today) if oldest else None,
        "old_prices": _names(
            line for line in paid if line.price_date and age_days(line.price_date, today) > OLD_AFTER_DAYS
        ),
        "undated_prices": _names(line for line in paid if not line.price_date),
        "stale_usd": _total_usd(line for line in paid if _is_stale(line.price_date, today)),
    }


def _is_stale(dated: str, today: str) -> bool:
    return not dated or age_days(dated, today) > STALE_AFTER_DAYS


def lifecycle_saving_usd(resources: list[Resource], usage: Month, prices: Prices) -> float:
    """Return what moving and deleting by age saves a month in dollars, over all buckets."""
    buckets = [resource for resource in resources if resource.type == "AWS::S3::Bucket"]
    return sum(storage.lifecycle_saving_usd(bucket, usage, prices) for bucket in buckets)


def _names(lines: Iterable[Line]) -> list[str]:
    return sorted({f"{line.service} {line.usage_type}" for line in lines})
