"""Lambda functions: each run is a request and gigabyte-seconds of memory."""

from dataclasses import dataclass

from domain.hours import sleeps
from domain.money.prices import Prices
from domain.money.resources.lines import Line, line
from domain.money.schedule import HOURS_PER_MONTH
from domain.money.template import Resource, verb_of
from domain.money.usage import SECONDS_PER_HOUR, Month

MB_PER_GB = 1024.0
FREE_TMP_MB = 512
DEPLOY_HANDLERS = ("index", "__entrypoint__", "framework")  # CDK's own functions: they run while a stack is deployed


@dataclass(frozen=True)
class Runs:
    """What a function is for and how often it runs; `fixed`: as often, however many predictions are asked."""

    flow: str
    count: float
    ms: float
    fixed: bool = True


def _training_step(month: Month) -> Runs:
    return Runs("train", month.training_runs, month.usage.function_ms)


def _paced(month: Month) -> Runs:
    return Runs("train", month.training_runs, 1000.0 * month.config.release.replay_seconds)


def _batch_step(month: Month) -> Runs:
    return Runs("batch", month.batch_runs, month.usage.function_ms)


def _watch_step(month: Month) -> Runs:
    return Runs("watch", month.watch_runs, month.usage.function_ms)


def _hourly_check(month: Month) -> Runs:
    return Runs("watch", HOURS_PER_MONTH, month.usage.function_ms)


def _five_minute_check(month: Month) -> Runs:
    return Runs("watch", HOURS_PER_MONTH * 12 * sleeps(month.config.serving), month.usage.function_ms)


def _deployment_step(month: Month) -> Runs:
    return Runs("store", month.usage.deploys, month.usage.function_ms)


RUNS = {
    "predict": lambda month: Runs("request", month.requests, month.usage.predict_ms, fixed=False),
    "outcomes": lambda month: Runs("watch", month.outcomes, month.usage.predict_ms, fixed=False),
    "capture": lambda month: Runs("watch", month.captures, month.usage.function_ms, fixed=False),
    "select_window": _training_step,
    "judge": _training_step,
    "verify_release": _training_step,
    "try_endpoint": _training_step,
    "plan_replay": _training_step,
    "pace_replay": _paced,
    "judge_replay": _training_step,
    "advance": lambda month: Runs("train", month.looks, month.usage.function_ms),
    "promote": _training_step,
    "retire": _training_step,
    "preprocess": _batch_step,
    "write_results": lambda month: Runs("batch", month.chunks, _chunk_ms(month), fixed=False),
    "close_batch": _batch_step,
    "choose_window": _watch_step,
    "judge_window": _watch_step,
    "decide": _watch_step,
    "guard": _hourly_check,
    "reap": _hourly_check,
    "hours": _five_minute_check,
    "remove_endpoints": _deployment_step,
    **dict.fromkeys(DEPLOY_HANDLERS, _deployment_step),
}


def _chunk_ms(month: Month) -> float:
    rows = min(month.config.batch.rows_per_chunk, month.usage.rows_per_batch)
    return 1000.0 * rows / month.usage.written_rows_per_second


def function_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line] | None:
    """None for a function that nothing here says how often it runs."""
    runs_of = RUNS.get(verb_of(resource))
    if runs_of is None:
        return None
    runs, properties = runs_of(usage), resource.properties
    arm = "-ARM" if "arm64" in properties.get("Architectures", []) else ""
    memory_mb = properties.get("MemorySize", 128)
    extra_mb = properties.get("EphemeralStorage", {}).get("Size", FREE_TMP_MB) - FREE_TMP_MB
    seconds = runs.count * runs.ms / 1000.0
    parts = [
        ("runs", f"Request{arm}", runs.count),
        (f"{runs.ms:g} ms x {memory_mb:g} MB", f"Lambda-GB-Second{arm}", seconds * memory_mb / MB_PER_GB),
    ]
    if extra_mb > 0:
        parts.append((f"/tmp beyond {FREE_TMP_MB} MB", "Lambda-Storage-GB-Second", seconds * extra_mb / MB_PER_GB))
    if (
        properties.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions"
    ):  # billed as long as it is kept, used or not
        kept = memory_mb / MB_PER_GB * HOURS_PER_MONTH * SECONDS_PER_HOUR
        parts.append(("snapshot kept", "Lambda-SnapStart-Cached-GB-S", kept))
    return [
        line(
            resource,
            prices,
            flow=runs.flow,
            what=what,
            price=("AWSLambda", usage_type),
            quantity=quantity,
            fixed=runs.fixed,
        )
        for what, usage_type, quantity in parts
    ]
