"""Requests and runs of a stage in a span of time, from which the month's cost so far is estimated."""

import functools
import os
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, TypedDict, TypeVar, cast

from domain.names import METRICS_NAMESPACE, Metric
from domain.records import runs_query
from domain.runs import BatchItem, RunKind, TrainItem
from domain.timestamps import parse_timestamp
from lambdas.aws import clients, tables
from lambdas.aws.clients import BotocoreClient
from lambdas.settings import CONFIG

RUNS = os.environ["RUNS_TABLE"]
_Run = TypeVar("_Run", BatchItem, TrainItem)


class Requests(TypedDict):
    """Requests of the month so far; latencies are means."""

    requests: float
    predictions: float
    outcomes: float
    latency_ms: float
    model_ms: float


class Counted(Requests):
    training_runs: int
    batch_runs: int
    batch_rows: int


class _Statistic(NamedTuple):
    metric: Metric
    stat: str  # of CloudWatch


_MEASURED = {
    "requests": _Statistic(Metric.REQUESTS, "Sum"),
    "predictions": _Statistic(Metric.PREDICTIONS, "Sum"),
    "outcomes": _Statistic(Metric.OUTCOMES, "Sum"),
    "latency_ms": _Statistic(Metric.LATENCY, "Average"),
    "model_ms": _Statistic(Metric.MODEL_LATENCY, "Average"),
}


def count(start: datetime, end: datetime) -> Counted:
    """Count the requests from `start` to `end`, and the runs that began in that time."""
    batches = _begun(cast(Iterator[BatchItem], tables.query_all(RUNS, **runs_query(RunKind.BATCH))), start)
    trainings = _begun(cast(Iterator[TrainItem], tables.query_all(RUNS, **runs_query(RunKind.TRAIN))), start)
    return {
        **_requests(start, end),
        "training_runs": len(trainings),
        "batch_runs": len(batches),
        "batch_rows": sum(run.get("read", 0) for run in batches),
    }


def _begun(runs: Iterator[_Run], since: datetime) -> list[_Run]:
    return [run for run in runs if (at := parse_timestamp(run.get("started_at", ""))) and at >= since]


def _requests(start: datetime, end: datetime) -> Requests:
    dimensions = [{"Name": "project", "Value": CONFIG.project.name}, {"Name": "stage", "Value": CONFIG.stage}]
    queries = [
        {
            "Id": id,
            "MetricStat": {
                "Metric": {"Namespace": METRICS_NAMESPACE, "MetricName": metric, "Dimensions": dimensions},
                "Period": 86_400,
                "Stat": stat,
            },
        }
        for id, (metric, stat) in _MEASURED.items()
    ]
    values: dict[str, list[float]] = {id: [] for id in _MEASURED}
    metric_data = _cloudwatch().get_paginator("get_metric_data")
    for page in metric_data.paginate(MetricDataQueries=queries, StartTime=start, EndTime=end):
        for result in page["MetricDataResults"]:
            values[result["Id"]] += result["Values"]
    totals = {
        id: sum(daily) / (len(daily) or 1 if _MEASURED[id].stat == "Average" else 1) for id, daily in values.items()
    }
    return cast(Requests, totals)


@functools.cache
def _cloudwatch() -> BotocoreClient:
    return clients.build("cloudwatch", tries=4, connect_s=2, read_s=20)
