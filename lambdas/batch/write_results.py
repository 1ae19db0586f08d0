"""Batch, for each file of results: its rows into the predictions table, as often as one likes with the same effect.

An id is made of run, file and row, so writing a row again writes the same item: nothing is doubled by a retry, and
whoever is killed halfway is simply started again. A file says in its first line what all
its rows share and what each has of its own.
"""

import gzip
import itertools
import json
import os
import time
import zlib
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from domain.records import row_id
from lambdas.aws import objects, tables
from lambdas.settings import CONFIG

PREDICTIONS = os.environ["PREDICTIONS_TABLE"]
THREADS = 8
TRIES = 10  # of one call's unprocessed items: about 25 s


class ResultsUnreadable(Exception):
    """The file of results is cut off or is not what the Score job writes."""


def handler(event, context):
    # Counted from today, not from the run's as_of: a year that is replayed must not expire on arrival.
    expires_at = int(time.time()) + CONFIG.serving.keep_predictions_days * 86400
    lines = read_lines(event["bucket"], event["key"])
    return {"written": write_results(lines, expires_at=expires_at, put=put, threads=THREADS)}


def write_results(lines, *, expires_at: int, put, threads: int) -> int:
    """How many records were written; `put` takes a list of up to 25. Only a few of them are in memory at any time."""
    records = records_of(iter(lines), expires_at)
    written, under_way = 0, set()
    with ThreadPoolExecutor(threads) as pool:
        for chunk in chunks(records, tables.ITEMS_PER_WRITE):
            under_way.add(pool.submit(put, chunk))
            written += len(chunk)
            if len(under_way) == 2 * threads:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                raise_failures(done)
    raise_failures(under_way)
    return written


def raise_failures(done) -> None:
    for future in done:
        future.result()


def chunks(records, size: int):
    while chunk := list(itertools.islice(records, size)):
        yield chunk


def records_of(lines, expires_at: int):
    for first in lines:  # there is none in an empty file
        shared, names, shard = about(first)
        shared["expires_at"] = expires_at
        for line in lines:
            own = dict(zip(names, decoded(line, names), strict=True))
            yield {"id": row_id(shard, own.pop("row_number")), **shared, **own}


def about(line: bytes) -> tuple[dict, list, str]:
    """What all rows share, what each has of its own, and what their ids begin with."""
    try:
        found = json.loads(line)
        return found["all_rows"], found["each_row"], found["shard_id"]
    except (ValueError, TypeError, KeyError):
        raise ResultsUnreadable(
            "the first line does not say what the rows hold; score the batch as a new run"
        ) from None


def decoded(line: bytes, names: list) -> list:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise ResultsUnreadable(f"a line of {len(line)} bytes is not JSON: {error}") from None
    if not isinstance(values, list) or len(values) != len(names):
        raise ResultsUnreadable(f"a line of {len(line)} bytes is not a list of {', '.join(names)}")
    return values


def read_lines(bucket: str, key: str):
    """Line by line while it arrives: a file need not fit into memory."""
    try:
        with objects.stream(bucket, key) as body, gzip.GzipFile(fileobj=body) as lines:
            yield from lines
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ResultsUnreadable(f"s3://{bucket}/{key}: {error}") from error


def put(records: list[dict]) -> None:
    tables.put_all(PREDICTIONS, records, tries=TRIES)
