"""A flight whose values nobody else has, through every flow that takes rows; and the places where they may be found."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from domain import lake
from tests.journeys.conftest import Journey, eventually

ENTITY, MAKER, TEMPERATURE = "CANARY-ENTITY-4711", "CANARY-MAKER-4711", "47.1147114711"
SECRETS = (ENTITY, MAKER, TEMPERATURE)
CAPTURED_WITHIN_S = 180


def plant(journey: Journey) -> list[str]:
    """Load, learn from, ask for, score and report the canary, good and broken; return what the commands wrote on
    standard error.
    """
    header, row = _march(journey)
    own = {**row, "flight_id": ENTITY, "manufacturer": MAKER, "temp": TEMPERATURE}
    broken = {**own, "hour": "99"}
    table = _table(journey.data / "canary.csv", header, [own, broken])
    asked = {name: value for name, value in own.items() if name != "late"}
    typed = {name: _value(text) for name, text in asked.items()} | {"flight_id": ENTITY}
    told = journey.data / "canary.jsonl"
    told.write_text(json.dumps({"entity_id": ENTITY, "outcome": True}) + "\n")
    commands: list[tuple[int, tuple[Any, ...]]] = [
        (0, ("load", table)),
        (0, ("train", "--as-of", "2013-04-01")),
        (0, ("predict", json.dumps(typed))),
        (2, ("predict", json.dumps({**typed, "hour": 99}))),
        (0, ("batch", table)),
        (0, ("outcomes", told)),
    ]
    written = []
    for code, words in commands:
        done = journey.run(*words, "--json")
        assert done.returncode == code, f"{words[0]}: {done.stdout}{done.stderr}"
        written.append(done.stderr)
    return written


def _march(journey: Journey) -> tuple[list[str], dict[str, str]]:
    with (journey.data / "flights-2013-03.csv").open(newline="") as lines:
        rows = csv.DictReader(lines)
        return list(rows.fieldnames or ()), next(row for row in rows if row["late"] and row["temp"])


def _table(file: Path, header: list[str], rows: list[dict[str, str]]) -> Path:
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, header)
        writer.writeheader()
        writer.writerows(rows)
    return file


def _value(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def logs(journey: Journey) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of every log: CloudWatch's, in which functions and jobs write, and the local AWS's own."""
    client = journey.aws("logs")
    for page in client.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            events = client.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            yield group["logGroupName"], "\n".join(one["message"] for page in events for one in page["events"])
    for file in journey.state.rglob("*.log"):
        yield file.name, file.read_text(errors="replace")


def secrets_in(texts: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (where, which) for each secret that is found."""
    return [(name, secret) for name, text in texts for secret in SECRETS if secret in text]


def wait_until_captured(journey: Journey) -> None:
    """Wait until the answer has come from the stream into the lake."""
    eventually(
        lambda: any(ENTITY in text for _, text in _versions(journey, "captured/")),
        within_s=CAPTURED_WITHIN_S,
        pause_s=3,
    )


def holders(journey: Journey) -> list[str]:
    """Return the tables and the versions of files, whatever wrote them, that hold the entity."""
    return [name for name, text in (*_items(journey), *_versions(journey)) if ENTITY in text]


def _items(journey: Journey) -> Iterator[tuple[str, str]]:
    scan = journey.aws("dynamodb").get_paginator("scan")
    for table in ("predictions", "outcomes", "evidence", "runs", "routing"):
        for page in scan.paginate(TableName=journey.address()[table]):
            yield from ((table, f"{item}{_unpacked(item)}") for item in page["Items"])


def _unpacked(item: dict[str, Any]) -> str:
    return zlib.decompress(bytes(item["answers"]["B"])).decode() if item.get("answers", {}).keys() == {"B"} else ""


def _versions(journey: Journey, prefix: str = "") -> Iterator[tuple[str, str]]:
    s3, bucket = journey.aws("s3"), journey.address()["lake"]
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Versions", []):
            if not one["Key"].startswith(lake.ARTEFACTS):
                place = {"Bucket": bucket, "Key": one["Key"], "VersionId": one["VersionId"]}
                yield one["Key"], _text(one["Key"], s3.get_object(**place)["Body"].read())


def _text(key: str, body: bytes) -> str:
    if key.endswith(".parquet"):
        names = [name for name in pq.read_schema(io.BytesIO(body)).names if name in ("flight_id", "entity_id", "row")]
        return str(pq.read_table(io.BytesIO(body), columns=names).to_pydict())
    return (gzip.decompress(body) if key.endswith(".gz") else body).decode(errors="replace")
