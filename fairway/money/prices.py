"""`fairway prices refresh`: update the price table from AWS's public price lists; no account is needed."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from domain.config.sections import read_config
from domain.money.prices import SHIPPED, PriceError, read_prices, read_rows
from domain.money.refresh import offers_of, refreshed, write_rows
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Refused
from fairway.terminal.progress import Progress

PRICE_LISTS = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/{offer}/current/{region}/index.json"
TIMEOUT_S = 60


def prices_file(folder: Path) -> Path:
    """Return the project's own table if it has been refreshed, else the shipped one."""
    own = folder / "prices.csv"
    return own if own.exists() else SHIPPED


def refresh(
    folder: Path,
    stage: str,
    *,
    lists: Path | None = None,
    accept: bool = False,
    fetch: Callable[[str], bytes | None] | None = None,
    progress: Progress,
) -> Done:
    """Write prices.csv next to fairway.toml. `lists` is a folder of <offer>.json to read instead of AWS."""
    region, rows = read_config(folder, stage).target.region, read_rows(prices_file(folder))
    offers = offers_of(rows, region)
    if not offers:
        raise Refused("prices", f"the price table has no rows of {region} to refresh; add one for each price you need")
    documents = _from_folder(lists, offers) if lists else _from_aws(offers, region, fetch or download, progress)
    new_rows, report = _rebuilt(rows, documents, region, accept)
    file = folder / "prices.csv"
    _replace_table(file, new_rows, region)
    return Done({"file": str(file), "region": region, **report}, told(file, report), next_step(report))


def _rebuilt(rows: list[dict], documents: list[dict], region: str, accept: bool) -> tuple[list[dict], dict]:
    try:
        new_rows, report = refreshed(rows, documents, region, accept=accept)
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        what = f"{type(error).__name__} {error}"
        raise Refused(
            "prices", f"a price list is not as AWS publishes them ({what}); the table stays as it is"
        ) from None
    if not (report["updated"] or report["unchanged"] or report["refused"]):
        raise Failed(
            "prices", f"none of the table's prices of {region} is in the price lists; the table stays as it is"
        )
    return new_rows, report


def _replace_table(file: Path, rows: list[dict], region: str) -> None:
    """Replace the table atomically: readers, and a power cut, see the old table or the new one."""
    new = file.with_name(f".{file.name}.new")
    try:
        write_rows(rows, new)
        read_prices(region, new)
        new.replace(file)
    except PriceError as error:
        raise Refused("prices", f"{error}; the table stays as it is") from None
    finally:
        new.unlink(missing_ok=True)


def _from_folder(folder: Path, offers: list[str]) -> list[dict]:
    files = [folder / f"{offer}.json" for offer in offers if (folder / f"{offer}.json").exists()]
    if not files:
        raise Refused("file", f"{folder}: none of {', '.join(f'{offer}.json' for offer in offers)} is there")
    return [_price_list(file.read_bytes(), str(file)) for file in files]


def _from_aws(offers: list[str], region: str, fetch: Callable[[str], bytes | None], progress: Progress) -> list[dict]:
    progress(f"Reading AWS's price lists of {region}")
    documents = []
    for number, offer in enumerate(offers, 1):
        progress.detail(f"{offer}, {number} of {len(offers)}")
        address = PRICE_LISTS.format(offer=offer, region=region)
        content = fetch(address)
        if content is not None:
            documents.append(_price_list(content, address))
    return documents


def download(address: str) -> bytes | None:
    """Download a price list; None if AWS has none: not every service is in every region, and its prices are then
    unmatched.
    """
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as reply:
            return reply.read()
    except (OSError, http.client.HTTPException) as error:  # also one that is interrupted
        if isinstance(error, urllib.error.HTTPError) and error.code in (403, 404):
            return None
        message = f"{address}: {error}; download the files elsewhere and give their folder with --lists"
        raise Failed("connection", message) from None


def _price_list(content: bytes, where: str) -> dict:
    try:
        document = json.loads(content)
    except ValueError:  # not JSON either
        document = None
    if (
        not isinstance(document, dict)
        or not {"offerCode", "publicationDate", "version", "products", "terms"} <= document.keys()
    ):
        raise Refused(
            "prices",
            f"{where}: not a price list of AWS; it must hold offerCode, version, publicationDate, products, terms",
        )
    return document


def told(file: Path, report: dict) -> list[str]:
    counts = ", ".join(f"{len(report[kind])} {kind}" for kind in ("updated", "unchanged", "refused", "unmatched"))
    details = [f"  {kind}: {each}" for kind in ("refused", "unmatched") for each in report[kind]]
    return [f"{file}: {counts}", *details]


def next_step(report: dict) -> str:
    if report["refused"]:
        return "check the refused prices; `fairway prices refresh --accept` accepts them too"
    return "`fairway cost` uses them"
