"""Refresh the price table from AWS's own price list files: matches are taken, suspicious ones refused, the rest kept.

The format is that of https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/<offer>/current/<region>/index.json. Usage
types are compared with and without the region's prefix, which cannot be derived from the region. One usage type can
stand for several operations at several prices; these are told apart by operation or left alone. Free first tiers are
skipped.
"""

import csv
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from domain.money.prices import COLUMNS, Row, is_date, key_of, without_region

JUMP = Decimal("0.3")
DEEP_ARCHIVE = "AmazonS3GlacierDeepArchive"  # S3's archive has a price list of its own
TOO_LARGE = {"AmazonEC2"}  # hundreds of megabytes, for a NAT gateway, which Fairway does not use


Json = dict[str, Any]  # an object of a price list
PriceKey = tuple[str, str, str]
Tiers = tuple[tuple[Decimal, Decimal, str], ...]  # (from quantity, US dollars, description) as AWS writes them
NO_TERM: Json = {"priceDimensions": {}}


@dataclass(frozen=True)
class Offered:
    """A product of a price list; tiers are (from quantity, US dollars, description) as AWS writes them."""

    usage_type: str
    operation: str
    tiers: Tiers


def offers_of(rows: list[Row], region: str) -> list[str]:
    """Return the price list files that a region's prices come from."""
    services = {row["service"] for row in rows if row["region"] == region}
    if any(_is_deep_archive(row) for row in rows if row["region"] == region):
        services.add(DEEP_ARCHIVE)
    return sorted(services - TOO_LARGE)


def _is_deep_archive(row: Row) -> bool:
    return row["service"] == "AmazonS3" and "GDA" in row["usage_type"]


def refreshed(
    rows: list[Row], documents: list[Json], region: str, *, accept: bool = False
) -> tuple[list[Row], dict[str, list[str]]]:
    """Return (rows, {updated, unchanged, refused, unmatched}); a refused or unmatched price keeps its row.

    `accept` takes zero prices, and changes of more than 30 %, too.
    """
    published = {document["offerCode"]: document for document in documents}
    offered = {code: offers(document, region) for code, document in published.items()}
    report: dict[str, list[str]] = {"updated": [], "unchanged": [], "refused": [], "unmatched": []}
    new_rows = [row for row in rows if row["region"] != region]
    for key, old in _by_price([row for row in rows if row["region"] == region]).items():
        code = DEEP_ARCHIVE if _is_deep_archive(old[0]) else old[0]["service"]
        kind, why, tiers = compare(
            old, matching(offered.get(code, []), key), published.get(code, {}).get("publicationDate", "")
        )
        if kind == "refused" and accept and tiers:
            kind = "updated"
        report[kind].append(" ".join(filter(None, (*key, why))))
        new_rows += replaced(old, tiers, published[code]) if kind in ("updated", "unchanged") else old
    return sorted(new_rows, key=lambda row: position(row, rows)), report


def _by_price(rows: list[Row]) -> dict[PriceKey, list[Row]]:
    rows_by_price: dict[PriceKey, list[Row]] = {}
    for row in rows:
        rows_by_price.setdefault(key_of(row), []).append(row)
    return rows_by_price


def position(row: Row, rows: list[Row]) -> int:
    """Return a price's position in the table, so that a refresh changes as few lines as possible."""
    return next(
        number for number, each in enumerate(rows) if (each["region"], key_of(each)) == (row["region"], key_of(row))
    )


def offers(document: Json, region: str) -> list[Offered]:
    on_demand = document["terms"].get("OnDemand", {})
    return [
        Offered(
            without_region(product["attributes"].get("usagetype", ""), region),
            product["attributes"].get("operation", ""),
            _tiers_of(on_demand.get(sku, {})),
        )
        for sku, product in document["products"].items()
        if product["attributes"].get("regionCode", region) == region and sku in on_demand
    ]


def _tiers_of(terms: Json) -> Tiers:
    """Return the tiers of the newest term; while a price changes, the previous one may still be listed."""
    newest = max(terms.values(), key=lambda term: term.get("effectiveDate", ""), default=NO_TERM)
    dimensions = [each for each in newest["priceDimensions"].values() if "USD" in each["pricePerUnit"]]
    tiers = sorted(
        (Decimal(each["beginRange"]), Decimal(each["pricePerUnit"]["USD"]), each["description"]) for each in dimensions
    )
    paid = [tier for tier in tiers if tier[1] > 0]
    if not paid:
        return tuple(tiers[:1])
    return ((Decimal(0), *paid[0][1:]), *paid[1:])  # an allowance is not a price: the first paid tier starts at 0


def matching(offered: list[Offered], key: PriceKey) -> list[Offered]:
    _, usage_type, operation = key
    return [
        each for each in offered if each.usage_type == usage_type and (not operation or each.operation == operation)
    ]


def compare(old: list[Row], offered: list[Offered], published: str) -> tuple[str, str, Tiers]:
    """Return (updated | unchanged | refused | unmatched, why, tiers)."""
    tiers = {tuple((start, usd) for start, usd, _ in each.tiers): each.tiers for each in offered if each.tiers}
    if not tiers:
        return "unmatched", "is not in the price list under this name", ()
    if len(tiers) > 1:
        operations = ", ".join(sorted({each.operation for each in offered}))
        return "unmatched", f"has several prices in the price list; give the row one of the operations {operations}", ()
    (chosen,) = tiers.values()
    before = {Decimal(row["from_quantity"]): Decimal(row["usd_per_unit"]) for row in old}
    after = {start: usd for start, usd, _ in chosen}
    if is_date(old[0]["source_date"]) and published[:10] < old[0]["source_date"]:
        return "refused", f"was read on {old[0]['source_date']}, this list is older: {published[:10]}", chosen
    if before == after:
        return "unchanged", "", chosen
    doubts = [
        why
        for start in sorted(before.keys() | after.keys())
        if (why := suspicious(rate(before, start), rate(after, start)))
    ]
    return ("refused", doubts[0], chosen) if doubts else ("updated", "", chosen)


def rate(tiers: dict[Decimal, Decimal], quantity: Decimal) -> Decimal:
    """Return the price in the tier that contains the quantity."""
    return tiers[max(start for start in tiers if start <= quantity)]


def suspicious(before: Decimal, after: Decimal) -> str:
    if after == 0:
        return f"would be free, was {plain(before)}" if before else ""
    if before == 0 or abs(after / before - 1) > JUMP:
        return f"would go from {plain(before)} to {plain(after)}, more than {JUMP:.0%}"
    return ""


def replaced(old: list[Row], tiers: Tiers, document: Json) -> list[Row]:
    source = f"AWS price list {document['offerCode']} {document['version']}"
    return [
        {
            **old[0],
            "from_quantity": plain(start),
            "description": description,
            "usd_per_unit": plain(usd),
            "source": source,
            "source_date": document["publicationDate"][:10],
            "confidence": "high",
        }
        for start, usd, description in tiers
    ]


def plain(number: Decimal) -> str:
    """Write 0.1150000000 as 0.115, and 1E+6 as 1000000."""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def write_rows(rows: list[Row], file: Path) -> None:
    with open(file, "w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
