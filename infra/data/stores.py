"""The stores of the data stack, as the flows of the service stack are handed them."""

from dataclasses import dataclass

from infra.data.lake import Lake
from infra.data.registry import Registry
from infra.data.tables import Tables


@dataclass(frozen=True)
class Stores:
    """What a flow reads and writes: it must survive the service stack."""

    lake: Lake
    tables: Tables
    registry: Registry
