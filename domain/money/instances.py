"""SageMaker machines: which may host, train, process or transform, and how large they are.

instance_types.csv is botocore's own enumerations, use by use: an ml.t3 cannot host, no Graviton trains.
"""

import csv
import functools
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


@functools.cache
def types() -> dict[str, dict]:
    """{instance: {uses, vcpu, memory_gb}}; the sizes are None where nobody has looked them up."""
    with open(TYPES, newline="", encoding="utf-8") as lines:
        return {
            row["instance"]: {
                "uses": frozenset(row["uses"].split()),
                "vcpu": int(row["vcpu"]) if row["vcpu"] else None,
                "memory_gb": float(row["memory_gb"]) if row["memory_gb"] else None,
            }
            for row in csv.DictReader(lines)
        }


def usable(use: str) -> list[str]:
    """The machines of known size that may be put to this use."""
    return [name for name, each in types().items() if use in each["uses"] and each["vcpu"]]


def check_use(instance: str, use: str, where: str) -> None:
    if use not in types().get(instance, {"uses": ()})["uses"]:
        some = ", ".join(usable(use)[:6])
        raise InstanceError(f"{where}: {instance!r} cannot {USES[use]} on SageMaker; machines that can: {some}, ...")
