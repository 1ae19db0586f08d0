"""Quotas of an account, and the cold start of a serverless endpoint: two settings, off by default.

FAIRWAY_QUOTAS is `new-account`, for what AWS gives to begin with, or a JSON object with any of NEW_ACCOUNT's names.
FAIRWAY_COLD_START_S is how long the first request to a serverless endpoint waits, and the first one after it was idle.
"""

import json
import os
import time

from local.sagemaker.engine import Engine
from local.sagemaker.errors import SageMakerError

# Instances are counted by type, as on AWS. From accounts in their first days; AWS publishes only larger numbers.
NEW_ACCOUNT = {"training_instances": 1, "processing_instances": 1, "serverless_concurrency": 10}
INSTANCES = {"training_instances": "training", "processing_instances": "processing"}
CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"
COLD_AFTER_IDLE_S = 300
ENDED = ("Completed", "Failed", "Stopped")


def quotas() -> dict[str, int]:
    """Return {name: quota}; quotas that are not named are unlimited."""
    setting = os.environ.get("FAIRWAY_QUOTAS", "")
    return NEW_ACCOUNT if setting == "new-account" else json.loads(setting or "{}")


def check_instances(engine: Engine, kind: str, cluster: dict) -> None:
    """Refuse a job with too many instances beside those that run; `cluster` has its InstanceType and InstanceCount."""
    instance, wanted = cluster.get("InstanceType"), cluster.get("InstanceCount", 1)
    used = sum(
        machines.get("InstanceCount", 1)
        for record in engine.store.all(kind)
        if record[f"{kind}Status"] not in ENDED
        and (machines := _cluster_of(kind, record)).get("InstanceType") == instance
    )
    name = {"TrainingJob": "training_instances", "ProcessingJob": "processing_instances"}[kind]
    _check(name, f"{instance} for {INSTANCES[name]} job usage", used, wanted)


def _cluster_of(kind: str, record: dict) -> dict:
    return record["ResourceConfig"] if kind == "TrainingJob" else record["ProcessingResources"]["ClusterConfig"]


def check_concurrency(engine: Engine, config: dict, *, besides: str) -> None:
    """Refuse an endpoint whose serverless variants would ask for too much beside those of all other endpoints."""
    others = [record for record in engine.store.all("Endpoint") if record["EndpointName"] != besides]
    configs = [engine.store.get("EndpointConfig", record["EndpointConfigName"]) for record in others]
    used = sum(_concurrency(each) for each in configs if each)
    _check("serverless_concurrency", CONCURRENCY, used, _concurrency(config))


def _concurrency(config: dict) -> int:
    return sum(variant.get("ServerlessConfig", {}).get("MaxConcurrency", 0) for variant in config["ProductionVariants"])


def _check(name: str, what: str, used: int, wanted: int) -> None:
    most = quotas().get(name)
    if most is not None and used + wanted > most:
        raise SageMakerError(
            "ResourceLimitExceeded",
            f"The account-level service limit '{what}' is {most}, with current utilization of {used} and a request "
            f"delta of {wanted}. Please use AWS Service Quotas to request an increase for this quota.",
        )


def wait_for_container(last_used: float, now: float) -> None:
    """Wait as long as an idle serverless endpoint needs to start a container."""
    cold_s = float(os.environ.get("FAIRWAY_COLD_START_S") or 0)
    if cold_s and now - last_used > COLD_AFTER_IDLE_S:
        time.sleep(cold_s)
