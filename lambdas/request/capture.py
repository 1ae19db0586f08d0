"""From the stream of the predictions table to the lake: each answer once, as Parquet by hour, without delaying a
customer.

A file is named by the first record that it has an answer of. If Lambda retries a batch, whole or in halves, the half
that begins like the batch overwrites the batch's file and the other half writes its own. So no answer is there twice,
however often the stream repeats itself.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from domain import lake
from domain.records import from_item
from domain.release.routing import RoutingDamaged
from domain.request.captured import (
    NUMBERS,
    OTHER_NUMBERS,
    OTHER_TEXTS,
    TEXTS,
    Other,
    Row,
    Unreadable,
    hour_of,
    row_of,
)
from lambdas.aws import clients, objects
from lambdas.aws.routes import ReleasesMade, read_made, read_routing
from lambdas.parquet import Kind, parquet
from lambdas.request import embedded, evidence
from lambdas.request.pairing import pairs
from lambdas.request.scoring import Call, Scores, ask_all
from lambdas.settings import CONFIG, CONTRACT

LAKE = os.environ["LAKE"]
EVIDENCE, ROUTING = os.environ["EVIDENCE_TABLE"], os.environ["ROUTING_TABLE"]
MADE = ReleasesMade(ROUTING, read_made, instead=CONTRACT)
UNDELIVERED = os.environ["UNDELIVERED_QUEUE"]
COLUMNS = dict.fromkeys((*TEXTS, *OTHER_TEXTS), Kind.TEXT) | dict.fromkeys((*NUMBERS, *OTHER_NUMBERS), Kind.NUMBER)
PAIRED_WITHIN_MS = 10_000  # no caller waits for it, so a cold endpoint may take its time
MEDIA_TYPE = "application/vnd.apache.parquet"
Record = dict[str, Any]  # of a stream, as Lambda passes it


class Captured(NamedTuple):
    """A row, the name of the record it was made from, and the prediction as stored."""

    name: str
    row: Row
    item: Mapping[str, Any]


class SetAside(NamedTuple):
    """A record from which no row can be made, and the reason."""

    name: str
    reason: str
    record: Record


def handler(event: dict[str, list[Record]], context: object) -> dict[str, int]:
    captured, unreadable = read_records(event["Records"])
    compared = [each.row for each in captured if "rollout" in each.row]
    others = _pairs(compared) if compared else {}
    write_hours(captured, others, write=_write)
    if compared:  # after the files: what is counted is captured
        evidence.add_answers(
            EVIDENCE,
            (each.item for each in captured),
            others,
            slow_ms=CONFIG.release.slow_ms,
            late_ms=CONFIG.serving.deadline_ms,
        )
    for each in unreadable:
        _set_aside(each)
    counted = {"captured": len(captured), "set_aside": len(unreadable)}
    print(json.dumps(counted))
    return counted


def read_records(records: Iterable[Record]) -> tuple[list[Captured], list[SetAside]]:
    """Make rows of the records, in order, and set aside those from which none can be made."""
    captured, unreadable = [], []
    for record in records:
        try:
            item = from_item(record["dynamodb"]["NewImage"])
            captured.append(Captured(_name_of(record), row_of(item), item))
        except Unreadable as error:
            unreadable.append(SetAside(_name_of(record), str(error), record))
        except Exception as error:  # noqa: BLE001 whatever a record holds, the ones behind it are captured
            unreadable.append(SetAside(_name_of(record), f"{type(error).__name__}: {error}"[:500], record))
    return captured, unreadable


def _name_of(record: Record) -> str:
    """Name a record, always the same way. Sequence numbers belong to a shard, and Lambda does not name the shard."""
    return f"{record['dynamodb']['SequenceNumber']}-{record['eventID'][:8]}"


def _pairs(rows: list[Row]) -> dict[str, Other]:
    """Ask the other release of each row's rollout. Without a routing to ask by, no row has a pair."""
    try:
        return pairs(rows, routing=read_routing(ROUTING), made_under=MADE.contract_of, ask=_ask)
    except RoutingDamaged:
        return {}


def _ask(calls: list[Call], checked_under: str) -> list[Scores]:
    if CONFIG.serving.mode != "function":
        return ask_all(calls, checked_under=checked_under, deadline_ms=PAIRED_WITHIN_MS)
    from lambdas.request.carried import MODELS  # lazy: where endpoints answer nothing of it is needed

    return embedded.answer_all(calls, models=MODELS, checked_under=checked_under, deadline_ms=PAIRED_WITHIN_MS)


def write_hours(
    captured: Iterable[Captured], others: Mapping[str, Other], *, write: Callable[[str, bytes], None]
) -> None:
    """Write a file for each hour in which the answers were made; a late answer adds a file to its own hour."""
    hours: dict[str, list[Captured]] = {}
    for each in captured:
        hours.setdefault(hour_of(each.row["made_at"]), []).append(each)
    for hour, found in hours.items():
        write(
            lake.captured_key(hour, found[0].name), parquet(COLUMNS, [_with_other(each.row, others) for each in found])
        )


def _with_other(row: Row, others: Mapping[str, Other]) -> Row:
    return {**row, **others.get(row["id"], {})}


def _write(key: str, body: bytes) -> None:
    objects.write_bytes(LAKE, key, body, media_type=MEDIA_TYPE)


def _set_aside(each: SetAside) -> None:
    """Store the record with its reason, and notify people: the queue of undelivered events has an alarm."""
    key = lake.unreadable_key(each.name)
    objects.write_json(LAKE, key, {"reason": each.reason, "record": each.record})
    message = {"reason": each.reason, "record": lake.uri(LAKE, key), "function": "capture"}
    clients.sqs().send_message(QueueUrl=UNDELIVERED, MessageBody=json.dumps(message))
