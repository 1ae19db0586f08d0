"""The monthly projection: every resource of the synthesised templates times the usage times the price table.

Each resource ends up in `lines` (priced), in `free` (known to cost nothing) or in `unpriced`, by name: none is left
out.
"""

import csv
import functools
from pathlib import Path

from domain.money.allowances import with_allowances
from domain.money.prices import OLD_AFTER_DAYS, STALE_AFTER_DAYS, Prices, age_days
from domain.money.resources import api, compute, data, network, storage, watching, workflow
from domain.money.resources.lines import FLOWS
from domain.money.template import Resource, verb_of
from domain.money.usage import Month

FREE = Path(__file__).parent / "data" / "free.csv"
# How far a price may be off, by how it is known: quoted from AWS for that very usage, derived by a rule, or a guess.
OFF_BY = {"high": 0.02, "medium": 0.15, "low": 0.5}


def function_lines(resource: Resource, usage: Month, prices: Prices) -> list[dict] | None:
    """The function itself, its traces, and the metrics that it writes."""
    found = compute.function_lines(resource, usage, prices)
    if found is None:
        return None
    runs = compute.RUNS[verb_of(resource)](usage)
    traces = watching.trace_lines(resource, usage, prices, runs.count, fixed=runs.fixed)
    return found + traces + watching.metric_lines(resource, usage, prices)


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
    "AWS::Lambda::Function": function_lines,
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
def free_types() -> dict[str, str]:
    """{resource type: why it costs nothing}."""
    with open(FREE, newline="", encoding="utf-8") as lines:
        return {row["type"]: row["why"] for row in csv.DictReader(lines)}


def project(resources: list[Resource], usage: Month, prices: Prices, *, today: str) -> dict:
    """The bill of one month; `fairway cost --json` prints it."""
    free = [resource for resource in resources if why_free(resource.type)]
    lines, unpriced = [], []
    for resource in resources:
        if not why_free(resource.type):
            known, unknown = lines_of(resource, usage, prices)
            lines += known
            unpriced += [{"resource": resource.name, "type": resource.type, "why": why} for why in unknown]
    if usage.usage.free_tier:
        lines = with_allowances(lines, usage.config.target.region)
    return {
        "stage": usage.config.stage,
        **totals(lines, usage),
        "lines": lines,
        "unpriced": unpriced,
        "free": [
            {"resource": resource.name, "type": resource.type, "why": why_free(resource.type)} for resource in free
        ],
        **dates(lines, today),
    }


def lines_of(resource: Resource, usage: Month, prices: Prices) -> tuple[list[dict], list[str]]:
    """The priced lines of a resource, and why it has none or what of it has no price."""
    if resource.type not in PRICED:
        return [], [
            f"nobody has said what {resource.type} costs; add it to domain/money/projection.py or domain/money/data/free.csv"
        ]
    lines = PRICED[resource.type](resource, usage, prices)
    if lines is None:
        return [], [
            "nobody has said how much it is used; say so in domain/money/resources/, beside the others of its type"
        ]
    known = [line for line in lines if line["monthly_usd"] is not None]
    return known, [no_price(line) for line in lines if line["monthly_usd"] is None and line["quantity"]]


def why_free(type: str) -> str | None:
    return "billed as the function it calls" if type.startswith("Custom::") else free_types().get(type)


def no_price(line: dict) -> str:
    what = " ".join(filter(None, (line["service"], line["usage_type"], line["operation"])))
    return f"{line['what']}: {line['quantity']:,.4g} a month, but the price table has no {what} for this region"


def totals(lines: list[dict], usage: Month) -> dict:
    total = total_usd(lines)
    predictions = usage.predictions + usage.batch_rows
    per_use = total_usd(line for line in lines if not line["fixed"])
    return {
        "monthly_usd": total,
        "low_usd": sum(line["monthly_usd"] * (1 - OFF_BY[line["confidence"]]) for line in lines),
        "high_usd": sum(line["monthly_usd"] * (1 + OFF_BY[line["confidence"]]) for line in lines),
        "fixed_usd": total - per_use,
        "per_use_usd": per_use,
        "by_flow_usd": {flow: total_usd(line for line in lines if line["flow"] == flow) for flow in FLOWS},
        "predictions": predictions,
        "per_prediction_usd": total / predictions if predictions else None,
        "per_thousand_predictions_usd": 1000 * total / predictions if predictions else None,
        "next_thousand_predictions_usd": 1000 * per_use / predictions if predictions else None,
    }


def total_usd(lines) -> float:
    return sum(line["monthly_usd"] for line in lines)


def dates(lines: list[dict], today: str) -> dict:
    """How old the prices are, and which have no date at all; only of lines that cost something."""
    paid = [line for line in lines if line["monthly_usd"] > 0]
    oldest = min((line["price_date"] for line in paid if line["price_date"]), default=None)
    return {
        "oldest_price": oldest,
        "oldest_price_days": age_days(oldest, today) if oldest else None,
        "old_prices": named(
            line for line in paid if line["price_date"] and age_days(line["price_date"], today) > OLD_AFTER_DAYS
        ),
        "undated_prices": named(line for line in paid if not line["price_date"]),
        "stale_usd": total_usd(line for line in paid if is_stale(line["price_date"], today)),
    }


def is_stale(dated: str, today: str) -> bool:
    return not dated or age_days(dated, today) > STALE_AFTER_DAYS


def lifecycle_saving_usd(resources: list[Resource], usage: Month, prices: Prices) -> float:
    """What moving and deleting by age saves a month, all buckets together."""
    buckets = [resource for resource in resources if resource.type == "AWS::S3::Bucket"]
    return sum(storage.lifecycle_saving_usd(bucket, usage, prices) for bucket in buckets)


def named(lines) -> list[str]:
    return sorted({f"{line['service']} {line['usage_type']}" for line in lines})
