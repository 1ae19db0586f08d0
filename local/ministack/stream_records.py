"""Records of DynamoDB's streams: on disk together with their item, until every mapping of the stream has taken them.

MiniStack keeps them in memory only, so a kill would lose what was not taken, and the million rows of a batch would be a
million records that no function wants. Here, records that the filters of all mappings exclude are not kept, and of
those that all mappings took only the last few are.
"""

import json
import threading
from collections.abc import Iterator
from typing import Any

from ministack.services import dynamodb, lambda_svc

from local.journal import Journal

DYNAMODB = "ministack.services.dynamodb"
LAMBDA = "ministack.services.lambda_svc"
HOOKS = (
    *(
        f"{DYNAMODB}:{name}"
        for name in (
            "_build_change_record",
            "_emit_stream_event",
            "_fan_out_to_kinesis",
            "_kinesis_destinations",
            "_replicate_write",
            "_stream_records",
            "_stream_trimmed",
            "_tables",
            "drop_stream_records",
            "esm_wake",
            "stream_end_position",
        )
    ),
    f"{LAMBDA}:_apply_filter_criteria",
    f"{LAMBDA}:_dynamodb_stream_positions",
    f"{LAMBDA}:_esms",
)
SPACE = "streams"
POSITIONS = "positions"  # part of the journal's space: for each mapping, the position that it reads next
KEPT = 1000  # records that every mapping took, for programs that read the stream directly

Place = tuple[str, str, str]  # account, region, and the name of a table or the id of a mapping
Record = dict[str, Any]


def register() -> None:
    """Keep the streams of this process."""
    streams = Streams(dynamodb, lambda_svc)
    dynamodb._emit_stream_event, dynamodb.fairway_streams = streams.emit, streams


def registered() -> "Streams":
    streams: Streams = dynamodb.fairway_streams
    return streams


class Streams:
    """Streams of all tables; only in memory until `keep_in`."""

    def __init__(self, dynamodb, lambda_svc):
        self.dynamodb, self.lambda_svc = dynamodb, lambda_svc
        self.lock = threading.Lock()
        self.journal: Journal | None = None
        self.space = 0
        self.removed: dict[str, int] = {}  # by part of the journal: earlier records are not in it

    def keep_in(self, journal: Journal) -> None:
        """Take the records and positions of this journal, and keep all of them in it from now on."""
        self.journal = journal
        self.space = next(iter(journal.spaces(SPACE)), None) or journal.add_space(SPACE)
        positions = self.lambda_svc._dynamodb_stream_positions._data
        for key, value in journal.part(self.space, POSITIONS).items():
            mapping = tuple(json.loads(key))
            if dict.__contains__(self.lambda_svc._esms._data, mapping):
                positions[mapping] = int(value)
            else:
                journal.put(self.space, POSITIONS, key, None)
        for place, table in list(self.dynamodb._tables._data.items()):
            if _has_stream(table):
                self._restore(place, table, journal)
        drop = self.dynamodb.drop_stream_records
        self.dynamodb.drop_stream_records = lambda name, table=None: self._drop(drop, name, table)

    def _restore(self, place: Place, table: dict, journal: Journal) -> None:
        part = _part(table)
        found = sorted(journal.part(self.space, part).items())
        start = int(found[0][0]) if found else max(self._positions(table), default=0)
        self.dynamodb._stream_records._data[place] = [json.loads(value) for _, value in found]
        self.dynamodb._stream_trimmed._data[place] = self.removed[part] = start

    def emit(self, name: str, event: str, old: dict | None, new: dict | None, replicate: bool = True) -> None:
        """Do what MiniStack does when an item changed."""
        table = self.dynamodb._tables.get(name)
        if not table:
            return
        if replicate:
            self.dynamodb._replicate_write(table, event, old, new)
        if _has_stream(table) and not (event == "MODIFY" and old == new):
            view = table["StreamSpecification"].get("StreamViewType", "NEW_AND_OLD_IMAGES")
            self._add(name, table, self.dynamodb._build_change_record(table, event, old, new, view))
        if self.dynamodb._kinesis_destinations.get(name):
            both = self.dynamodb._build_change_record(table, event, old, new, "NEW_AND_OLD_IMAGES")
            self.dynamodb._fan_out_to_kinesis(name, both)

    def _add(self, name: str, table: dict, record: Record) -> None:
        mappings = [mapping for _, mapping in self.mappings(table)]
        wanting = [mapping for mapping in mappings if self.lambda_svc._apply_filter_criteria([record], mapping)]
        if mappings and not wanting:
            return
        with self.lock:
            position = self.dynamodb.stream_end_position(name)
            if self.journal is not None:
                value = json.dumps(record, separators=(",", ":")).encode()
                self.journal.put(self.space, _part(table), _key(position), value)
                self._remove_rows(_part(table), self.dynamodb._stream_trimmed.get(name, 0))
            self.dynamodb._stream_records.setdefault(name, []).append(record)
        if any(not mapping.get("MaximumBatchingWindowInSeconds") for mapping in wanting):
            self.dynamodb.esm_wake.set()  # the other mappings wait in any case

    def mappings(self, table: dict) -> Iterator[tuple[Place, dict]]:
        """Return mappings that read the table's stream, with their positions, without marking them as changed."""
        for place, mapping in list(dict.items(self.lambda_svc._esms._data)):
            if mapping.get("EventSourceArn") == table.get("LatestStreamArn"):
                yield place, mapping

    def _positions(self, table: dict) -> list[int]:
        positions = self.lambda_svc._dynamodb_stream_positions._data
        return [positions.get(place, 0) for place, _ in self.mappings(table)]

    def advance(self, mapping: Place, table_place: Place, position: int) -> None:
        """Record that a mapping took everything before this position, and drop what all mappings took."""
        table = self.dynamodb._tables._data.get(table_place)
        with self.lock:
            self.lambda_svc._dynamodb_stream_positions._data[mapping] = position
            if self.journal is not None:
                self.journal.put(self.space, POSITIONS, json.dumps(mapping), str(position).encode())
            taken = min(self._positions(table), default=0) if table else 0
            if table and self.journal is not None:
                self._remove_rows(_part(table), taken)
            start = self.dynamodb._stream_trimmed._data.get(table_place, 0)
            surplus = taken - KEPT - start
            if surplus > 0:
                del self.dynamodb._stream_records._data[table_place][:surplus]
                self.dynamodb._stream_trimmed._data[table_place] = start + surplus

    def _remove_rows(self, part: str, until: int) -> None:
        assert self.journal is not None
        for position in range(self.removed.get(part, 0), until):
            self.journal.put(self.space, part, _key(position), None)
        self.removed[part] = max(until, self.removed.get(part, 0))

    def _drop(self, drop, name: str, table: dict | None) -> None:
        """Remove the rows of a stream that ends, which MiniStack calls this for."""
        drop(name, table)
        if table is not None and self.journal is not None:
            for key in self.journal.part(self.space, _part(table)):
                self.journal.put(self.space, _part(table), key, None)


def _has_stream(table: dict) -> bool:
    return bool((table.get("StreamSpecification") or {}).get("StreamEnabled"))


def _part(table: dict) -> str:
    """Return the part of a stream, by the table's id and the stream's label: a later one is another."""
    return f"{table['TableId']} {table.get('LatestStreamLabel')}"


def _key(position: int) -> str:
    return f"{position:020d}"
