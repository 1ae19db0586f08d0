"""Lambda functions: each run is a request and gigabyte-seconds of memory."""

from domain.cost.lines import line
from domain.cost.prices import Prices
from domain.cost.template import Resource, verb_of
from domain.cost.usage import HOURS_PER_MONTH, SECONDS_PER_HOUR, Month

MB_PER_GB = 1024.0
FREE_TMP_MB = 512
DEPLOY_HANDLERS = ("index", "__entrypoint__", "framework")  # CDK's own functions: they run while a stack is deployed

# What each of our functions is for: its flow, how often it runs in a month, and how long each run takes in milliseconds.
RUNS = {
    "predict": lambda month: ("request", month.requests, month.usage.predict_ms),
    "outcomes": lambda month: ("watch", month.outcomes, month.usage.function_ms),
    "select_window": lambda month: ("train", month.training_runs, month.usage.function_ms),
    "judge": lambda month: ("train", month.training_runs, month.usage.function_ms),
    "smoke_test": lambda month: ("train", month.training_runs, month.usage.function_ms),
    "promote": lambda month: ("train", month.training_runs, month.usage.function_ms),
    "retire": lambda month: ("train", month.training_runs, month.usage.function_ms),
    "preprocess": lambda month: ("batch", month.batch_runs, month.usage.function_ms),
    "write_results": lambda month: ("batch", month.chunks, chunk_ms(month)),
    "close_batch": lambda month: ("batch", month.batch_runs, month.usage.function_ms),
    "guard": lambda month: ("watch", HOURS_PER_MONTH, month.usage.function_ms),
    "reap": lambda month: ("watch", HOURS_PER_MONTH, month.usage.function_ms),
    "remove_endpoints": lambda month: ("store", month.usage.deploys, month.usage.function_ms),
}


def chunk_ms(month: Month) -> float:
    rows = min(month.config.batch.rows_per_chunk, month.usage.rows_per_batch)
    return 1000.0 * rows / month.usage.written_rows_per_second


def runs_of(resource: Resource, month: Month) -> tuple[str, float, float] | None:
    verb = verb_of(resource)
    if verb in RUNS:
        return RUNS[verb](month)
    return ("store", month.usage.deploys, month.usage.function_ms) if verb in DEPLOY_HANDLERS else None


def function_lines(resource: Resource, usage: Month, prices: Prices) -> list[dict] | None:
    """None for a function that nothing here says how often it runs."""
    runs = runs_of(resource, usage)
    if runs is None:
        return None
    flow, count, ms = runs
    arm = "-ARM" if "arm64" in resource.properties.get("Architectures", []) else ""
    seconds = count * ms / 1000.0
    gb = resource.properties.get("MemorySize", 128) / MB_PER_GB
    fixed = flow not in ("request", "batch")
    found = [
        line(resource, prices, flow=flow, what="runs", price=("AWSLambda", f"Request{arm}"), quantity=count, fixed=fixed),
        line(
            resource,
            prices,
            flow=flow,
            what=f"{ms:g} ms x {gb * MB_PER_GB:g} MB",
            price=("AWSLambda", f"Lambda-GB-Second{arm}"),
            quantity=seconds * gb,
            fixed=fixed,
        ),
    ]
    return found + tmp_lines(resource, prices, flow, seconds, fixed) + snapshot_lines(resource, prices, flow, gb)


def tmp_lines(resource: Resource, prices: Prices, flow: str, seconds: float, fixed: bool) -> list[dict]:
    extra_mb = resource.properties.get("EphemeralStorage", {}).get("Size", FREE_TMP_MB) - FREE_TMP_MB
    if extra_mb <= 0:
        return []
    quantity = seconds * extra_mb / MB_PER_GB
    price = ("AWSLambda", "Lambda-Storage-GB-Second")
    return [line(resource, prices, flow=flow, what="/tmp beyond 512 MB", price=price, quantity=quantity, fixed=fixed)]


def snapshot_lines(resource: Resource, prices: Prices, flow: str, gb: float) -> list[dict]:
    """SnapStart is billed for as long as the snapshot is kept, used or not."""
    if resource.properties.get("SnapStart", {}).get("ApplyOn") != "PublishedVersions":
        return []
    quantity = gb * HOURS_PER_MONTH * SECONDS_PER_HOUR
    price = ("AWSLambda", "Lambda-SnapStart-Cached-GB-S")
    return [line(resource, prices, flow=flow, what="snapshot kept", price=price, quantity=quantity, fixed=True)]
