"""Endpoints, configurations and models of this stage on SageMaker; the three of a release have the same name."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from botocore.exceptions import ClientError

from domain.names import COST_TAG
from lambdas.aws import clients


class Hosted(NamedTuple):
    """A SageMaker resource that was made for a release."""

    kind: str  # of KINDS
    name: str
    created: datetime
    status: str | None = None  # of an endpoint


# In the order in which they may be deleted: an endpoint needs its configuration, which needs its model.
KINDS = {
    "endpoint": ("list_endpoints", "Endpoints", "EndpointName", "delete_endpoint"),
    "endpoint-config": ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", "delete_endpoint_config"),
    "model": ("list_models", "Models", "ModelName", "delete_model"),
}
BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack")  # SageMaker refuses to delete such an endpoint
DELETING = "Deleting"


def hosted(prefix: str) -> Iterator[Hosted]:
    """List everything that was made for a release of this stage, endpoints first.

    Releases are named r-...: a project `shop-dev` is not part of the stage dev of `shop`.
    """
    for kind, (operation, listed, name, _) in KINDS.items():
        for page in clients.sagemaker().get_paginator(operation).paginate(NameContains=prefix):
            for entry in page[listed]:
                if entry[name].startswith(f"{prefix}r-"):
                    yield Hosted(kind, entry[name], entry["CreationTime"], entry.get("EndpointStatus"))


def make(endpoint: str, *, prefix: str) -> None:
    """Create the endpoint from its configuration, which remains when an endpoint is deleted. Idempotent."""
    tags = [{"Key": COST_TAG, "Value": prefix}]
    try:
        clients.sagemaker().create_endpoint(EndpointName=endpoint, EndpointConfigName=endpoint, Tags=tags)
    except ClientError as error:
        if "already existing" not in error.response["Error"]["Message"]:
            raise


def remove(thing: Hosted) -> None:
    """Delete the resource. Idempotent: one that does not exist counts as deleted."""
    *_, name, delete = KINDS[thing.kind]
    try:
        getattr(clients.sagemaker(), delete)(**{name: thing.name})
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        if "Could not find" not in error.response["Error"]["Message"]:
            raise
