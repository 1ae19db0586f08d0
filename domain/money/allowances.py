"""What every account has for nothing, for ever. It is the account's and not the stage's, so it counts only where asked
for.
"""

import csv
import functools
from pathlib import Path

from domain.money.prices import without_region

ALLOWANCES = Path(__file__).parent / "data" / "allowances.csv"


@functools.cache
def allowances() -> list[tuple[str, frozenset[str], float]]:
    """(service, the usage types that share it, quantity a month)."""
    with open(ALLOWANCES, newline="", encoding="utf-8") as lines:
        return [
            (row["service"], frozenset(row["usage_types"].split()), float(row["quantity"]))
            for row in csv.DictReader(lines)
        ]


def with_allowances(lines: list[dict], region: str) -> list[dict]:
    """The lines with each allowance taken off in equal parts from all that share it; quantities stay what is used."""
    billed = list(lines)
    for service, usage_types, quantity in allowances():
        sharing = [
            number
            for number, line in enumerate(lines)
            if line["service"] == service and without_region(line["usage_type"], region) in usage_types
        ]
        used = sum(lines[number]["quantity"] for number in sharing)
        for number in sharing:
            billed[number] = less(lines[number], max(0.0, 1 - quantity / used) if used else 0.0)
    return billed


def less(line: dict, share: float) -> dict:
    return {**line, "unit_usd": line["unit_usd"] * share, "monthly_usd": line["monthly_usd"] * share}
