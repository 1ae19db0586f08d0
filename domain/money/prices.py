"""The price table: what AWS charges for a unit, from which quantity on, with source, date and confidence.

prices.csv is the only place that holds prices. A missing price is unknown, never zero.
"""

import csv
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

SHIPPED = Path(__file__).parent / "data" / "prices.csv"
COLUMNS = (
    "service",
    "usage_type",
    "operation",
    "from_quantity",
    "description",
    "unit",
    "usd_per_unit",
    "region",
    "source",
    "source_date",
    "confidence",
)
Row = dict[str, str]  # a row of the table, with COLUMNS
CONFIDENCES = ("high", "medium", "low")
EVERYWHERE = "global"
OLD_AFTER_DAYS = 180  # age at which to warn
STALE_AFTER_DAYS = 365  # age at which `--within-budget` refuses to decide


class PriceError(Exception):
    """Report that the price table cannot be used; `problems` has one sentence for each mistake."""

    def __init__(self, file: str, problems: list[str]):
        self.problems = problems
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))


@dataclass(frozen=True)
class Tier:
    from_quantity: float
    usd: float
    dated: str  # empty if unknown
    confidence: str


@dataclass(frozen=True)
class Price:
    """Price of a unit; the first tier starts at 0."""

    published: str  # usage type as AWS writes it, with the region's prefix
    service: str
    usage_type: str
    operation: str
    unit: str
    tiers: tuple[Tier, ...]


# Prices of one region, by (service, usage type without the region's prefix, operation).
Prices = dict[tuple[str, str, str], Price]


def read_prices(region: str, file: Path = SHIPPED) -> Prices:
    """Read the prices of one region. Raises PriceError naming every unusable row."""
    rows = [row for row in read_rows(file) if row["region"] in (region, EVERYWHERE)]
    by_key: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        by_key.setdefault(key_of(row), []).append(row)
    return {key: _price_of(key, tiers) for key, tiers in by_key.items()}


def read_rows(file: Path = SHIPPED) -> list[Row]:
    with open(file, newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise PriceError(str(file), [f"columns = {reader.fieldnames}: must be {', '.join(COLUMNS)}"])
        rows = list(reader)
    problems = [f"line {number}: {problem}" for number, row in enumerate(rows, 2) for problem in _row_problems(row)]
    problems += _tier_problems(rows)
    if problems:
        raise PriceError(str(file), problems)
    return rows


def _row_problems(row: Row) -> list[str]:
    problems = [
        f"{column} = {row[column]!r}: must be a number, 0 or more"
        for column in ("from_quantity", "usd_per_unit")
        if not _is_amount(row[column])
    ]
    if row["confidence"] not in CONFIDENCES:
        problems.append(f"confidence = {row['confidence']!r}: must be one of {', '.join(CONFIDENCES)}")
    return problems


def _is_amount(text: str) -> bool:
    return bool(re.fullmatch(r"\d+(\.\d+)?(e-?\d+)?", text))


def _tier_problems(rows: list[Row]) -> list[str]:
    """Describe prices without a tier from 0, or with a tier that is listed twice."""
    starts: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        starts.setdefault((row["region"], *key_of(row)), []).append(row["from_quantity"])
    return [
        f"{' '.join(filter(None, key))}: tiers from {', '.join(found)}: must include 0, and each tier once"
        for key, found in starts.items()
        if "0" not in found or len(set(found)) < len(found)
    ]


def key_of(row: Row) -> tuple[str, str, str]:
    return row["service"], without_region(row["usage_type"], row["region"]), row["operation"]


def without_region(usage_type: str, region: str) -> str:
    """Remove the region from a usage type: `USE1-Host:ml.m5.large` and `EU-Host:ml.m5.large` are the same; KMS writes
    it in full.
    """
    return re.sub(rf"^({re.escape(region)}|EU|[A-Z]{{3}}\d{{1,2}})-", "", usage_type)


def _price_of(key: tuple[str, str, str], rows: list[Row]) -> Price:
    tiers = sorted((_tier_of(row) for row in rows), key=lambda tier: tier.from_quantity)
    return Price(rows[0]["usage_type"], *key, rows[0]["unit"], tuple(tiers))


def _tier_of(row: Row) -> Tier:
    dated = row["source_date"] if is_date(row["source_date"]) else ""
    return Tier(float(row["from_quantity"]), float(row["usd_per_unit"]), dated, row["confidence"])


def is_date(text: str) -> bool:
    return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", text))


def find(prices: Prices, service: str, usage_type: str, operation: str = "") -> Price | None:
    return prices.get((service, usage_type, operation))


def cost_usd(price: Price, quantity: float) -> float:
    """Return the cost of a month's `quantity`, each part of it at the rate of its tier."""
    ends = [tier.from_quantity for tier in price.tiers[1:]] + [float("inf")]
    return sum(
        tier.usd * (min(quantity, end) - tier.from_quantity)
        for tier, end in zip(price.tiers, ends, strict=True)
        if quantity > tier.from_quantity
    )


def tiers_used(price: Price, quantity: float) -> list[Tier]:
    return [tier for tier in price.tiers if tier.from_quantity < quantity] or [price.tiers[0]]


def age_days(dated: str, today: str) -> int:
    return (date.fromisoformat(today) - date.fromisoformat(dated)).days
