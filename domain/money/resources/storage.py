"""Storage: the lake's folders by age and storage class under its lifecycle rules, and container images."""

import json
import math
from dataclasses import dataclass

from domain import lake
from domain.money.prices import Prices
from domain.money.resources.lines import Line, line
from domain.money.template import Json, Resource
from domain.money.usage import BYTES_PER_GB, DAYS_PER_MONTH, Month

MB_PER_GB = 1024.0
FOREVER = math.inf
LEAST_TO_MOVE_BYTES = 128 * 1024  # S3 does not move smaller objects, since moving costs more than it saves
RESULT_BYTES = 100.0  # one compressed line of a batch's results
COMPRESSED, FOOTER_BYTES = 0.12, 2500.0  # of a stored prediction in Parquet, and of a file without rows: measured
RUN_OBJECTS, RUN_MB = 20, 1.0  # settings, manifests and evaluation of one training run

STORAGE = {  # class: (usage type of a GB-month, usage type and operation of moving an object to it)
    "STANDARD": ("TimedStorage-ByteHrs", ()),
    "STANDARD_IA": ("TimedStorage-SIA-ByteHrs", ("Requests-Tier4", "S3-SIATransition")),
    "INTELLIGENT_TIERING": ("TimedStorage-INT-FA-ByteHrs", ("Requests-Tier4", "S3-SIATransition")),
    "GLACIER_IR": ("TimedStorage-GIR-ByteHrs", ("Requests-Tier4", "S3-GIRTransition")),
    "GLACIER": ("TimedStorage-GlacierByteHrs", ("Requests-Tier3", "S3-GlacierTransition")),
    "DEEP_ARCHIVE": ("TimedStorage-GDA-ByteHrs", ("Requests-Tier3", "S3-GDATransition")),
}


@dataclass(frozen=True)
class Arrival:
    """What a folder of the lake gains in a month."""

    prefix: str
    gb: float
    objects: float


def arrivals(month: Month) -> list[Arrival]:
    usage = month.usage
    artefacts_gb = month.training_runs * month.candidates * usage.artefact_mb / MB_PER_GB
    batch_gb = month.batch_rows * (2 * usage.row_bytes + RESULT_BYTES) / BYTES_PER_GB  # input, answers, results
    return [
        Arrival(lake.ROWS, usage.rows_loaded * usage.row_bytes / BYTES_PER_GB, DAYS_PER_MONTH),  # one load a day
        Arrival(lake.ARTEFACTS, artefacts_gb, month.training_runs * month.candidates),
        Arrival(lake.CAPTURED, _captured_bytes(month) / BYTES_PER_GB, month.captures),
        Arrival(lake.RUNS, month.training_runs * RUN_MB / MB_PER_GB, month.training_runs * RUN_OBJECTS),
        Arrival(lake.BATCH, batch_gb, month.chunks + month.batch_runs * 4 * month.config.batch.instances),
        Arrival(lake.SCRATCH, artefacts_gb, month.training_runs * month.candidates),  # checkpoints
    ]


def _captured_bytes(month: Month) -> float:
    return month.predictions * month.usage.prediction_bytes * COMPRESSED + month.captures * FOOTER_BYTES


def bucket_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    """Price a bucket after [usage] months of data, under its own rules; a bucket other than the lake holds next to
    nothing.
    """
    lines = _stored_lines(resource, usage, prices, _active_rules(resource))
    puts = sum(each.objects for each in arrivals(usage))
    gets = puts * (1 + usage.candidates)  # training, evaluation and batch read every part again
    for what, usage_type, quantity in (("writes", "Requests-Tier1", puts), ("reads", "Requests-Tier2", gets)):
        lines.append(
            line(
                resource, prices, flow="store", what=what, price=("AmazonS3", usage_type), quantity=quantity, fixed=True
            )
        )
    return lines


def lifecycle_saving_usd(resource: Resource, usage: Month, prices: Prices) -> float:
    """Return what the bucket's rules save a month, compared with moving and deleting nothing."""
    kept = _stored_lines(resource, usage, prices, [])
    ruled = _stored_lines(resource, usage, prices, _active_rules(resource))
    return sum(each.usd for each in kept) - sum(each.usd for each in ruled)


def _stored_lines(resource: Resource, usage: Month, prices: Prices, rules: list[Json]) -> list[Line]:
    versioned = resource.properties.get("VersioningConfiguration", {}).get("Status") == "Enabled"
    gb: dict[str, float] = {"STANDARD": 0.0}
    moved: dict[str, float] = {}
    for arrival in arrivals(usage):
        for storage, start, end in stages(arrival, rules, versioned) if arrival.objects else ():
            days = max(0.0, min(end, usage.usage.months * DAYS_PER_MONTH) - start)
            gb[storage] = gb.get(storage, 0.0) + arrival.gb * days / DAYS_PER_MONTH
            if start > 0 and days > 0:
                moved[storage] = moved.get(storage, 0.0) + arrival.objects
    amounts: list[tuple[str, tuple[str, ...], float]] = [
        (f"kept as {storage}", (STORAGE[storage][0],), quantity) for storage, quantity in gb.items()
    ]
    amounts += [(f"moved to {storage}", STORAGE[storage][1], quantity) for storage, quantity in moved.items()]
    return [
        line(resource, prices, flow="store", what=what, price=("AmazonS3", *price), quantity=quantity, fixed=True)
        for what, price, quantity in amounts
    ]


def stages(arrival: Arrival, rules: list[Json], versioned: bool) -> list[tuple[str, float, float]]:
    """Return (storage class, age in days at which it begins, age at which it ends) of a folder's objects, from Standard
    on.
    """
    own = [rule for rule in rules if arrival.prefix.startswith(_prefix_of(rule))]
    size = arrival.gb * BYTES_PER_GB / arrival.objects
    large_enough = [
        rule for rule in own if size >= LEAST_TO_MOVE_BYTES and size > float(rule.get("ObjectSizeGreaterThan", 0))
    ]
    moves = sorted(
        {
            (move["TransitionInDays"], move["StorageClass"])
            for rule in large_enough
            for move in rule.get("Transitions", [])
        }
    )
    end = _end_of_life(own, versioned)
    starts = [(0.0, "STANDARD"), *((float(days), storage) for days, storage in moves if days < end)]
    ends = [start for start, _ in starts[1:]] + [end]
    return [(storage, start, until) for (start, storage), until in zip(starts, ends, strict=True)]


def _end_of_life(own: list[Json], versioned: bool) -> float:
    """Return the days until an object is gone; in a versioned bucket an expired object remains as an old version for a
    while.
    """
    expires = min((rule["ExpirationInDays"] for rule in own if "ExpirationInDays" in rule), default=FOREVER)
    old = min((days for rule in own if (days := old_version_days(rule))), default=FOREVER)
    return expires + old if versioned else expires


def old_version_days(rule: Json) -> float | None:
    nested = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")
    return nested or rule.get("NoncurrentVersionExpirationInDays")


def _active_rules(resource: Resource) -> list[Json]:
    rules = resource.properties.get("LifecycleConfiguration", {}).get("Rules", [])
    return [rule for rule in rules if rule.get("Status") == "Enabled"]


def _prefix_of(rule: Json) -> str:
    return str(rule.get("Prefix") or rule.get("Filter", {}).get("Prefix", ""))


def repository_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    """ECR stores a layer once, however many images share it, so the cost depends on how often dependencies change:
    monthly.
    """
    kept = min(usage.usage.months, _images_kept(resource))
    price, quantity = ("AmazonECR", "TimedStorage-ByteHrs"), kept * usage.usage.image_gb
    return [line(resource, prices, flow="store", what=f"{kept:g} images", price=price, quantity=quantity, fixed=True)]


def _images_kept(resource: Resource) -> float:
    policy = resource.properties.get("LifecyclePolicy", {}).get("LifecyclePolicyText")
    selections = [rule["selection"] for rule in json.loads(policy)["rules"]] if policy else []
    return min(
        (each["countNumber"] for each in selections if each["countType"] == "imageCountMoreThan"), default=math.inf
    )
