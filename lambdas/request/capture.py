"""Stream of the predictions table -> Parquet of the hour in the lake: each answer once, beside no customer's time.

A file is named by the first record that it has an answer of. When Lambda tries a batch again, whole or in halves, the
half that begins like the batch writes over the batch's file and the other half writes its own, so nothing is there
twice, however often the stream repeats itself.
"""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from domain import lake
from domain.records import from_item
from domain.request.captured import NUMBERS, OTHER_NUMBERS, OTHER_TEXTS, TEXTS, Row, Unreadable, hour_of, row_of
from lambdas.aws import clients, objects
from lambdas.parquet import Kind, parquet

LAKE = os.environ["LAKE"]
UNDELIVERED = os.environ["UNDELIVERED_QUEUE"]
COLUMNS = dict.fromkeys((*TEXTS, *OTHER_TEXTS), Kind.TEXT) | dict.fromkeys((*NUMBERS, *OTHER_NUMBERS), Kind.NUMBER)
MEDIA_TYPE = "application/vnd.apache.parquet"
Record = dict[str, Any]  # of a stream, as Lambda hands it over


class Captured(NamedTuple):
    """A row, and the name of the record that it was made of."""

    name: str
    row: Row


class SetAside(NamedTuple):
    """A record that no row can be made of, and why."""

    name: str
    reason: str
    record: Record


def handler(event: dict[str, list[Record]], context: object) -> dict[str, int]:
    captured, unreadable = read_records(event["Records"])
    write_hours(captured, write=_write)
    for each in unreadable:
        _set_aside(each)
    counted = {"captured": len(captured), "set_aside": len(unreadable)}
    print(json.dumps(counted))
    return counted


def read_records(records: Iterable[Record]) -> tuple[list[Captured], list[SetAside]]:
    """Make rows of the records, in their order, and set aside those of which none can be made."""
    captured, unreadable = [], []
    for record in records:
        try:
            captured.append(Captured(_name_of(record), row_of(from_item(record["dynamodb"]["NewImage"]))))
        except Unreadable as error:
            unreadable.append(SetAside(_name_of(record), str(error), record))
        except Exception as error:  # noqa: BLE001 whatever a record holds, the ones behind it are captured
            unreadable.append(SetAside(_name_of(record), f"{type(error).__name__}: {error}"[:500], record))
    return captured, unreadable


def _name_of(record: Record) -> str:
    """Name a record the same way whenever it comes. Numbers are a shard's own, and Lambda does not name the shard."""
    return f"{record['dynamodb']['SequenceNumber']}-{record['eventID'][:8]}"


def write_hours(captured: Iterable[Captured], *, write: Callable[[str, bytes], None]) -> None:
    """Write a file for each hour in which the answers were made; a late one adds a file to its own hour."""
    hours: dict[str, list[Captured]] = {}
    for each in captured:
        hours.setdefault(hour_of(each.row["made_at"]), []).append(each)
    for hour, found in hours.items():
        write(lake.captured_key(hour, found[0].name), parquet(COLUMNS, [each.row for each in found]))


def _write(key: str, body: bytes) -> None:
    objects.write_bytes(LAKE, key, body, media_type=MEDIA_TYPE)


def _set_aside(each: SetAside) -> None:
    """Keep the record with its reason, and have somebody look: the queue of the undelivered has an alarm."""
    key = lake.unreadable_key(each.name)
    objects.write_json(LAKE, key, {"reason": each.reason, "record": each.record})
    message = {"reason": each.reason, "record": lake.uri(LAKE, key), "function": "capture"}
    clients.sqs().send_message(QueueUrl=UNDELIVERED, MessageBody=json.dumps(message))
