"""Every few minutes, and when a request asks for it: delete endpoints outside office hours, create them before.

SageMaker cannot stop an endpoint, so it is deleted; its configuration and model stay, which cost nothing, and the
routing still names it. Each look compares the existing endpoints with those that are wanted, so a look that is
interrupted or repeated does no harm.
"""

import functools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypedDict

from botocore.exceptions import ClientError

from domain import hours
from domain.names import METRICS_NAMESPACE, Metric
from domain.records import WOKEN, routing_item
from domain.release.routing import answerers
from domain.timestamps import parse_timestamp
from lambdas.aws import clients, hosting, tables
from lambdas.aws.clients import BotocoreClient
from lambdas.aws.routes import read_routing
from lambdas.settings import CONFIG

ROUTING = os.environ["ROUTING_TABLE"]
SCALING = json.loads(os.environ["SCALING"] or "null")  # [target, policy] of Application Auto Scaling, for {endpoint}
YOUNG = timedelta(hours=1)  # age up to which each look registers an endpoint for scaling


class Up(NamedTuple):
    """An endpoint as SageMaker has it."""

    status: str
    since: datetime


class Step(StrEnum):
    """Step that is due for an endpoint; FOLLOWED: its number of instances now follows the requests."""

    MADE = "made"
    REMOVED = "removed"
    FOLLOWED = "followed"


class Tended(TypedDict):
    """Names of endpoints."""

    made: list[str]
    removed: list[str]


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects on endpoints, and their state; `asked` is whether the API had requests in the idle time."""

    find: Callable[[str], Up | None]
    asked: Callable[[], bool]
    make: Callable[[str], None]
    follow: Callable[[str], None]
    remove: Callable[[str], None]
    report: Callable[[Tended], object]


class NotTended(Exception):
    """Report that an endpoint could not be created or deleted; the message names it and gives the reason.

    The others were done.
    """


def handler(event: dict[str, Any], context: object) -> Tended:
    now = parse_timestamp(event.get("time", "")) or datetime.now(UTC)  # EventBridge sends the scheduled time
    woken = tables.get(ROUTING, routing_item(WOKEN)) or {}
    return tend(
        list(dict.fromkeys(one.endpoint for one in answerers(read_routing(ROUTING)))),
        now=now,
        woken_at=parse_timestamp(woken.get("woken_at", "")),
        effects=Effects(
            find=find,
            asked=lambda: _requests(now - hours.idle_time(CONFIG.serving), now) > 0,
            make=make,
            follow=_follow_requests,
            remove=remove,
            report=_report,
        ),
    )


def tend(endpoints: list[str], *, now: datetime, woken_at: datetime | None, effects: Effects) -> Tended:
    """Create, delete and register endpoints as due; those being created or deleted are left to the next look.

    Raises NotTended after all of them were tried.
    """
    states = {name: effects.find(name) for name in endpoints}
    asked = hours.sleeps(CONFIG.serving) and any(states.values()) and effects.asked()
    take = {Step.MADE: effects.make, Step.REMOVED: effects.remove, Step.FOLLOWED: effects.follow}
    done: dict[Step, list[str]] = {step: [] for step in Step}
    problems = []
    for name, up in states.items():
        since = up.since if up else None
        wanted = hours.is_wanted(CONFIG.serving, now, up_since=since, asked=asked, woken_at=woken_at)
        if step := _due(up, wanted, now):
            try:
                take[step](name)
                done[step].append(name)
            except Exception as error:  # noqa: BLE001 - one endpoint's error must not cost the others their hours
                problems.append(f"{name} not {step}: {error}")
    tended: Tended = {"made": done[Step.MADE], "removed": done[Step.REMOVED]}
    if any(tended.values()):
        effects.report(tended)
    if problems:
        raise NotTended("; ".join(problems))
    return tended


def _due(up: Up | None, wanted: bool, now: datetime) -> Step | None:
    if up is None:
        return Step.MADE if wanted else None
    if up.status == "Failed" or (up.status == "InService" and not wanted):
        return Step.REMOVED
    return Step.FOLLOWED if up.status == "InService" and now - up.since < YOUNG else None


# ---- effects


def find(endpoint: str) -> Up | None:
    try:
        description = clients.sagemaker().describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if "Could not find" in error.response["Error"]["Message"]:
            return None
        raise
    return Up(description["EndpointStatus"], description["CreationTime"])


def _requests(start: datetime, end: datetime) -> float:
    """Sum the requests to the API, which `predict` counts."""
    dimensions = [{"Name": "project", "Value": CONFIG.project.name}, {"Name": "stage", "Value": CONFIG.stage}]
    metric = {"Namespace": METRICS_NAMESPACE, "MetricName": Metric.REQUESTS, "Dimensions": dimensions}
    query = {"Id": "requests", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}
    metric_data = _cloudwatch().get_paginator("get_metric_data")
    pages = metric_data.paginate(MetricDataQueries=[query], StartTime=start, EndTime=end)
    return float(sum(value for page in pages for result in page["MetricDataResults"] for value in result["Values"]))


def make(endpoint: str) -> None:
    hosting.make(endpoint, prefix=CONFIG.prefix)


def remove(endpoint: str) -> None:
    if SCALING:
        _stop_following(endpoint)
    try:
        clients.sagemaker().delete_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if "Could not find" not in error.response["Error"]["Message"]:
            raise


def _follow_requests(endpoint: str) -> None:
    """Register the endpoint for scaling, like a new release (infra/release/releases.py). Idempotent."""
    if SCALING:
        target, policy = (json.loads(json.dumps(each).replace("{endpoint}", endpoint)) for each in SCALING)
        autoscaling().register_scalable_target(**target)
        autoscaling().put_scaling_policy(**policy)


def _stop_following(endpoint: str) -> None:
    """Deregister the endpoint; otherwise the alarms of its scaling policy would remain."""
    target = json.loads(json.dumps(SCALING[0]).replace("{endpoint}", endpoint))
    try:
        autoscaling().deregister_scalable_target(
            **{name: target[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ObjectNotFoundException":
            raise


@functools.cache
def _cloudwatch() -> BotocoreClient:
    return clients.build("cloudwatch", tries=4, connect_s=2, read_s=20)


@functools.cache
def autoscaling() -> BotocoreClient:
    return clients.build("application-autoscaling", tries=4, connect_s=2, read_s=20)


def _report(tended: Tended) -> None:
    counts = {"EndpointsMade": len(tended["made"]), "EndpointsRemoved": len(tended["removed"])}
    print(json.dumps({"project": CONFIG.project.name, "stage": CONFIG.stage, **counts, **tended}))
