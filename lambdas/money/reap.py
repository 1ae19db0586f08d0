"""Hourly: what SageMaker runs of this stage that no routing, no release and no run knows is announced and ended.

Only what has our tag is touched, whoever made it: names that begin alike may be another project's. What is young is
left alone, since whoever made it may not have written it down yet.
"""

import functools
import os
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from botocore.exceptions import ClientError

from domain.money.prices import find, read_prices
from domain.money.schedule import HOURS_PER_MONTH
from domain.names import Metric
from domain.records import release_key
from domain.release.routing import endpoints_in_use
from domain.timestamps import iso, parse_timestamp
from lambdas import metrics
from lambdas.aws import clients, tables
from lambdas.aws.hosting import BUSY, DELETING, Hosted, remove
from lambdas.aws.routes import read_routing
from lambdas.settings import CONFIG

ROUTING = os.environ["ROUTING_TABLE"]
RUNS = os.environ["RUNS_TABLE"]
PREFIX = os.environ["ENDPOINT_PREFIX"]
ALARMS = os.environ["ALARMS"]
YOUNG = timedelta(minutes=15)
TAG = {"Key": "fairway", "Value": CONFIG.prefix}


class Found(NamedTuple):
    """Something that is billed by the hour."""

    kind: str  # endpoint, training job, processing job or notebook
    name: str
    created: datetime
    machine: str = ""  # the price list's name of the hour, e.g. Host:ml.m5.large; empty where idling is free
    machines: int = 1
    writes_to: str = ""  # the places of a job's output, which name its run
    used: bool = False


class NotEnded(Exception):
    """Something that nobody needs goes on; the message names it and says why. All the others were ended."""


def handler(event, context):
    now = parse_timestamp(event.get("time", "")) or datetime.now(UTC)  # EventBridge says for which hour it calls
    used = in_use(read_routing(ROUTING), now)
    return reap(
        [*endpoints(used), *training_jobs(), *processing_jobs(), *notebooks()],
        now=now,
        runs=running_runs(),
        end=end,
        tell=tell,
    )


def reap(things: list[Found], *, now: datetime, runs: set[str], end, tell) -> dict:
    """{ended: names, saves_usd_per_month}. Announced before it is ended, so that nothing ever goes without a trace."""
    forgotten = [thing for thing in things if now - thing.created >= YOUNG and not known(thing, runs)]
    problems = []
    for thing in forgotten:
        tell(thing, monthly_usd(thing))
        try:
            end(thing)
        except Exception as error:  # noqa: BLE001 - one error must not keep the others running and billed
            problems.append(f"{thing.kind} {thing.name}: {error}")
    if problems:
        raise NotEnded("; ".join(problems))
    return {
        "ended": [thing.name for thing in forgotten],
        "saves_usd_per_month": sum(monthly_usd(thing) for thing in forgotten),
    }


def known(thing: Found, runs: set[str]) -> bool:
    return thing.used or any(f"/{run}/" in thing.writes_to for run in runs)


def monthly_usd(thing: Found) -> float:
    """What it would go on to cost; 0 where nobody knows the price."""
    price = find(PRICES, "AmazonSageMaker", thing.machine)
    return price.tiers[0].usd * thing.machines * HOURS_PER_MONTH if price else 0.0


PRICES = read_prices(CONFIG.target.region)


# ---- what there is


def in_use(routing: dict, now: datetime):
    """Whether an endpoint answers, may answer again after a rollback, or belongs to a release: those are for Retire.
    What belongs to a release that failed is not: Undo could not remove it while it was being made.

    While the model is stopped, nobody retires anything: then a champion is kept for a rollback, and no longer.
    """
    keep_since = iso(now - timedelta(minutes=CONFIG.release.keep_previous_minutes))
    kept = endpoints_in_use(routing, keep_since=keep_since)
    stopped = bool(routing["version"] and not routing["routes"])

    def used(name: str) -> bool:
        release = tables.get(ROUTING, release_key(name.removeprefix(PREFIX))) or {}
        given_up = ("failed", "champion", "previous") if stopped else ("failed",)
        return name in kept or (bool(release) and release.get("state") not in given_up)

    return used


def endpoints(used) -> list[Found]:
    found = []
    for name, _ in ours("list_endpoints", "Endpoints", "Endpoint"):
        endpoint = clients.sagemaker().describe_endpoint(EndpointName=name)
        if endpoint["EndpointStatus"] not in (*BUSY, DELETING):
            variant = variant_of(endpoint["EndpointConfigName"])
            machine = f"Host:{variant['InstanceType']}" if "InstanceType" in variant else ""
            count = variant.get("InitialInstanceCount", 1)
            found.append(Found("endpoint", name, endpoint["CreationTime"], machine, count, used=used(name)))
    return found


def variant_of(config: str) -> dict:
    """What the endpoint runs on. An endpoint outlives its configuration: then nobody knows what it costs, and it still
    does.
    """
    try:
        return clients.sagemaker().describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"][0]
    except ClientError as error:
        if "Could not find" in error.response["Error"]["Message"]:
            return {}
        raise


def training_jobs() -> list[Found]:
    found = []
    for name, _ in ours("list_training_jobs", "TrainingJobSummaries", "TrainingJob", StatusEquals="InProgress"):
        job = clients.sagemaker().describe_training_job(TrainingJobName=name)
        resources, place = job["ResourceConfig"], f"{job['OutputDataConfig']['S3OutputPath']}/"
        machine = f"Train:{resources['InstanceType']}"
        found.append(Found("training job", name, job["CreationTime"], machine, resources["InstanceCount"], place))
    return found


def processing_jobs() -> list[Found]:
    found = []
    for name, _ in ours("list_processing_jobs", "ProcessingJobSummaries", "ProcessingJob", StatusEquals="InProgress"):
        job = clients.sagemaker().describe_processing_job(ProcessingJobName=name)
        cluster = job["ProcessingResources"]["ClusterConfig"]
        places = " ".join(
            f"{out['S3Output']['S3Uri']}/" for out in job.get("ProcessingOutputConfig", {}).get("Outputs", [])
        )
        machine = f"Processing:{cluster['InstanceType']}"
        found.append(Found("processing job", name, job["CreationTime"], machine, cluster["InstanceCount"], places))
    return found


def notebooks() -> list[Found]:
    return [
        Found("notebook", name, notebook["LastModifiedTime"], f"Notebk:{notebook['InstanceType']}")
        for name, notebook in ours(
            "list_notebook_instances", "NotebookInstances", "NotebookInstance", StatusEquals="InService"
        )
    ]


def ours(operation: str, listed: str, kind: str, **which):
    """(name, summary) of each that has our tag; whoever made it, and whatever its name."""
    for page in clients.sagemaker().get_paginator(operation).paginate(**which):
        for found in page[listed]:
            if TAG in clients.sagemaker().list_tags(ResourceArn=found[f"{kind}Arn"])["Tags"]:
                yield found[f"{kind}Name"], found


def running_runs() -> set[str]:
    found = (run for kind in ("train", "batch") for run in runs_of(kind))
    return {run["run"] for run in found if run.get("status") == "RUNNING"}


def runs_of(kind: str):
    return tables.query_all(
        RUNS,
        KeyConditionExpression="#kind = :kind",
        ExpressionAttributeNames={"#kind": "kind"},
        ExpressionAttributeValues={":kind": {"S": kind}},
    )


# ---- what is done about it


def end(thing: Found) -> None:
    """An endpoint's configuration and model stay: they cost nothing, and somebody may want them."""
    sagemaker = clients.sagemaker()
    if thing.kind == "endpoint":
        remove(Hosted("endpoint", thing.name, thing.created))
    elif thing.kind == "training job":
        sagemaker.stop_training_job(TrainingJobName=thing.name)
    elif thing.kind == "processing job":
        sagemaker.stop_processing_job(ProcessingJobName=thing.name)
    else:
        sagemaker.stop_notebook_instance(NotebookInstanceName=thing.name)


def tell(thing: Found, usd: float) -> None:
    said = (
        f"{thing.kind} {thing.name} was made {iso(thing.created)} and nothing knows it; "
        f"ended, which saves ${usd:,.2f} a month"
    )
    print(
        metrics.line(
            project=CONFIG.project.name, stage=CONFIG.stage, measured={Metric.REAPED: 1, "ReapedUsd": usd}, said=said
        )
    )
    sns().publish(TopicArn=ALARMS, Subject=f"{CONFIG.prefix}: forgotten {thing.kind}", Message=said)


@functools.cache
def sns():
    return clients.build("sns", tries=4, connect_s=2, read_s=10)
