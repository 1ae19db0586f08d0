"""The loads of a stage: the records that make rows of the lake count, and what takes them away again."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from domain import records as items
from domain.train.windows import Part
from fairway.stage import records
from fairway.stage.aws import Stage
from fairway.terminal.progress import Progress

UPLOADS = 4


def parts_of(load: dict) -> list[Part]:
    """The Parquet parts of accepted rows that a load's record names."""
    found: list[Part] = json.loads(load["parts"])
    return found


def upload(stage: Stage, files: dict[str, Path], *, progress: Progress) -> None:
    """Put local files into the lake by their keys."""
    s3, bucket = stage.client("s3"), stage.addresses["lake"]

    def put(key: str) -> None:
        with files[key].open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body)

    with ThreadPoolExecutor(UPLOADS) as pool:
        for number, _ in enumerate(pool.map(put, files), 1):
            progress.detail(f"{number} of {len(files)} parts")


def enter(stage: Stage, record: dict) -> dict:
    """Write the load's record, unless somebody else did meanwhile; return the record that stands.

    What an earlier contract made of the same file leaves the table in the same transaction, so no row counts twice, and
    the record takes its place in the order of loading. Its parts stay in the lake: a training run that began before may
    still read them.
    """
    dynamodb, table = stage.client("dynamodb"), stage.addresses["runs"]
    replaced = [
        one for one in records.runs(stage, "load") if one["sha256"] == record["sha256"] and one["run"] != record["run"]
    ]
    order = min((one.get("loaded_us", 0) for one in replaced), default=record["loaded_us"])
    entered = {**record, "loaded_us": order, "replaces": [one["run"] for one in replaced] or None}
    put = {
        "TableName": table,
        "Item": items.to_item(entered),
        "ConditionExpression": "attribute_not_exists(#run)",
        "ExpressionAttributeNames": {"#run": "run"},
    }
    delete = [{"Delete": {"TableName": table, "Key": items.run_key("load", one["run"])}} for one in replaced]
    try:
        dynamodb.transact_write_items(TransactItems=[{"Put": put}, *delete])
    except dynamodb.exceptions.TransactionCanceledException:
        standing = records.run(stage, "load", record["run"])
        if standing is None:
            raise
        return standing
    return entered


def forget(stage: Stage, loads: list[dict]) -> None:
    """They count no longer. Their parts stay in the lake: a training run that began before may still read them."""
    for one in loads:
        stage.client("dynamodb").delete_item(TableName=stage.addresses["runs"], Key=items.run_key("load", one["run"]))
