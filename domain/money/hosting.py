"""Compare where a model can be hosted: serverless endpoint, always-on instances, or the function itself (serving.mode).

Each option has its cost by traffic and whether it may be used. Instances are counted for each hour of the week, as
autoscaling would set them: enough to score the hour's requests at `BUSY_SHARE` of the processors, and at least
`serving.instances`.
"""

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import TypedDict

from domain.carried import MOST_CARRIED_MB, PREDICT_MB
from domain.money.instances import BURSTABLE, types, usable
from domain.money.prices import Price, PriceError, Prices, cost_usd, find
from domain.money.schedule import HOURS_PER_MONTH
from domain.money.usage import HOURS_PER_WEEK, KB_PER_GB, Month

SAGEMAKER = "AmazonSageMaker"
SERVERLESS_MB = (1024, 2048, 3072, 4096, 5120, 6144)
GRAVITON = re.compile(r"ml\.[a-z]+\d+g[dn]*\.")  # c7g, m6gd, c7gn
FUNCTION = f"function {PREDICT_MB} MB"
VCPU_MB = 1769  # megabytes of memory at which a function has one processor
SYSTEM_MB = 512  # memory that the container needs in addition to the model
BUSY_SHARE = 0.6
STEP = 1.05
STEPS = [1000 * STEP**n for n in range(350)]  # from a thousand requests a month to 25 billion
WEEKS_PER_MONTH = HOURS_PER_MONTH / HOURS_PER_WEEK


@dataclass(frozen=True)
class Measured:
    """Measurements of the release to be hosted, from its evaluation."""

    scoring_ms: float
    p99_ms: float
    memory_mb: float
    size_mb: float


@dataclass(frozen=True)
class Option:
    kind: str  # of serving.mode: serverless, instance or function
    name: str
    memory_mb: float
    vcpu: int | None = None


class Row(TypedDict):
    """One option with its monthly cost, and the reasons why it may not be used."""

    option: str
    kind: str
    monthly_usd: float
    refused: list[str]


class BreakEven(TypedDict):
    """Requests a month from which on `above` is cheaper than `below`; None if it never is."""

    below: str
    above: str
    requests: float | None


class Comparison(TypedDict):
    """Every option, the cheapest first, and the traffic at which their costs cross."""

    options: list[Row]
    cheapest: str | None
    break_even: list[BreakEven]
    curve: list[dict[str, float]]
    savings_plan: str


def options(prices: Prices) -> list[Option]:
    """Return everything that can host a model and has a price here."""
    options = [Option("serverless", f"serverless {mb} MB", mb) for mb in SERVERLESS_MB if _serverless_price(prices, mb)]
    if find(prices, "AWSLambda", "Lambda-GB-Second-ARM"):
        options.append(Option("function", FUNCTION, PREDICT_MB))
    for name in usable("Host"):
        if find(prices, SAGEMAKER, f"Host:{name}"):
            size = types()[name]
            options.append(Option("instance", name, (size.memory_gb or 0.0) * 1024, size.vcpu))
    return options


def monthly_usd(option: Option, month: Month, measured: Measured, prices: Prices) -> float:
    """Return the monthly cost of hosting the model; the rest (API, tables, logs) is the same for all options."""
    seconds = month.requests * measured.scoring_ms / 1000.0
    if option.kind == "function":  # predict runs anyway, and in function mode scores instead of waiting for an endpoint
        processor_share = min(1.0, option.memory_mb / VCPU_MB)
        gb_seconds = seconds * (1 / processor_share - 1) * option.memory_mb / 1024
        return usd(find(prices, "AWSLambda", "Lambda-GB-Second-ARM"), gb_seconds)
    if option.kind == "serverless":
        scored = seconds * month.scored_requests / month.requests if month.requests else 0.0
        return usd(_serverless_price(prices, option.memory_mb), scored) + _data_usd(month, prices)
    machines = machines_by_hour(option, month, measured)
    hours = WEEKS_PER_MONTH * sum(count * share for count, share in zip(machines, month.up, strict=True))
    return usd(find(prices, SAGEMAKER, f"Host:{option.name}"), hours) + _data_usd(month, prices)


def usd(price: Price | None, quantity: float) -> float:
    """Return the cost of a quantity; options without a price were left out before."""
    if price is None:
        raise PriceError("prices.csv", ["a price that an option needs is missing; run `fairway prices refresh`"])
    return cost_usd(price, quantity)


def _serverless_price(prices: Prices, memory_mb: float) -> Price | None:
    return find(prices, SAGEMAKER, f"ServerlessInf:Mem-{memory_mb / 1024:g}GB")


def _data_usd(month: Month, prices: Prices) -> float:
    sizes = (("In", month.usage.request_kb), ("Out", month.usage.reply_kb))
    return sum(
        usd(find(prices, SAGEMAKER, f"Hst:Data-Bytes-{way}"), month.scored_requests * kb / KB_PER_GB)
        for way, kb in sizes
    )


def machines_by_hour(option: Option, month: Month, measured: Measured) -> list[int]:
    """Return the instances in each hour of the week; burstable ones cannot be scaled, so their busiest hour applies
    always.
    """
    each_rps = (option.vcpu or 1) * 1000.0 / measured.scoring_ms * BUSY_SHARE
    counts = [max(month.config.serving.instances, math.ceil(rate / each_rps)) for rate in month.rates]
    return [max(counts)] * HOURS_PER_WEEK if option.name.startswith(BURSTABLE) else counts


def refusals(option: Option, month: Month, measured: Measured) -> list[str]:
    """Return the reasons against an option: broken benchmarks, too little memory, too many concurrent requests."""
    benchmarks, serving, refusals = month.config.benchmarks, month.config.serving, []
    if measured.p99_ms > benchmarks.p99_ms:
        refusals.append(f"p99 {measured.p99_ms:g} ms, at most {benchmarks.p99_ms:g} ms was agreed")
    if measured.size_mb > benchmarks.size_mb:
        refusals.append(f"{measured.size_mb:g} MB, at most {benchmarks.size_mb:g} MB was agreed")
    if option.kind == "function" and measured.size_mb > MOST_CARRIED_MB:
        refusals.append(f"{measured.size_mb:g} MB, a function carries at most {MOST_CARRIED_MB} MB")
    needed = measured.memory_mb + (0 if option.kind == "function" else SYSTEM_MB)
    if needed > option.memory_mb:
        refusals.append(f"needs {needed:g} MB of memory, has {option.memory_mb:g} MB")
    at_once = max(month.rates) * measured.scoring_ms / 1000.0
    if GRAVITON.match(option.name):
        refusals.append("an Arm instance, but training needs x86 and there is one image for both")
    if option.kind == "serverless" and at_once > serving.max_concurrency:
        refusals.append(f"{at_once:.0f} requests at once, serving.max_concurrency is {serving.max_concurrency}")
    return refusals


def compare(month: Month, measured: Measured, prices: Prices) -> Comparison:
    """Compare all options at this month's traffic."""
    rows: list[Row] = [
        {
            "option": option.name,
            "kind": option.kind,
            "monthly_usd": monthly_usd(option, month, measured, prices),
            "refused": refusals(option, month, measured),
        }
        for option in options(prices)
    ]
    rows.sort(key=lambda row: row["monthly_usd"])
    allowed = [row["option"] for row in rows if not row["refused"]]
    by_name = {option.name: option for option in options(prices)}
    best = _cheapest_by_kind(rows, by_name)
    return {
        "options": rows,
        "cheapest": allowed[0] if allowed else None,
        "break_even": [
            each for a, b in PAIRS if (each := break_even(best.get(a), best.get(b), month, measured, prices))
        ],
        "curve": curve(list(best.values()), month, measured, prices),
        "savings_plan": savings_plan(best.get("instance"), month, measured, prices),
    }


PAIRS = (("serverless", "instance"), ("function", "instance"))


def _cheapest_by_kind(rows: list[Row], by_name: dict[str, Option]) -> dict[str, Option]:
    best: dict[str, Option] = {}
    for row in rows:
        if not row["refused"]:
            best.setdefault(row["kind"], by_name[row["option"]])
    return best


def scaled(month: Month, factor: float) -> Month:
    """Return the same week with a multiple of its requests."""
    return dataclasses.replace(
        month,
        rates=tuple(rate * factor for rate in month.rates),
        requests=month.requests * factor,
        predictions=month.predictions * factor,
        outcomes=month.outcomes * factor,
    )


def break_even(
    option: Option | None, other: Option | None, month: Month, measured: Measured, prices: Prices
) -> BreakEven | None:
    """Return the requests a month from which on `other` is cheaper, with this week's shape; None if it never is.

    The number of instances is whole, so costs may cross more than once: this is the first crossing, searched in steps
    of 5 %.
    """
    if not (option and other and month.requests):
        return None

    def dearer(requests: float) -> bool:
        there = scaled(month, requests / month.requests)
        return monthly_usd(option, there, measured, prices) > monthly_usd(other, there, measured, prices)

    above = next((requests for requests in STEPS if dearer(requests)), None)
    if above is None:
        return {"below": option.name, "above": other.name, "requests": None}
    below = above / STEP
    for _ in range(40):
        middle = (below + above) / 2
        below, above = (below, middle) if dearer(middle) else (middle, above)
    return {"below": option.name, "above": other.name, "requests": above}


def curve(options: list[Option], month: Month, measured: Measured, prices: Prices) -> list[dict[str, float]]:
    """Return the monthly cost at round numbers of requests, for the plot."""
    if not month.requests:
        return []
    return [
        {
            "requests": requests,
            **{
                option.name: monthly_usd(option, scaled(month, requests / month.requests), measured, prices)
                for option in options
            },
        }
        for requests in (10.0 ** (quarter / 4) for quarter in range(16, 37))  # from ten thousand to a billion
    ]


def savings_plan(option: Option | None, month: Month, measured: Measured, prices: Prices) -> str:
    """Advise on a Savings Plan, which pays only for instances that run around the clock."""
    if month.config.serving.mode != "instance" or option is None:
        why = "no instance of this stage runs around the clock"
        return f"No Savings Plan: {why} (serverless endpoints are not known to be covered)."
    if min(month.up) < 1:
        return "No Savings Plan: instances run only in the office hours, and a plan is paid for around the clock."
    floor = min(machines_by_hour(option, month, measured))
    price = find(prices, "SageMakerSavingsPlans", f"Host:{option.name}")
    on_demand = find(prices, SAGEMAKER, f"Host:{option.name}")
    head = f"{floor} x {option.name} run around the clock ({floor * HOURS_PER_MONTH:g} hours a month)"
    if price is None or on_demand is None:
        return f"{head}; a Savings Plan could cover them, but the price table has no rate for it."
    rate = price.tiers[0].usd
    saved = 1 - rate / on_demand.tiers[0].usd
    return f"{head}; committing to ${floor * rate:.3f} an hour saves {saved:.0%} of them."
