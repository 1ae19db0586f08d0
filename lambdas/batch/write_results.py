"""Batch, for each file of results: write its rows to the predictions table. Idempotent.

An id is made of run, file and row, so writing a row again writes the same item: a retry duplicates nothing, and a
function that is killed halfway is started again. The first line of a file has the values that all its rows share, and
the names of the values that each row has.
"""

import gzip
import itertools
import json
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple, TypedDict

from domain.records import row_id
from lambdas.aws import clients, objects, tables
from lambdas.settings import CONFIG

PREDICTIONS = os.environ["PREDICTIONS_TABLE"]
THREADS = 8
TRIES = 10  # attempts for the unprocessed items of a call: about 25 s
Record = dict[str, Any]  # an item of the predictions table


class ResultsUnreadable(Exception):
    """Report that the file of results is truncated, or not in the format of the Score job."""


class Written(TypedDict):
    written: int  # records


class Shared(NamedTuple):
    """First line of a file of results."""

    all_rows: Record  # values shared by all rows
    each_row: list[str]  # names of the values in each row
    shard_id: str  # prefix of the rows' ids


def handler(event: dict[str, str], context: object) -> Written:
    # Counted from today, not from the run's as_of, so that the answers of a replayed year do not expire at once.
    expires_at = int(time.time()) + CONFIG.serving.keep_predictions_days * 86400
    lines = read_lines(event["bucket"], event["key"])
    return {"written": write_results(lines, expires_at=expires_at, put=_put, threads=THREADS)}


def write_results(lines: Iterable[bytes], *, expires_at: int, put: Callable[[list[Record]], None], threads: int) -> int:
    """Write all rows and return their number; `put` takes up to 25. Only a few are in memory at a time."""
    records = _records_of(iter(lines), expires_at)
    written = 0
    under_way: set[Future[None]] = set()
    with ThreadPoolExecutor(threads) as pool:
        for chunk in _chunks(records, tables.ITEMS_PER_WRITE):
            under_way.add(pool.submit(put, chunk))
            written += len(chunk)
            if len(under_way) == 2 * threads:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                _raise_failures(done)
    _raise_failures(under_way)
    return written


def _raise_failures(done: Iterable[Future[None]]) -> None:
    for future in done:
        future.result()


def _chunks(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    while chunk := list(itertools.islice(records, size)):
        yield chunk


def _records_of(lines: Iterator[bytes], expires_at: int) -> Iterator[Record]:
    for first in lines:  # an empty file has none
        shared, names, shard = _shared(first)
        shared["expires_at"] = expires_at
        for line in lines:
            own = dict(zip(names, _decoded(line, names), strict=True))
            yield {"id": row_id(shard, own.pop("row_number")), **shared, **own}


def _shared(line: bytes) -> Shared:
    try:
        document = json.loads(line)
        return Shared(document["all_rows"], document["each_row"], document["shard_id"])
    except (ValueError, TypeError, KeyError):
        raise ResultsUnreadable(
            "the first line does not name the values of the rows; score the batch as a new run"
        ) from None


def _decoded(line: bytes, names: list[str]) -> list[Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise ResultsUnreadable(f"a line of {len(line)} bytes is not JSON: {error}") from None
    if not isinstance(values, list) or len(values) != len(names):
        raise ResultsUnreadable(f"a line of {len(line)} bytes is not a list of {', '.join(names)}")
    return values


def read_lines(bucket: str, key: str) -> Iterator[bytes]:
    """Read line by line while the file arrives, so that it need not fit into memory."""
    try:
        with objects.stream(bucket, key) as body, gzip.GzipFile(fileobj=body) as lines:
            yield from lines
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ResultsUnreadable(f"s3://{bucket}/{key}: {error}") from error


def _put(records: list[Record]) -> None:
    tables.put_all(PREDICTIONS, records, tries=TRIES, client=clients.patient_dynamodb)
