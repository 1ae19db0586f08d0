"""SageMaker machines: which may host, train, process or transform, and how large they are.

instance_types.csv is botocore's own enumerations, use by use: an ml.t3 cannot host, no Graviton trains.
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
    """The machine cannot be put to this use; the message names some that can."""


@dataclass(frozen=True, slots=True)
class InstanceType:
    """What an instance may be used for, and its size; None where the size is not known."""

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
    """The machines of known size that may be put to this use."""
    return [name for name, each in types().items() if use in each.uses and each.vcpu]


def check_use(instance: str, use: str, where: str) -> None:
    if instance not in types() or use not in types()[instance].uses:
        some = ", ".join(usable(use)[:6])
        raise InstanceError(f"{where}: {instance!r} cannot {USES[use]} on SageMaker; machines that can: {some}, ...")
