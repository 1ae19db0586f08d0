"""Loads of a stage: the records that make rows of the lake count, and their removal."""

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from domain import lake
from domain import records as items
from domain.runs import LoadItem, RunKind
from domain.timestamps import iso
from domain.train.windows import Part
from fairway.stage import records
from fairway.stage.aws import Stage
from fairway.stage.lake_file import LakeFile
from fairway.terminal.errors import Failed
from fairway.terminal.progress import Progress

UPLOADS = 4
MOST_LISTED = 10
KEYS_A_REQUEST = 1000  # as many as S3 deletes in one call


def parts_of(load: LoadItem) -> list[Part]:
    """Return the Parquet parts of accepted rows in a load's record."""
    found: list[Part] = json.loads(load["parts"])
    return found


def read_part(stage: Stage, part: Part, read: Callable[[LakeFile], None]) -> None:
    """Read a part of the lake. One that is deleted or archived by its age is passed over: no row of it could count."""
    s3 = stage.client("s3")
    try:
        read(LakeFile(s3, stage.addresses["lake"], part["key"]))
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "InvalidObjectState"):
            raise


def upload(stage: Stage, files: dict[str, Path], *, progress: Progress) -> None:
    """Upload local files to the lake under their keys."""
    s3, bucket = stage.client("s3"), stage.addresses["lake"]

    def put(key: str) -> None:
        with files[key].open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body)

    with ThreadPoolExecutor(UPLOADS) as pool:
        for number, _ in enumerate(pool.map(put, files), 1):
            progress.detail(f"{number} of {len(files)} parts")


def enter(stage: Stage, record: LoadItem) -> LoadItem:
    """Write the load's record, unless another one exists by now; return the record that counts.

    The record of the same file under an earlier contract is removed in the same transaction, so no row counts twice,
    and the new one takes its place in the order of loading. Its parts stay in the lake: a training run in progress may
    still read them.
    """
    dynamodb, table = stage.client("dynamodb"), stage.addresses["runs"]
    replaced = [
        one for one in records.runs(stage, "load") if one["sha256"] == record["sha256"] and one["run"] != record["run"]
    ]
    order = min((one.get("loaded_us", 0) for one in replaced), default=record["loaded_us"])
    entered: LoadItem = {**record, "loaded_us": order, "replaces": [one["run"] for one in replaced] or None}
    put = {
        "TableName": table,
        "Item": items.to_item(entered),
        "ConditionExpression": "attribute_not_exists(#run)",
        "ExpressionAttributeNames": {"#run": "run"},
    }
    gone = [(RunKind.LOAD, one["run"]) for one in replaced] + [(RunKind.UNLOAD, record["run"])]
    delete = [{"Delete": {"TableName": table, "Key": items.run_key(*one)}} for one in gone]
    try:
        dynamodb.transact_write_items(TransactItems=[{"Put": put}, *delete])
    except dynamodb.exceptions.TransactionCanceledException:
        standing = records.run(stage, "load", record["run"])
        if standing is None:
            raise
        return standing
    return entered


def discount(stage: Stage, loads: list[LoadItem]) -> None:
    """Make loads no longer count. Their parts stay in the lake: a training run in progress may still read them."""
    for one in loads:
        stage.client("dynamodb").delete_item(
            TableName=stage.addresses["runs"], Key=items.run_key(RunKind.LOAD, one["run"])
        )


def named(stage: Stage, word: str, *, kind: Literal["load", "unload"] = "load") -> list[LoadItem]:
    """Find the loads that a word names: an id, a file on this machine by its content, or a file's name."""
    found = list(records.runs(stage, kind))
    by_id = [one for one in found if one["run"] == word]
    path = Path(word)
    if by_id or not path.is_file():
        return by_id or [one for one in found if one["file"] == path.name]
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return [one for one in found if one["sha256"] == sha256]


def listed(loads: Iterable[LoadItem]) -> str:
    """List the loads by id, file and date, for a person to choose from."""
    texts = [f"{one['run']} ({one['file']}, {one['accepted']:,} rows, {one['loaded_at'][:10]})" for one in loads]
    more = f" and {len(texts) - MOST_LISTED} more" if len(texts) > MOST_LISTED else ""
    return ", ".join(texts[:MOST_LISTED]) + more


def withdraw(stage: Stage, load: LoadItem) -> None:
    """Remove the load's record, so that its rows no longer count, and leave a note of its parts."""
    note: LoadItem = {**load, "kind": RunKind.UNLOAD, "unloaded_at": iso(datetime.now(UTC).replace(microsecond=0))}
    table = stage.addresses["runs"]
    put = {"Put": {"TableName": table, "Item": items.to_item(note)}}
    delete = {"Delete": {"TableName": table, "Key": items.run_key(RunKind.LOAD, load["run"])}}
    stage.client("dynamodb").transact_write_items(TransactItems=[put, delete])


def delete_parts(stage: Stage, load: LoadItem) -> None:
    """Delete the load's rows and its quarantine from the lake; repeating it is safe."""
    s3, bucket = stage.client("s3"), stage.addresses["lake"]
    keys = [part["key"] for part in parts_of(load)]
    keys += quarantine_parts(stage, lake.quarantine_prefix(load["run"]))
    for start in range(0, len(keys), KEYS_A_REQUEST):
        chosen = [{"Key": key} for key in keys[start : start + KEYS_A_REQUEST]]
        failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": chosen, "Quiet": True}).get("Errors", [])
        if failed:
            raise Failed(
                "lake", f"{failed[0]['Key']}: {failed[0].get('Message')}; run the same command again to continue"
            )


def quarantine_parts(stage: Stage, prefix: str) -> list[str]:
    """Return the keys of Parquet parts below a prefix of the lake, in order."""
    pages = stage.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=stage.addresses["lake"], Prefix=prefix)
    return [one["Key"] for page in found for one in page.get("Contents", []) if one["Key"].endswith(".parquet")]
