"""SageMaker resources that are billed by the hour and have the tag of this stage."""

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from domain.names import COST_TAG
from lambdas.aws import clients
from lambdas.aws.hosting import BUSY, DELETING
from lambdas.settings import CONFIG

TAG = {"Key": COST_TAG, "Value": CONFIG.prefix}


class Kind(StrEnum):
    """Kind of resource, as in announcements."""

    ENDPOINT = "endpoint"
    TRAINING_JOB = "training job"
    PROCESSING_JOB = "processing job"
    NOTEBOOK = "notebook"


class Billed(NamedTuple):
    """A resource that is billed by the hour."""

    kind: Kind
    name: str
    created: datetime
    instance_hour: str = ""  # its usage type in the price list, e.g. Host:ml.m5.large; empty if idling is free
    instances: int = 1
    writes_to: str = ""  # output locations of a job, which name its run
    used: bool = False


def endpoints(is_used: Callable[[str], bool]) -> list[Billed]:
    billed = []
    for name, _ in _ours("list_endpoints", "Endpoints", "Endpoint"):
        endpoint = clients.sagemaker().describe_endpoint(EndpointName=name)
        if endpoint["EndpointStatus"] not in (*BUSY, DELETING):
            variant = _variant_of(endpoint["EndpointConfigName"])
            hour = f"Host:{variant['InstanceType']}" if "InstanceType" in variant else ""
            count = variant.get("InitialInstanceCount", 1)
            billed.append(Billed(Kind.ENDPOINT, name, endpoint["CreationTime"], hour, count, used=is_used(name)))
    return billed


def _variant_of(config: str) -> dict[str, Any]:
    """Read the variant of an endpoint; {} if its configuration is gone: its cost, which continues, is then unknown."""
    try:
        description = clients.sagemaker().describe_endpoint_config(EndpointConfigName=config)
    except ClientError as error:
        if "Could not find" in error.response["Error"]["Message"]:
            return {}
        raise
    variant: dict[str, Any] = description["ProductionVariants"][0]
    return variant


def training_jobs() -> list[Billed]:
    billed = []
    for name, _ in _ours("list_training_jobs", "TrainingJobSummaries", "TrainingJob", StatusEquals="InProgress"):
        job = clients.sagemaker().describe_training_job(TrainingJobName=name)
        resources, place = job["ResourceConfig"], f"{job['OutputDataConfig']['S3OutputPath']}/"
        hour = f"Train:{resources['InstanceType']}"
        billed.append(Billed(Kind.TRAINING_JOB, name, job["CreationTime"], hour, resources["InstanceCount"], place))
    return billed


def processing_jobs() -> list[Billed]:
    billed = []
    for name, _ in _ours("list_processing_jobs", "ProcessingJobSummaries", "ProcessingJob", StatusEquals="InProgress"):
        job = clients.sagemaker().describe_processing_job(ProcessingJobName=name)
        cluster = job["ProcessingResources"]["ClusterConfig"]
        places = " ".join(
            f"{out['S3Output']['S3Uri']}/" for out in job.get("ProcessingOutputConfig", {}).get("Outputs", [])
        )
        hour = f"Processing:{cluster['InstanceType']}"
        billed.append(Billed(Kind.PROCESSING_JOB, name, job["CreationTime"], hour, cluster["InstanceCount"], places))
    return billed


def notebooks() -> list[Billed]:
    return [
        Billed(Kind.NOTEBOOK, name, notebook["LastModifiedTime"], f"Notebk:{notebook['InstanceType']}")
        for name, notebook in _ours(
            "list_notebook_instances", "NotebookInstances", "NotebookInstance", StatusEquals="InService"
        )
    ]


def _ours(operation: str, listed: str, kind: str, **which: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """List (name, summary) of each resource with our tag, whoever created it and whatever its name."""
    for page in clients.sagemaker().get_paginator(operation).paginate(**which):
        for summary in page[listed]:
            if TAG in clients.sagemaker().list_tags(ResourceArn=summary[f"{kind}Arn"])["Tags"]:
                yield summary[f"{kind}Name"], summary
