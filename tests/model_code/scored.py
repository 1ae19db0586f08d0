"""The outputs of a score job, read back."""

import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq

from domain.records import row_id


def outputs(base):
    """{path: bytes} of all that the job wrote."""
    folder = base / "processing/output"
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }


def results(base, shard):
    files = sorted((base / "processing/output/results").glob(f"{shard}-*.jsonl.gz"))
    return [record for file in files for record in records(gzip.decompress(file.read_bytes()))]


def records(text):
    """The first line says what all rows share, what each has of its own and what their ids begin with."""
    first, *lines = map(json.loads, text.split(b"\n")[:-1])
    found = [{**first["all_rows"], **dict(zip(first["each_row"], line, strict=True))} for line in lines]
    return [{"id": row_id(first["shard_id"], record.pop("row_number")), **record} for record in found]


def summaries(base):
    """{shard: [the summaries of its segments, in order]}"""
    found = {}
    for file in sorted((base / "processing/output/summary").iterdir()):
        summary = json.loads(file.read_bytes())
        found.setdefault(summary["shard"], []).append(summary)
    return found


def predictions(base, shard):
    files = sorted((base / "processing/output/predictions").glob(f"{shard}-*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files])


def write_csv(file, contract, rows):
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [column.name for column in contract.columns])
        writer.writeheader()
        writer.writerows(rows)
