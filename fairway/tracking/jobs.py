"""SageMaker jobs of a training run: their billed time and its cost at list price.

Instances only: disks, functions and requests of a run cost cents. The local AWS runs the same jobs, so there it is what
AWS would charge for the seconds that they took here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from domain import lake
from domain.money.prices import Prices, cost_usd, find
from domain.money.resources.jobs import SAGEMAKER
from domain.runs import TrainItem
from domain.timestamps import parse_timestamp
from fairway.stage.aws import Stage
from fairway.tracking.record import Job

_HOUR_S = 3600
_SLACK = timedelta(minutes=1)  # difference between the clocks of Step Functions and SageMaker


def jobs_of(stage: Stage, item: TrainItem, prices: Prices) -> list[Job]:
    """Read the jobs that have ended, ordered by name; an imported model had only an evaluation."""
    started = parse_timestamp(item.get("started_at", ""))
    if started is None:
        return []
    finished = parse_timestamp(item.get("finished_at", "")) or datetime.now(UTC)
    span = {"CreationTimeAfter": started - _SLACK, "CreationTimeBefore": finished + _SLACK}
    found = [*_training(stage, item["run"], span, prices), *_evaluations(stage, item["run"], span, prices)]
    return sorted(found, key=lambda job: (job.kind, job.name))


def _training(stage: Stage, run: str, span: dict[str, datetime], prices: Prices) -> Iterator[Job]:
    folder = lake.artefacts_prefix(run)
    for name in _named(stage, "list_training_jobs", "TrainingJob", span):
        job = stage.client("sagemaker").describe_training_job(TrainingJobName=name)
        seconds, machines = job.get("BillableTimeInSeconds"), job["ResourceConfig"]
        if seconds is not None and folder in f"{job['OutputDataConfig']['S3OutputPath']}/":
            yield _priced(name, "training", machines, seconds, prices)


def _evaluations(stage: Stage, run: str, span: dict[str, datetime], prices: Prices) -> Iterator[Job]:
    folder = lake.run_key(run, "")
    for name in _named(stage, "list_processing_jobs", "ProcessingJob", span):
        job = stage.client("sagemaker").describe_processing_job(ProcessingJobName=name)
        places = [each["S3Output"]["S3Uri"] for each in job.get("ProcessingOutputConfig", {}).get("Outputs", [])]
        if "ProcessingEndTime" in job and any(folder in f"{place}/" for place in places):
            machines = job["ProcessingResources"]["ClusterConfig"]
            seconds = (job["ProcessingEndTime"] - job["ProcessingStartTime"]).total_seconds()
            yield _priced(name, "evaluation", machines, seconds, prices)


def _named(stage: Stage, operation: str, kind: str, span: dict[str, datetime]) -> Iterator[str]:
    pages = stage.client("sagemaker").get_paginator(operation)
    for page in pages.paginate(NameContains=f"{stage.config.prefix}-", **span):
        yield from (summary[f"{kind}Name"] for summary in page[f"{kind}Summaries"])


def _priced(name: str, kind: str, machines: dict[str, Any], seconds: float, prices: Prices) -> Job:
    use = "Train" if kind == "training" else "Processing"
    price = find(prices, SAGEMAKER, f"{use}:{machines['InstanceType']}")
    hours = seconds * machines["InstanceCount"] / _HOUR_S
    return Job(name, kind, machines["InstanceType"], seconds, cost_usd(price, hours) if price else None)
