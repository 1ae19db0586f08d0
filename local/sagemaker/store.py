"""State of the service in one account and region: records by kind and name, and tags by ARN, as plain data."""

import copy
import threading
import time


class Store:
    """Records change under one lock, which notifies waiters; nested values are replaced, never changed in place."""

    def __init__(self):
        self.changed = threading.Condition(threading.RLock())
        self._records: dict[str, dict[str, dict]] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._counters: dict[str, int] = {}

    def add(self, kind: str, name: str, record: dict) -> bool:
        """Add a record; False if the name exists."""
        with self.changed:
            records = self._records.setdefault(kind, {})
            if name in records:
                return False
            records[name] = record
            self.changed.notify_all()
            return True

    def get(self, kind: str, name: str) -> dict | None:
        with self.changed:
            record = self._records.get(kind, {}).get(name)
            return dict(record) if record is not None else None

    def all(self, kind: str) -> list[dict]:
        with self.changed:
            return [dict(record) for record in self._records.get(kind, {}).values()]

    def update(self, kind: str, name: str, **changes) -> dict:
        """Set members, or remove those given as None; return the resulting record (empty if it does not exist)."""
        with self.changed:
            record = self._records.get(kind, {}).get(name)
            if record is None:
                return {}
            record.update(changes)
            for member in [member for member, value in changes.items() if value is None]:
                del record[member]
            self.changed.notify_all()
            return dict(record)

    def remove(self, kind: str, name: str) -> None:
        with self.changed:
            self._records.get(kind, {}).pop(name, None)
            self.changed.notify_all()

    def wait_for(self, condition, *, timeout_s: float) -> bool:
        """Wait until `condition()` holds; it is tried again whenever a record changes."""
        deadline = time.monotonic() + timeout_s
        with self.changed:
            while not condition():
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                self.changed.wait(left_s)
            return True

    def tag(self, arn: str, tags: dict[str, str]) -> None:
        with self.changed:
            self._tags.setdefault(arn, {}).update(tags)

    def untag(self, arn: str, keys: list[str]) -> None:
        with self.changed:
            for key in keys:
                self._tags.get(arn, {}).pop(key, None)

    def tags(self, arn: str) -> dict[str, str]:
        with self.changed:
            return dict(self._tags.get(arn, {}))

    def next_number(self, counter: str) -> int:
        """Return 1, 2, 3...: a number is never given twice, whatever is removed."""
        with self.changed:
            self._counters[counter] = self._counters.get(counter, 0) + 1
            return self._counters[counter]

    def snapshot(self) -> dict:
        with self.changed:
            return copy.deepcopy({"records": self._records, "tags": self._tags, "counters": self._counters})

    def restore(self, snapshot: dict) -> None:
        with self.changed:
            self._records = copy.deepcopy(snapshot.get("records", {}))
            self._tags = copy.deepcopy(snapshot.get("tags", {}))
            self._counters = dict(snapshot.get("counters", {}))
