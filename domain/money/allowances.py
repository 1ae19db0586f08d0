"""Permanent free allowances of an account.

They belong to the account and not to a stage, so they count only on request.
"""

import csv
import dataclasses
import functools
from pathlib import Path

from domain.money.prices import without_region
from domain.money.resources.lines import Line

ALLOWANCES = Path(__file__).parent / "data" / "allowances.csv"


@functools.cache
def _allowances() -> list[tuple[str, frozenset[str], float]]:
    """Return (service, the usage types that share it, quantity a month) for each allowance."""
    with open(ALLOWANCES, newline="", encoding="utf-8") as lines:
        return [
            (row["service"], frozenset(row["usage_types"].split()), float(row["quantity"]))
            for row in csv.DictReader(lines)
        ]


def with_allowances(lines: list[Line], region: str) -> list[Line]:
    """Subtract each allowance proportionally from all lines that share it; quantities remain the usage."""
    billed = list(lines)
    for service, usage_types, quantity in _allowances():
        sharing = [
            number
            for number, line in enumerate(lines)
            if line.service == service and without_region(line.usage_type, region) in usage_types
        ]
        used = sum(lines[number].quantity for number in sharing)
        for number in sharing:
            billed[number] = _less(lines[number], max(0.0, 1 - quantity / used) if used else 0.0)
    return billed


def _less(line: Line, share: float) -> Line:
    return dataclasses.replace(line, unit_usd=(line.unit_usd or 0.0) * share, monthly_usd=line.usd * share)
