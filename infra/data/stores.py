"""Stores of the data stack, as passed to the flows of the service stack."""

from dataclasses import dataclass

from infra.data.lake import Lake
from infra.data.registry import Registry
from infra.data.tables import Tables


@dataclass(frozen=True)
class Stores:
    """What a flow reads and writes; it survives the service stack."""

    lake: Lake
    tables: Tables
    registry: Registry
