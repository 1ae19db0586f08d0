"""State of every service in the journal, entry by entry, in MiniStack's own form and by its own functions."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

from ministack.core.persistence import _json_default, _json_object_hook
from ministack.services import lambda_svc

from local.journal import Journal
from local.ministack.touched import Touched, is_scoped, only, state_of, watch
from local.state import LocalError

HOOKS = (
    "ministack.app:_build_persistence_save_dict",
    "ministack.app:_load_persisted_state",
    "ministack.app:save_all",
    "ministack.app:_state_map",
    "ministack.app:_get_module",
    "ministack.core.persistence:_json_default",
    "ministack.core.persistence:_json_object_hook",
    "ministack.core.responses:AccountScopedDict._data",
    "ministack.core.responses:AccountRegionScopedDict._data",
    "ministack.services.dynamodb:_txn_idempotency",
    "ministack.services.lambda_svc:CODE_BLOB_DIR",
    "ministack.services.lambda_svc:_prune_orphan_code_blobs",
    "ministack.services.lambda_svc:_read_code_blob",
)
SPACE = "services"
WHOLE = ""  # key of the row that describes a member, or holds all of it if it is not stored by account
MARKS = ("__scoped__", "__account_region_scoped__")  # marks what MiniStack's form stores by account
EVERY_S = 0.5
SWEEP_EVERY_S = 10.0  # a Step Functions flow changes its values without reading them again
SHARE_OF_TIME = 0.05
ALSO_SAVED = {"dynamodb": {"txn_idempotency": "_txn_idempotency"}}  # a repeated transaction is not executed again
LOG = logging.getLogger("journal")


def register() -> None:
    """Keep function code that the journal names, so that none is missing after a restore."""
    read = lambda_svc._read_code_blob

    def read_or_refuse(checksum: str) -> bytes:
        code = read(checksum)
        if code is None:
            raise FileNotFoundError(f"the code of a function, {lambda_svc.CODE_BLOB_DIR}/{checksum}.zip")
        return code

    lambda_svc._read_code_blob = read_or_refuse
    lambda_svc._prune_orphan_code_blobs = lambda referenced: None  # pruned at the next start, by `restore`


class _Service:
    """One service: the function that returns its state, and what of it is in the journal."""

    def __init__(self, name: str, get_state: FunctionType):
        self.name, self.get_state, self.lock = name, get_state, threading.Lock()
        self.contents: list[Touched] = watch(get_state)

    def take(self, *, everything: bool) -> set:
        """Return the keys to compare."""
        keys: set = set()
        for content in self.contents:
            touched, content.touched = content.touched, set()
            keys |= set(content) if everything else touched
        return keys

    def give_back(self, keys: set) -> None:
        for content in self.contents:
            content.touched |= keys

    def state(self, keys: set) -> dict:
        also = {
            name: only(self.get_state.__globals__[attribute], keys)
            for name, attribute in ALSO_SAVED.get(self.name, {}).items()
        }
        return {**(state_of(self.get_state, keys) or {}), **also}


class Entries:
    """State of all services except DynamoDB's items, written when it changes."""

    def __init__(self, app, journal: Journal):
        self.app, self.journal = app, journal
        self.services: dict[str, _Service] = {}
        self.space = next(iter(journal.spaces(SPACE)), None) or journal.add_space(SPACE)
        self.written: dict[tuple[str, str], int | None] = {}  # the hash of every row

    def collect(self, *, everything: bool = False) -> None:
        """Put changes into the journal."""
        for name in self.app._build_persistence_save_dict():
            self.collect_one(name, everything=everything)

    def collect_one(self, name: str, *, everything: bool = False) -> None:
        service = self.services.get(name)
        if service is None:
            get_state = self.app._build_persistence_save_dict()[name]
            if not isinstance(get_state, FunctionType):
                return  # a service that could not be imported has no state
            service = self.services.setdefault(name, _Service(name, get_state))
        with service.lock:
            self.save(service, service.take(everything=everything))

    def save(self, service: _Service, keys: set) -> None:
        if not keys and service.contents:
            return
        try:
            rows = list(_rows(service.name, service.state(keys), keys))
        except RuntimeError:  # it changed while it was read, in another thread
            service.give_back(keys)
            return
        for part, key, value in rows:
            found = None if value is None else hash(value)
            if found != self.written.get((part, key)):
                self.journal.put(self.space, part, key, value)
                self.written[part, key] = found

    def load(self) -> dict[str, dict]:
        """Return the saved state of each service."""
        states: dict[str, dict] = {}
        for part, key, value in self.journal.after(self.space):
            self.written[part, key] = hash(value)
            service, _, member = part.partition("/")
            content = json.loads(value, object_hook=None if key == WHOLE else _json_object_hook)
            if key == WHOLE:  # comes first: no key is smaller
                states.setdefault(service, {})[member] = content
            else:
                states[service][member].setdefault("data", {})[key] = content
        return {
            service: {member: _revived(content) for member, content in members.items()}
            for service, members in states.items()
        }

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write in the background what changes without a request."""
        threading.Thread(target=self._collect_forever, args=(loop,), daemon=True, name="entries").start()

    def _collect_forever(self, loop: asyncio.AbstractEventLoop) -> None:
        swept = time.monotonic()
        while not loop.is_closed():
            began = time.monotonic()
            everything = began - swept > SWEEP_EVERY_S
            try:
                self.collect(everything=everything)
                if self.journal.is_behind:
                    loop.call_soon_threadsafe(self.journal.begin)
            except Exception:
                LOG.exception("the state of a service cannot be written")
            swept = began if everything else swept
            time.sleep(max(EVERY_S, (time.monotonic() - began) / SHARE_OF_TIME))


def _rows(service: str, state: dict, keys: set) -> Iterator[tuple[str, str, bytes | None]]:
    """Yield (part, key, value) of everything, and None for removed keys."""
    for member, value in state.items():
        part = f"{service}/{member}"
        if not is_scoped(value):
            yield part, WHOLE, _encoded(value)
            continue
        form = _form(value)
        content = form.pop("data")
        yield part, WHOLE, _encoded(form)
        for key, entry in content.items():
            yield part, key, _encoded(entry)
        gone = type(value)()
        gone._data = {key: None for key in keys if len(key) == _depth(value)}
        yield from ((part, key, None) for key in _form(gone)["data"].keys() - content.keys())


def _depth(store) -> int:
    """Return how many parts a key has: account, region if the service has any, name."""
    with_region = "__account_region_scoped__" in _form(type(store)())
    return 3 if with_region else 2


def _form(store) -> dict:
    return _json_default(store)


def _encoded(value) -> bytes:
    return json.dumps(value, default=_json_default, separators=(",", ":")).encode()


def _revived(content):
    """Return a member as the service gave it: stored by account, or plain data."""
    if isinstance(content, dict) and any(mark in content for mark in MARKS):
        return _json_object_hook({"data": {}, **content})
    return json.loads(json.dumps(content), object_hook=_json_object_hook)


def restore(app, entries: Entries, also_named: str) -> None:
    """Restore the state of every service; one that cannot take it prevents the start.

    Function code is removed if neither this state nor `also_named` names it.
    """
    saved = entries.load()
    _prune_code(also_named + "".join(_encoded(member).decode() for member in saved.get("lambda", {}).values()))
    for name, state in saved.items():
        try:
            also = {member: state.pop(member, None) for member in ALSO_SAVED.get(name, {})}
            module = app._get_module(app._state_map[name])
            module.load_persisted_state(state)
            for member, attribute in ALSO_SAVED.get(name, {}).items():
                getattr(module, attribute).update(also[member] or {})
        except Exception as error:
            raise LocalError(
                f"the saved state of {name} cannot be restored ({type(error).__name__}: {error}); "
                "use another folder with --state"
            ) from error


def _prune_code(named: str) -> None:
    """Remove function code that this text does not name."""
    for code in Path(lambda_svc.CODE_BLOB_DIR).glob("*.zip"):
        if code.stem not in named:
            code.unlink()
