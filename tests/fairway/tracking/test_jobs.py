"""The jobs of a run, priced; SageMaker answers as its API does."""

from datetime import UTC, datetime

import pytest

from domain.config.sections import read_config
from domain.money.prices import read_prices
from fairway.stage.aws import Stage
from fairway.tracking.jobs import jobs_of
from fairway.tracking.record import Job

RUN = {
    "run": "train-1",
    "status": "SUCCEEDED",
    "started_at": "2026-11-28T10:00:00Z",
    "finished_at": "2026-11-28T11:00:00Z",
}
MACHINE = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
BEGAN = datetime(2026, 11, 28, 10, 1, tzinfo=UTC)


class SageMaker:
    """Jobs of two runs, one of them going on, and nothing else of the API."""

    def __init__(self, machine=MACHINE):
        self.asked = []
        self.training = {
            "flights-local-a": training("train-1/prior", BillableTimeInSeconds=72),
            "flights-local-b": training("train-1/prior"),
            "flights-local-c": training("train-11/prior", BillableTimeInSeconds=3600),
        }
        for job in self.training.values():
            job["ResourceConfig"] = machine
        self.processing = {
            "flights-local-evaluate-1": processing("runs/train-1/", ended=BEGAN.replace(minute=3)),
            "flights-local-evaluate-2": processing("runs/train-1/"),
            "flights-local-score-1": processing("batch/train-1/predictions/", ended=BEGAN.replace(minute=9)),
        }

    def get_paginator(self, operation):
        self.operation = operation
        return self

    def paginate(self, **which):
        self.asked.append((self.operation, which))
        if self.operation == "list_training_jobs":
            return [{"TrainingJobSummaries": [{"TrainingJobName": name}]} for name in self.training]
        return [{"ProcessingJobSummaries": [{"ProcessingJobName": name} for name in self.processing]}]

    def describe_training_job(self, TrainingJobName):  # noqa: N803  as boto3 has it
        return self.training[TrainingJobName]

    def describe_processing_job(self, ProcessingJobName):  # noqa: N803
        return self.processing[ProcessingJobName]


def training(folder, **more):
    return {"OutputDataConfig": {"S3OutputPath": f"s3://lake/artefacts/{folder}"}, **more}


def processing(folder, ended=None):
    return {
        "ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": f"s3://lake/{folder}"}}]},
        "ProcessingResources": {"ClusterConfig": MACHINE},
        "ProcessingStartTime": BEGAN,
        **({"ProcessingEndTime": ended} if ended else {}),
    }


@pytest.fixture
def priced(project):
    """Returns the jobs of an item as this SageMaker has them."""
    config = read_config(project)

    def read(sagemaker, item=RUN):
        stage = Stage(project, config, None, None, {"lake": "lake"}, clients={"sagemaker": sagemaker})
        return jobs_of(stage, item, read_prices("us-east-1"))

    return read


def test_only_jobs_of_the_run_that_have_ended_are_priced_by_their_billed_seconds(priced):
    sagemaker = SageMaker()
    assert priced(sagemaker) == [
        Job("flights-local-evaluate-1", "evaluation", "ml.m5.large", 120.0, pytest.approx(0.115 * 120 / 3600)),
        Job("flights-local-a", "training", "ml.m5.large", 72, pytest.approx(0.115 * 72 / 3600)),
    ]
    span = {
        "CreationTimeAfter": datetime(2026, 11, 28, 9, 59, tzinfo=UTC),
        "CreationTimeBefore": datetime(2026, 11, 28, 11, 1, tzinfo=UTC),
    }
    assert sagemaker.asked == [
        (f"list_{kind}_jobs", {"NameContains": "flights-local-", **span}) for kind in ("training", "processing")
    ]


def test_a_machine_without_a_price_has_no_cost_rather_than_none(priced):
    found = priced(SageMaker(machine={**MACHINE, "InstanceType": "ml.none.huge"}))
    assert [job.usd is None for job in found] == [False, True]


def test_a_run_that_never_began_has_no_jobs(priced):
    assert priced(SageMaker(), {"run": "train-1", "status": "FAILED"}) == []
