"""Hourly: announce and remove SageMaker resources of this stage that belong to no routing entry, release or run.

Only resources with our tag are touched, whoever created them: a name with the same beginning may be another project's.
A young resource is left alone, as its creator may not have recorded it yet.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, cast

from domain.money.prices import find, read_prices
from domain.money.schedule import HOURS_PER_MONTH
from domain.names import Metric
from domain.records import release_key, runs_query
from domain.release.routing import Routing, endpoints_in_use
from domain.release.state import GIVEN_UP, ReleaseItem, ReleaseState
from domain.runs import BatchItem, RunKind, RunStatus, TrainItem
from domain.timestamps import iso, parse_timestamp
from lambdas import metrics
from lambdas.aws import clients, tables
from lambdas.aws.hosting import Hosted, remove
from lambdas.aws.routes import read_routing
from lambdas.aws.topics import announce
from lambdas.money.billed import Billed, Kind, endpoints, notebooks, processing_jobs, training_jobs
from lambdas.settings import CONFIG

ROUTING = os.environ["ROUTING_TABLE"]
RUNS = os.environ["RUNS_TABLE"]
PREFIX = os.environ["ENDPOINT_PREFIX"]
ALARMS = os.environ["ALARMS"]
YOUNG = timedelta(minutes=15)


class Reaped(TypedDict):
    """Names of the removed resources, and the saving."""

    ended: list[str]
    saves_usd_per_month: float


class NotEnded(Exception):
    """Report that a forgotten resource could not be removed; the message names it and gives the reason.

    The others were.
    """


def handler(event: dict[str, Any], context: object) -> Reaped:
    now = parse_timestamp(event.get("time", "")) or datetime.now(UTC)  # EventBridge sends the scheduled hour
    is_used = _use_of_endpoints(read_routing(ROUTING), now)
    jobs = [*training_jobs(), *processing_jobs()]
    return reap(
        [*endpoints(is_used), *jobs, *notebooks()],
        now=now,
        runs=_runs_under_way(jobs),
        end=_end,
        announce=_announce,
    )


def reap(
    things: list[Billed],
    *,
    now: datetime,
    runs: set[str],
    end: Callable[[Billed], None],
    announce: Callable[[Billed, float], None],
) -> Reaped:
    """Remove what is forgotten. Each resource is announced first, with its monthly cost, so that a trace remains.

    Raises NotEnded after all of them were tried.
    """
    forgotten = [thing for thing in things if now - thing.created >= YOUNG and not _is_known(thing, runs)]
    problems = []
    for thing in forgotten:
        announce(thing, monthly_usd(thing))
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


def _is_known(thing: Billed, runs: set[str]) -> bool:
    return thing.used or any(_is_of(thing, run) for run in runs)


def _is_of(thing: Billed, run: str) -> bool:
    return f"/{run}/" in thing.writes_to


def monthly_usd(thing: Billed) -> float:
    """Return what the resource would cost a month; 0 if its price is unknown."""
    price = find(PRICES, "AmazonSageMaker", thing.instance_hour)
    return price.tiers[0].usd * thing.instances * HOURS_PER_MONTH if price else 0.0


PRICES = read_prices(CONFIG.target.region)


# ---- what is in use


def _use_of_endpoints(routing: Routing, now: datetime) -> Callable[[str], bool]:
    """Return a function that says whether an endpoint answers, may answer after a rollback, or belongs to a release.

    Those are left to Retire, except the endpoint of a failed release, which Undo could not delete while it was being
    created. While the model is stopped nothing retires, so a champion is kept only for the rollback time.
    """
    keep_since = iso(now - timedelta(minutes=CONFIG.release.keep_previous_minutes))
    kept = endpoints_in_use(routing, keep_since=keep_since)
    stopped = bool(routing["version"] and routing["champion"] is None)

    def is_used(name: str) -> bool:
        release = cast(ReleaseItem, tables.get(ROUTING, release_key(name.removeprefix(PREFIX))) or {})
        given_up = {*GIVEN_UP, *((ReleaseState.CHAMPION, ReleaseState.PREVIOUS) if stopped else ())}
        return name in kept or (bool(release) and release.get("state") not in given_up)

    return is_used


def _runs_under_way(jobs: list[Billed]) -> set[str]:
    """Name the runs that may have jobs: those that run, and those whose release is being deployed and replayed."""
    items = (item for kind in (RunKind.TRAIN, RunKind.BATCH) for item in tables.query_all(RUNS, **runs_query(kind)))
    runs = list(cast(Iterator[TrainItem | BatchItem], items))
    running = {run["run"] for run in runs if run.get("status") == RunStatus.RUNNING}
    ended = [run for run in runs if run["run"] not in running and any(_is_of(job, run["run"]) for job in jobs)]
    return running | {run["run"] for run in ended if _is_deploying(run.get("release"))}


def _is_deploying(release: str | None) -> bool:
    item = (tables.get(ROUTING, release_key(release)) if release else None) or {}
    return item.get("state") == ReleaseState.DEPLOYING


# ---- effects


def _end(thing: Billed) -> None:
    """Stop or delete it. An endpoint's configuration and model stay: they cost nothing, and may be needed."""
    sagemaker = clients.sagemaker()
    if thing.kind is Kind.ENDPOINT:
        remove(Hosted("endpoint", thing.name, thing.created))
    elif thing.kind is Kind.TRAINING_JOB:
        sagemaker.stop_training_job(TrainingJobName=thing.name)
    elif thing.kind is Kind.PROCESSING_JOB:
        sagemaker.stop_processing_job(ProcessingJobName=thing.name)
    else:
        sagemaker.stop_notebook_instance(NotebookInstanceName=thing.name)


def _announce(thing: Billed, usd: float) -> None:
    message = (
        f"{thing.kind} {thing.name}, created {iso(thing.created)}, belongs to no routing entry, release or run; "
        f"ending it saves ${usd:,.2f} a month"
    )
    measured: dict[str, float] = {Metric.REAPED: 1, Metric.REAPED_USD: usd}
    print(metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=measured, message=message))
    announce(ALARMS, f"{CONFIG.prefix}: forgotten {thing.kind}", message)
