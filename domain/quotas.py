"""Account quotas that a stage needs for its settings; the names are those of AWS's Service Quotas."""

import math
from enum import StrEnum
from typing import NamedTuple

from domain.config.sections import Config
from domain.money.usage import month_of

WRITERS = 20  # files of a batch's results that are written concurrently
RELEASES_AT_ONCE = 2  # the champion and the release that replaces it
SERVERLESS_CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"
LAMBDA_CONCURRENCY = "Concurrent executions"
# Of "Memory size in MB per serverless endpoint", which Service Quotas does not list; it appears only in an error.
NEW_ACCOUNT_MEMORY_MB = 3072


class Need(NamedTuple):
    """A quota that a stage needs: below `least` something fails, below `wanted` it takes longer."""

    service: str  # code in Service Quotas
    quota: str
    least: int
    wanted: int
    why: str


class Verdict(StrEnum):
    """Whether a quota is enough for a need."""

    ENOUGH = "enough"
    WAITS = "waits"
    FAILS = "fails"


def verdict(need: Need, value: float) -> Verdict:
    """Compare the account's quota with what the stage needs."""
    if value < need.least:
        return Verdict.FAILS
    return Verdict.ENOUGH if value >= need.wanted else Verdict.WAITS


def needs(config: Config) -> list[Need]:
    """List the quotas that the stage needs; other stages and projects of the account need theirs in addition."""
    return [*_jobs(config), *_hosting(config), _functions(config)]


def _jobs(config: Config) -> list[Need]:
    training, batch = config.training, config.batch
    at_once = min(training.parallel, len(training.candidates))
    kind = "spot training" if training.spot else "training"
    why = f"training.parallel = {training.parallel} for {len(training.candidates)} candidates"
    machines = {training.instance: 1}
    machines[batch.instance] = max(machines.get(batch.instance, 0), batch.instances)
    return [
        Need("sagemaker", f"{training.instance} for {kind} job usage", 1, at_once, why),
        *(
            Need("sagemaker", f"{instance} for processing job usage", count, count, _processing(config, instance))
            for instance, count in machines.items()
        ),
    ]


def _processing(config: Config, instance: str) -> str:
    evaluated = ["the evaluation of a training run"] if instance == config.training.instance else []
    scored = [f"batch.instances = {config.batch.instances}"] if instance == config.batch.instance else []
    return " and ".join([*evaluated, *scored])


def _hosting(config: Config) -> list[Need]:
    serving = config.serving
    if serving.mode == "function":
        return []
    if serving.mode == "serverless":
        count, setting, name = serving.max_concurrency, "max_concurrency", SERVERLESS_CONCURRENCY
    else:
        count, setting, name = serving.instances, "instances", f"{serving.instance} for endpoint usage"
    needed = RELEASES_AT_ONCE * count
    why = f"serving.{setting} = {count}, twice, as a release and the champion before it stand side by side"
    return [Need("sagemaker", name, needed, needed, why)]


def _functions(config: Config) -> Need:
    """Return the concurrency that functions need; `least` is for the requests of the busiest hour and one flow, as a
    batch's writers are retried.
    """
    month = month_of(config)
    requests = math.ceil(max(month.rates) * month.usage.predict_ms / 1000) + 1
    why = f"{requests - 1} for the requests of the busiest hour by [usage], 1 for a flow, {WRITERS} for a batch"
    return Need("lambda", LAMBDA_CONCURRENCY, requests, requests + WRITERS, why)


def memory_problem(config: Config) -> str | None:
    """Return why serverless endpoints of this memory may be refused; None if a new account allows it."""
    memory = config.serving.memory_mb
    if config.serving.mode != "serverless" or memory <= NEW_ACCOUNT_MEMORY_MB:
        return None
    return (
        f"serving.memory_mb = {memory}: a new account has {NEW_ACCOUNT_MEMORY_MB} MB per serverless endpoint, and "
        "Service Quotas does not list what this one has"
    )
