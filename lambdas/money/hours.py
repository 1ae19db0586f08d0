"""Every few minutes, and when a request asks for it: endpoints go outside the office hours and come back before them.

SageMaker cannot stop an endpoint, so it is deleted; its configuration and its model stay, which cost nothing, and the
routing goes on naming it. Each look compares what is there with what is wanted, so one that is cut short or comes twice
does no harm.
"""

import functools
import json
import os
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from botocore.exceptions import ClientError

from domain import hours
from domain.names import METRICS_NAMESPACE, Metric
from domain.records import WOKEN, routing_item
from domain.timestamps import parse_timestamp
from lambdas.aws import clients, hosting, tables
from lambdas.aws.routes import read_routing
from lambdas.settings import CONFIG

ROUTING = os.environ["ROUTING_TABLE"]
SCALING = json.loads(os.environ["SCALING"] or "null")  # [target, policy] of Application Auto Scaling, for {endpoint}
YOUNG = timedelta(hours=1)  # a new endpoint is told in this time how to follow the requests


class Up(NamedTuple):
    """An endpoint as SageMaker has it."""

    status: str
    since: datetime


class NotTended(Exception):
    """An endpoint could not be made or removed; the message names it and says why. The others were."""


def handler(event, context):
    now = parse_timestamp(event.get("time", "")) or datetime.now(UTC)  # EventBridge says for which moment it calls
    woken = tables.get(ROUTING, routing_item(WOKEN)) or {}
    return tend(
        [route["endpoint"] for route in read_routing(ROUTING)["routes"]],
        now=now,
        woken_at=parse_timestamp(woken.get("woken_at", "")),
        find=find,
        asked=lambda: requests(now - hours.idle_time(CONFIG.serving), now) > 0,
        make=make,
        follow=follow_the_requests,
        remove=remove,
        tell=tell,
    )


def tend(  # noqa: PLR0913 - an argument for each effect
    endpoints: list[str], *, now: datetime, woken_at: datetime | None, find, asked, make, follow, remove, tell
) -> dict:
    """{made, removed}: names. An endpoint that is on its way up or down is left to the next look."""
    found = {name: find(name) for name in endpoints}
    counts = hours.sleeps(CONFIG.serving) and any(found.values()) and asked()
    effects, problems = {"made": make, "removed": remove, "followed": follow}, []
    done = {what: [] for what in effects}
    for name, up in found.items():
        since = up.since if up else None
        wanted = hours.is_wanted(CONFIG.serving, now, up_since=since, asked=counts, woken_at=woken_at)
        if what := due(up, wanted, now):
            try:
                effects[what](name)
                done[what].append(name)
            except Exception as error:  # noqa: BLE001 - one endpoint's error must not cost the others their hours
                problems.append(f"{name} not {what}: {error}")
    told = {what: done[what] for what in ("made", "removed")}
    if any(told.values()):
        tell(told)
    if problems:
        raise NotTended("; ".join(problems))
    return told


def due(up: Up | None, wanted: bool, now: datetime) -> str | None:
    """What is to be done with an endpoint: made, removed, or followed, which is to say its machines the requests."""
    if up is None:
        return "made" if wanted else None
    if up.status == "Failed" or (up.status == "InService" and not wanted):
        return "removed"
    return "followed" if up.status == "InService" and now - up.since < YOUNG else None


# ---- the effects


def find(endpoint: str) -> Up | None:
    try:
        found = clients.sagemaker().describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if "Could not find" in error.response["Error"]["Message"]:
            return None
        raise
    return Up(found["EndpointStatus"], found["CreationTime"])


def requests(start: datetime, end: datetime) -> float:
    """What was asked of the API, counted by `predict`."""
    dimensions = [{"Name": "project", "Value": CONFIG.project.name}, {"Name": "stage", "Value": CONFIG.stage}]
    metric = {"Namespace": METRICS_NAMESPACE, "MetricName": Metric.REQUESTS, "Dimensions": dimensions}
    query = {"Id": "requests", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}
    pages = (
        cloudwatch().get_paginator("get_metric_data").paginate(MetricDataQueries=[query], StartTime=start, EndTime=end)
    )
    return sum(value for page in pages for result in page["MetricDataResults"] for value in result["Values"])


def make(endpoint: str) -> None:
    hosting.make(endpoint, prefix=CONFIG.prefix)


def remove(endpoint: str) -> None:
    if SCALING:
        stop_following(endpoint)
    try:
        clients.sagemaker().delete_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if "Could not find" not in error.response["Error"]["Message"]:
            raise


def follow_the_requests(endpoint: str) -> None:
    """As a release is told to when it is made (infra/release/releases.py); telling it again changes nothing."""
    if SCALING:
        target, policy = (json.loads(json.dumps(each).replace("{endpoint}", endpoint)) for each in SCALING)
        autoscaling().register_scalable_target(**target)
        autoscaling().put_scaling_policy(**policy)


def stop_following(endpoint: str) -> None:
    """Or the alarms of an endpoint that is not there would stay."""
    target = json.loads(json.dumps(SCALING[0]).replace("{endpoint}", endpoint))
    try:
        autoscaling().deregister_scalable_target(
            **{name: target[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ObjectNotFoundException":
            raise


@functools.cache
def cloudwatch():
    return clients.build("cloudwatch", tries=4, connect_s=2, read_s=20)


@functools.cache
def autoscaling():
    return clients.build("application-autoscaling", tries=4, connect_s=2, read_s=20)


def tell(done: dict) -> None:
    counts = {"EndpointsMade": len(done["made"]), "EndpointsRemoved": len(done["removed"])}
    print(json.dumps({"project": CONFIG.project.name, "stage": CONFIG.stage, **counts, **done}))
