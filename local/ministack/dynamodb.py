"""DynamoDB's items in the journal instead of memory: a table's items and its indexes' members are rows on disk.

MiniStack changes an item through two functions and reads items through a mapping of mappings {partition: {sort: item}};
both are replaced here. A page of a scan reads only that page.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import dynamodb

from local.journal import Journal, JournalError

MODULE = "ministack.services.dynamodb"
HOOKS = tuple(
    f"{MODULE}:{name}"
    for name in (
        "_INDEX_MEMBERS",
        "_DDB_PAGE_SIZE_BYTES",
        "_batch_write_item",
        "drop_stream_records",
        "_extract_key_val",
        "_index_item",
        "_index_key_schemas",
        "_index_members",
        "_index_partition",
        "_item_size_bytes",
        "_items_replaced",
        "_normalize_table_name",
        "_remove_item",
        "_scan",
        "_set_item",
        "_tables",
        "_ttl_settings",
        "load_persisted_state",
    )
)
SPACE = "dynamodb"  # first word of the names of all spaces of tables and indexes
EXPIRE_EVERY_S = 3600.0  # DynamoDB itself takes some days
BYTES_PER_ITEM = 200  # as MiniStack counts

_encoded = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode  # json.dumps makes one each time

Item = dict[str, Any]
Table = dict[str, Any]


class Items:
    """Items of one table: {partition: {sort: item}}, read from the journal. Written by `set_item` and `remove_item`."""

    def __init__(self, journal: Journal, space: int):
        self.journal, self.space = journal, space
        self.page: dict[str, dict[str, Item]] | None = None  # partitions that a request will need, read at once
        self._last: tuple[str, dict[str, Item]] | None = None  # a query reads a partition more than once

    def get(self, partition: str, default=None):
        if self.page is not None and partition in self.page:
            return self.page[partition] or default
        if self._last is None or self._last[0] != partition:
            rows = self.journal.part(self.space, partition)
            self._last = partition, {sort: json.loads(value) for sort, value in rows.items()}
        return self._last[1] or default

    def put(self, partition: str, sort: str, item: Item | None) -> None:
        self._last = None
        if self.page is not None and partition in self.page:
            others = {name: other for name, other in self.page[partition].items() if name != sort}
            self.page[partition] = others if item is None else {**others, sort: item}
        value = None if item is None else _encoded(item).encode()
        self.journal.put(self.space, partition, sort, value)

    def read_at_once(self, partitions: list[str]) -> None:
        """Keep these partitions in memory until `page` is None again."""
        found = self.journal.parts(self.space, partitions)
        self.page = {
            partition: {sort: json.loads(value) for sort, value in rows.items()} for partition, rows in found.items()
        }

    def all(self, partition: str = "") -> Iterator[tuple[str, str, Item]]:
        """Yield (partition, sort, item) in order, from this partition on."""
        return ((part, sort, json.loads(value)) for part, sort, value in self.journal.after(self.space, partition))

    def __getitem__(self, partition: str) -> dict[str, Item]:
        found = self.get(partition)
        if found is None:
            raise KeyError(partition)
        return found

    def __contains__(self, partition: str) -> bool:
        return self.get(partition) is not None

    def __iter__(self) -> Iterator[str]:
        if self.page is not None:
            return iter(list(self.page))
        return iter(dict.fromkeys(partition for partition, _, _ in self.all()))

    def keys(self):
        return list(iter(self))  # list would ask for the length by itself

    def values(self):
        return [dict(self[partition]) for partition in self]

    def items(self):
        return [(partition, dict(self[partition])) for partition in self]

    def __len__(self) -> int:
        return len(self.keys())

    def __deepcopy__(self, memo) -> dict:
        """Save a table without its items, which are found by the table's id."""
        return {}


class Members:
    """Members of one index: `get(partition)` lists their (partition, sort) in the table."""

    def __init__(self, journal: Journal, space: int):
        self.journal, self.space = journal, space

    def get(self, partition, default=()) -> list[tuple[str, str]]:
        return [_place(key) for key in self.journal.part(self.space, _part(partition))]

    def put(self, partition, place: tuple[str, str], present: bool) -> None:
        key = f"{len(place[0])} {place[0]}{place[1]}"
        self.journal.put(self.space, _part(partition), key, b"" if present else None)


def _part(partition: str | tuple) -> str:
    """Return the members' part: the value that a query asks for, or several."""
    return partition if isinstance(partition, str) else _encoded(partition)


def _place(key: str) -> tuple[str, str]:
    """Return (partition, sort) as `Members.put` joined them."""
    length, _, both = key.partition(" ")
    return both[: int(length)], both[int(length) :]


def register() -> None:
    """Do nothing until there is a journal: see `use`."""


def use(journal: Journal, save_tables: Callable[[], None]) -> None:
    """Keep all items in this journal from now on. `save_tables` stores the tables themselves in it."""
    store = _Store(dynamodb, journal, save_tables)
    scan, batch_write = dynamodb._scan, dynamodb._batch_write_item
    drop, load = dynamodb.drop_stream_records, dynamodb.load_persisted_state
    dynamodb._set_item, dynamodb._remove_item = store.set_item, store.remove_item
    dynamodb._index_members = store.members
    dynamodb._index_item = lambda *_, **__: None  # `set_item` and `remove_item` did
    dynamodb._items_replaced = store.replaced
    dynamodb._batch_write_item = lambda request: store.batch_write(batch_write, request)
    dynamodb._scan = lambda request: store.scan(scan, request)
    dynamodb.drop_stream_records = lambda name, table=None: store.drop_stream(drop, name, table)
    dynamodb.load_persisted_state = lambda saved: store.load(load, saved)
    dynamodb._ttl_settings = _not_reaped(dynamodb._ttl_settings)
    threading.Thread(target=store.expire_forever, daemon=True, name="dynamodb-expiry").start()


def _not_reaped(settings):
    """Hide tables from MiniStack's own reaper, which reads every item of a table once a minute."""

    class NotReaped(type(settings)):  # type: ignore[misc]  # its class is MiniStack's own
        def all_items(self):
            return []

    hidden = NotReaped()
    hidden._data = settings._data
    return hidden


class _Store:
    """MiniStack's operations on a table's items, in the journal."""

    def __init__(self, dynamodb, journal: Journal, save_tables: Callable[[], None]):
        self.dynamodb, self.journal, self.save_tables = dynamodb, journal, save_tables

    def items(self, table: Table) -> Items:
        """Return the table's items; those that MiniStack made as a plain dict are moved to the journal first."""
        items = table["items"]
        if isinstance(items, Items):
            return items
        table["items"] = moved = Items(self.journal, self.journal.add_space(_space_name(table)))
        table.pop(self.dynamodb._INDEX_MEMBERS, None)
        for partition, found in items.items():
            for sort, item in found.items():
                moved.put(partition, sort, item)
        self.save_tables()  # rows without their table would be removed at the next start
        return moved

    def set_item(self, table: Table, partition: str, sort: str, item: Item) -> Item | None:
        items = self.items(table)
        before = (items.get(partition) or {}).get(sort)
        items.put(partition, sort, item)
        self.index(table, (partition, sort), before, item)
        if before is None:
            _count(table, table.get("ItemCount", 0) + 1)
        return before

    def remove_item(self, table: Table, partition: str, sort: str) -> Item | None:
        items = self.items(table)
        before = (items.get(partition) or {}).get(sort)
        if before is not None:
            items.put(partition, sort, None)
            self.index(table, (partition, sort), before, None)
            _count(table, max(0, table.get("ItemCount", 0) - 1))
        return before

    def index(self, table: Table, place: tuple[str, str], before: Item | None, after: Item | None) -> None:
        """Update the members of every index for the item."""
        members = self.members(table)
        for name, hashes, ranges in self.dynamodb._index_key_schemas(table):
            old, new = (
                None if item is None else self.dynamodb._index_partition(item, hashes, ranges)
                for item in (before, after)
            )
            if old == new:
                continue
            for partition, present in ((old, False), (new, True)):
                if partition is not None:
                    members[name].put(partition, place, present)

    def members(self, table: Table) -> dict[str, Members]:
        """Return the members of every index by name, made if an index is new.

        MiniStack drops them when an index changes.
        """
        known = table.get(self.dynamodb._INDEX_MEMBERS)
        if known is None:
            items = self.items(table).all() if table.get("ItemCount") else ()
            known = table[self.dynamodb._INDEX_MEMBERS] = {}
            for name, _, _ in self.dynamodb._index_key_schemas(table):
                for space in self.journal.spaces(_space_name(table, name)):
                    self.journal.drop_space(space)
                known[name] = Members(self.journal, self.journal.add_space(_space_name(table, name)))
            for partition, sort, item in items:  # nothing goes to disk before the index is whole
                self.index(table, (partition, sort), None, item)
        return known

    def replaced(self, table: Table) -> None:
        """Take the items of a plain dict, after a transaction was undone or a table restored."""
        items = table["items"]
        _count(table, sum(len(found) for found in items.values()))
        self.items(table)

    def scan(self, scan, request: dict):
        """Scan with MiniStack's own code, given only the page that it will answer with; a scan of an index or segment
        sees all.
        """
        name = self.dynamodb._normalize_table_name(request.get("TableName"))
        table = self.dynamodb._tables.get(name)
        items = table and table["items"]
        start = request.get("ExclusiveStartKey")
        whole = request.get("IndexName") or request.get("TotalSegments") or not isinstance(start, dict | None)
        if whole or not isinstance(items, Items):
            return scan(request)
        try:
            items.page = self.page(items, table, start or {}, request.get("Limit"))
            return scan(request)
        finally:
            items.page = None

    def page(self, items: Items, table: Table, start: Item, limit) -> dict[str, dict[str, Item]]:
        """Return just more than a scan answers with at once."""
        first = self.dynamodb._extract_key_val(start.get(table["pk_name"]))
        most = int(limit) if str(limit).isdigit() else None
        found: dict[str, dict[str, Item]] = {}
        size = number = 0
        sort_name = table["sk_name"]
        start_sort = self.dynamodb._extract_key_val(start.get(sort_name)) if sort_name else ""
        for partition, sort, item in items.all(first):
            if start and (partition, sort if sort_name else "") <= (first, start_sort):
                continue
            found.setdefault(partition, {})[sort] = item
            size, number = size + self.dynamodb._item_size_bytes(item), number + 1
            if size > self.dynamodb._DDB_PAGE_SIZE_BYTES or (most is not None and number > most):
                break
        return found

    def batch_write(self, write, request: dict):
        """Write MiniStack's batch of writes, with the replaced items read at once."""
        tables = []
        with contextlib.suppress(
            AttributeError, KeyError, TypeError
        ):  # a request of another form is refused by MiniStack
            for name, writes in request["RequestItems"].items():
                table = self.dynamodb._tables.get(self.dynamodb._normalize_table_name(name))
                if table is not None:
                    keys = [_written(one).get(table["pk_name"]) for one in writes]
                    self.items(table).read_at_once([self.dynamodb._extract_key_val(key) for key in keys])
                    tables.append(table)
        try:
            return write(request)
        finally:
            for table in tables:
                table["items"].page = None

    def drop_stream(self, drop, name: str, table: Table | None = None) -> None:
        """Remove the rows of a deleted table too, like MiniStack with every table it deletes."""
        drop(name, table)
        if table is not None and self.dynamodb._tables.get(name) is not table:
            for space in self.spaces(table):
                self.journal.drop_space(space)

    def load(self, load, saved: dict) -> None:
        """Restore tables with their items on disk; rows without a table are removed."""
        load(saved)
        used = set()
        for table in self.dynamodb._tables.all_values():
            self.find(table)
            used.update(self.spaces(table))
        for space in set(self.journal.spaces()) - used:
            if self.journal.name(space).startswith(SPACE):
                self.journal.drop_space(space)

    def find(self, table: Table) -> None:
        """Give a restored table its items and its indexes' members."""
        space = max(self.journal.spaces(_space_name(table)), default=None)
        if space is None:
            return
        table["items"] = Items(self.journal, space)
        _count(table, self.journal.count(space))
        names = [name for name, _, _ in self.dynamodb._index_key_schemas(table)]
        found = {name: max(self.journal.spaces(_space_name(table, name)), default=None) for name in names}
        if None not in found.values():  # else they are made when they are first asked for
            table[self.dynamodb._INDEX_MEMBERS] = {
                name: Members(self.journal, number) for name, number in found.items() if number is not None
            }

    def spaces(self, table: Table) -> list[int]:
        names = [
            _space_name(table),
            *(_space_name(table, name) for name, _, _ in self.dynamodb._index_key_schemas(table)),
        ]
        return [space for name in names for space in self.journal.spaces(name)]

    def expire_forever(self) -> None:
        while True:
            time.sleep(EXPIRE_EVERY_S)
            try:
                self.expire(time.time())
            except JournalError as error:
                self.dynamodb.logger.error("items that expired are still there: %s", error)

    def expire(self, now: float) -> None:
        """Remove expired items."""
        for place, setting in list(self.dynamodb._ttl_settings._data.items()):
            table = self.dynamodb._tables._data.get(place)
            if table is None or setting.get("TimeToLiveStatus") != "ENABLED":
                continue
            for partition, sort, item in self.items(table).all():
                until = item.get(setting["AttributeName"], {}).get("N")
                if until is not None and float(until) <= now:
                    self.remove_item(table, partition, sort)


def _written(request: dict) -> Item:
    """Return the item that one member of a batch puts, or the key that it removes."""
    return (request.get("PutRequest") or {}).get("Item") or (request.get("DeleteRequest") or {}).get("Key") or {}


def _space_name(table: Table, index: str | None = None) -> str:
    """Return the space's name, by the table's id: a later table of the same name is another one."""
    return " ".join((SPACE, table["TableId"], *filter(None, (index,))))


def _count(table: Table, number: int) -> None:
    table["ItemCount"], table["TableSizeBytes"] = number, number * BYTES_PER_ITEM
