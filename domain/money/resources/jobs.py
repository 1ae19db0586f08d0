"""SageMaker: training and processing jobs by the hour, and the endpoint of a release, serverless or always on."""

from domain.config.sections import Batch, Monitoring
from domain.money.instances import check_use
from domain.money.prices import Prices, cost_usd, find
from domain.money.resources.lines import Line, line
from domain.money.schedule import HOURS_PER_MONTH
from domain.money.template import Json, Resource
from domain.money.usage import KB_PER_GB, Month

SAGEMAKER = "AmazonSageMaker"
MINUTES_PER_HOUR = 60.0
JOBS = {"Train": "training", "Processing": "processing"}
COUNTED_ROWS_PER_SECOND = 100_000.0  # of captured answers, by a small machine


def job_lines(resource: Resource, usage: Month, prices: Prices, flow: str, state: Json, runs: float) -> list[Line]:
    """The machines of the job that a state starts, and their disks; nothing where it starts none."""
    call = state.get("Resource", "")
    if "createTrainingJob" in call:
        hours = _training_hours(usage) * runs
        return machine_lines(resource, prices, flow, "Train", _training_machine(state, usage), hours)
    if "createProcessingJob" in call:
        hours = PROCESSING_HOURS[flow](usage) * runs
        return machine_lines(resource, prices, flow, "Processing", _processing_machine(state, usage, flow), hours)
    return []


def _training_hours(month: Month) -> float:
    minutes = month.usage.training_minutes + month.usage.start_minutes
    return minutes / MINUTES_PER_HOUR * (1 - month.usage.spot_saving_percent / 100 * month.config.training.spot)


def _evaluation_hours(month: Month) -> float:
    return (month.usage.evaluation_minutes + month.usage.start_minutes) / MINUTES_PER_HOUR


def _scoring_hours(month: Month) -> float:
    """Machine-hours of one batch run: more machines finish sooner, but each of them has to start."""
    rows_s = month.usage.rows_per_batch / month.usage.batch_rows_per_second
    return (rows_s / 60.0 + month.config.batch.instances * month.usage.start_minutes) / MINUTES_PER_HOUR


def _counting_hours(month: Month) -> float:
    """Machine-hours of counting one window; a job whose window has no answer is not even started."""
    rows = month.predictions / month.watch_runs if month.watch_runs else 0.0
    minutes = rows / COUNTED_ROWS_PER_SECOND / 60.0 + month.usage.start_minutes
    return minutes / MINUTES_PER_HOUR if rows else 0.0


PROCESSING_HOURS = {"batch": _scoring_hours, "train": _evaluation_hours, "watch": _counting_hours}


def _training_machine(state: Json, month: Month) -> tuple[str, float]:
    resources = arguments(state).get("ResourceConfig", {})
    return machine(resources, month.config.training.instance, month.config.training.volume_gb)


def _processing_machine(state: Json, month: Month, flow: str) -> tuple[str, float]:
    config = month.config
    of_flow: dict[str, Batch | Monitoring] = {"batch": config.batch, "watch": config.monitoring}
    settings = of_flow.get(flow, config.training)
    resources = arguments(state).get("ProcessingResources", {})
    return machine(
        resources.get("ClusterConfig", {}) if isinstance(resources, dict) else {}, settings.instance, settings.volume_gb
    )


def jobs_usd(month: Month, prices: Prices, *, trains: bool = True) -> float | None:
    """Return the list price of the jobs of one training run, in dollars: training, unless it only evaluates, and
    evaluation, with their disks; None if a price is not known.
    """
    training = month.config.training
    hours = {
        "Train": _training_hours(month) * month.candidates if trains else 0.0,
        "Processing": _evaluation_hours(month),
    }
    total = 0.0
    for use, spent in hours.items():
        instance = find(prices, SAGEMAKER, f"{use}:{training.instance}")
        disk = find(prices, SAGEMAKER, f"{use}:VolumeUsage.gp2")
        if instance is None or disk is None:
            return None
        total += cost_usd(instance, spent) + cost_usd(disk, training.volume_gb * spent / HOURS_PER_MONTH)
    return total


def arguments(state: Json) -> Json:
    arguments = state.get("Arguments", state.get("Parameters", {}))
    return arguments if isinstance(arguments, dict) else {}


def machine(resources: Json, instance: str, volume_gb: float) -> tuple[str, float]:
    """What the state says; the settings where it takes them from its input."""
    named = resources.get("InstanceType", "") if isinstance(resources, dict) else ""
    volume = resources.get("VolumeSizeInGB") if isinstance(resources, dict) else None
    return (
        named if str(named).startswith("ml.") else instance,
        volume if isinstance(volume, (int, float)) else volume_gb,
    )


def machine_lines(
    resource: Resource, prices: Prices, flow: str, use: str, what: tuple[str, float], hours: float
) -> list[Line]:
    instance, volume_gb = what
    check_use(instance, use, resource.name)
    fixed, job = flow != "batch", JOBS[use]
    disk = (SAGEMAKER, f"{use}:VolumeUsage.gp2")
    return [
        line(
            resource,
            prices,
            flow=flow,
            what=f"{job} on {instance}",
            price=(SAGEMAKER, f"{use}:{instance}"),
            quantity=hours,
            fixed=fixed,
        ),
        line(
            resource,
            prices,
            flow=flow,
            what=f"{job}, {volume_gb:g} GB disk",
            price=disk,
            quantity=volume_gb * hours / HOURS_PER_MONTH,
            fixed=fixed,
        ),
    ]


def endpoint_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    """The endpoint of the champion, the previous one kept for a rollback, and the data through them."""
    serving = usage.config.serving
    if serving.mode == "function":
        return []
    lines = [
        line(
            resource,
            prices,
            flow="request",
            what=f"data {way.lower()}",
            price=(SAGEMAKER, f"Hst:Data-Bytes-{way}"),
            quantity=usage.scored_requests * kb / KB_PER_GB,
        )
        for way, kb in (("In", usage.usage.request_kb), ("Out", usage.usage.reply_kb))
    ]
    if serving.mode == "serverless":
        seconds = (usage.scored_requests + usage.compared_calls + usage.paced_calls) * usage.usage.scoring_ms / 1000.0
        price = (SAGEMAKER, f"ServerlessInf:Mem-{serving.memory_mb // 1024}GB")
        what = f"serverless endpoint, {serving.memory_mb} MB"
        return [line(resource, prices, flow="request", what=what, price=price, quantity=seconds), *lines]
    check_use(serving.instance, "Host", "serving.instance")
    return [
        line(
            resource,
            prices,
            flow="request",
            what=f"endpoint on {serving.instances} x {serving.instance}",
            price=(SAGEMAKER, f"Host:{serving.instance}"),
            quantity=_endpoint_hours(usage),
            fixed=True,
        ),
        *lines,
    ]


def _endpoint_hours(month: Month) -> float:
    """Machine-hours of the champion in its office hours, of each previous one for as long as it is kept, and of each
    release that is on its way or compared in an experiment.
    """
    kept = month.training_runs * month.config.release.keep_previous_minutes / MINUTES_PER_HOUR
    coming = month.compared_minutes / MINUTES_PER_HOUR
    return month.config.serving.instances * (HOURS_PER_MONTH * sum(month.up) / len(month.up) + kept + coming)
