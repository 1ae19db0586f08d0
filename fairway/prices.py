"""`fairway prices refresh`: the price table anew from AWS's public price lists; no account is needed."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from domain.config import read_config
from domain.cost.prices import SHIPPED, read_prices, read_rows
from domain.cost.refresh import offers_of, refreshed, write_rows
from fairway.done import Done
from fairway.errors import Failed, Refused

PRICE_LISTS = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/{offer}/current/{region}/index.json"
TIMEOUT_S = 60


def prices_file(folder: Path) -> Path:
    """The project's own table if it has been refreshed, else the one that was shipped."""
    own = folder / "prices.csv"
    return own if own.exists() else SHIPPED


def refresh(
    folder: Path,
    stage: str,
    *,
    lists: Path | None = None,
    accept: bool = False,
    fetch: Callable[[str], bytes] | None = None,
    progress,
) -> Done:
    """Write prices.csv beside fairway.toml. `lists` reads the price lists from a folder of <offer>.json instead of AWS."""
    region, rows = read_config(folder, stage).target.region, read_rows(prices_file(folder))
    offers = offers_of(rows, region)
    if not offers:
        raise Refused("prices", f"the price table has no rows of {region} to refresh; add one for each price you need")
    documents = from_folder(lists, offers) if lists else from_aws(offers, region, fetch or download, progress)
    new_rows, report = refreshed(rows, documents, region, accept=accept)
    file = folder / "prices.csv"
    write_rows(new_rows, file)
    read_prices(region, file)
    return Done({"file": str(file), "region": region, **report}, told(file, report), next_step(report))


def from_folder(folder: Path, offers: list[str]) -> list[dict]:
    files = [folder / f"{offer}.json" for offer in offers if (folder / f"{offer}.json").exists()]
    if not files:
        raise Refused("file", f"{folder}: none of {', '.join(f'{offer}.json' for offer in offers)} is there")
    return [price_list(file.read_bytes(), str(file)) for file in files]


def from_aws(offers: list[str], region: str, fetch: Callable[[str], bytes], progress) -> list[dict]:
    progress(f"Reading AWS's price lists of {region}")
    documents = []
    for number, offer in enumerate(offers, 1):
        progress.detail(f"{offer}, {number} of {len(offers)}")
        address = PRICE_LISTS.format(offer=offer, region=region)
        documents.append(price_list(fetch(address), address))
    return documents


def download(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as reply:
            return reply.read()
    except (urllib.error.URLError, TimeoutError) as error:
        message = f"{address}: {error}; download the files elsewhere and give their folder with --lists"
        raise Failed("connection", message) from None


def price_list(content: bytes, where: str) -> dict:
    try:
        document = json.loads(content)
        if {"offerCode", "publicationDate", "version", "products", "terms"} <= document.keys():
            return document
    except (ValueError, AttributeError):
        pass
    raise Refused(
        "prices", f"{where}: not a price list of AWS; it must hold offerCode, version, publicationDate, products, terms"
    )


def told(file: Path, report: dict) -> list[str]:
    counts = ", ".join(f"{len(report[kind])} {kind}" for kind in ("updated", "unchanged", "refused", "unmatched"))
    details = [f"  {kind}: {each}" for kind in ("refused", "unmatched") for each in report[kind]]
    return [f"{file}: {counts}", *details]


def next_step(report: dict) -> str:
    if report["refused"]:
        return "look at the refused prices; `fairway prices refresh --accept` takes them too"
    return "`fairway cost` reckons with them"
