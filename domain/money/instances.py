"""SageMaker instance types: whether they may host, train, process or transform, and their size.

instance_types.csv lists botocore's own enumerations for each use: an ml.t3 cannot host, no Graviton instance trains.
"""

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

TYPES = Path(__file__).parent / "data" / "instance_types.csv"
USES = {
    "Host": "host an endpoint",
    "Train": "train",
    "Processing": "run a processing job",
    "Tsform": "run a batch transform",
}
BURSTABLE = "ml.t2."  # cannot be scaled automatically


class InstanceError(ValueError):
    """Report that an instance type cannot be used for a purpose; the message names some that can."""


@dataclass(frozen=True, slots=True)
class InstanceType:
    """Uses of an instance type, and its size; None if the size is not known."""

    uses: frozenset[str]  # Host, Train, Processing, Transform
    vcpu: int | None
    memory_gb: float | None


@functools.cache
def types() -> dict[str, InstanceType]:
    """Return the instance types by name."""
    with open(TYPES, newline="", encoding="utf-8") as lines:
        return {
            row["instance"]: InstanceType(
                uses=frozenset(row["uses"].split()),
                vcpu=int(row["vcpu"]) if row["vcpu"] else None,
                memory_gb=float(row["memory_gb"]) if row["memory_gb"] else None,
            )
            for row in csv.DictReader(lines)
        }


def usable(use: str) -> list[str]:
    """Return the instance types of known size that may be used for a purpose."""
    return [name for name, each in types().items() if use in each.uses and each.vcpu]


def check_use(instance: str, use: str, where: str) -> None:
    if instance not in types() or use not in types()[instance].uses:
        some = ", ".join(usable(use)[:6])
        allowed = f"must be an instance type that can {USES[use]} on SageMaker, such as {some}"
        raise InstanceError(f"{where} = {instance!r}: {allowed}")
