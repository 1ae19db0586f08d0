"""Entries of MiniStack's state that may have changed: its dicts of accounts and regions record every key that
is read.
"""

import copy
from collections.abc import Iterable
from contextvars import ContextVar
from types import FunctionType, SimpleNamespace
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict

_by_this_request: ContextVar[dict | None] = ContextVar("touched_by_this_request", default=None)


class Touched(dict):
    """The dict inside a scoped one. A read counts as a change, since values are changed in place."""

    def __init__(self, content: dict):
        super().__init__(content)
        self.touched: set = set(content)

    def touch(self, keys: Iterable) -> None:
        self.touched.update(keys)
        here = _by_this_request.get()
        if here is not None:
            here.setdefault(id(self), (self, set()))[1].update(keys)

    def __getitem__(self, key):
        self.touch((key,))
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        self.touch((key,))
        super().__setitem__(key, value)

    def __delitem__(self, key):
        self.touch((key,))
        super().__delitem__(key)

    def get(self, key, default=None):
        self.touch((key,))
        return super().get(key, default)

    def pop(self, key, *default):
        self.touch((key,))
        return super().pop(key, *default)

    def setdefault(self, key, default=None):
        self.touch((key,))
        return super().setdefault(key, default)

    def update(self, *others, **more):
        super().update(*others, **more)
        self.touch(list(self))

    def clear(self):
        self.touch(list(self))
        super().clear()

    def values(self):
        self.touch(list(self))
        return super().values()

    def items(self):
        self.touch(list(self))
        return super().items()


def note_request() -> dict:
    """Record what this request reads from now on, for `touch_again`."""
    noted: dict = {}
    _by_this_request.set(noted)
    return noted


def touch_again(noted: dict) -> None:
    """Mark what a request read as changed again: it may change it long after reading it."""
    for content, keys in noted.values():
        content.touched.update(keys)


def is_scoped(value: object) -> bool:
    return isinstance(value, AccountScopedDict | AccountRegionScopedDict)


def watch(get_state: FunctionType) -> list[Touched]:
    """Make the state of the service with this function record reads. At first everything counts as changed."""
    stores: list[Any] = [value for value in get_state.__globals__.values() if is_scoped(value)]
    for store in stores:
        if not isinstance(store._data, Touched):
            store._data = Touched(store._data)
    return [store._data for store in stores]


def only(store, keys: set):
    """Return a dict like this one with only these keys, read without recording."""
    part = type(store)()
    part._data = {key: dict.__getitem__(store._data, key) for key in keys if dict.__contains__(store._data, key)}
    return part


def state_of(get_state: FunctionType, keys: set) -> dict:
    """Return what the service's own function gives if only these keys existed."""
    seen = dict(get_state.__globals__)

    def through(value):
        if is_scoped(value):
            return only(value, keys)
        if isinstance(value, FunctionType) and value.__name__ == "<lambda>":
            return FunctionType(value.__code__, seen, closure=value.__closure__)
        if isinstance(value, tuple):
            return tuple(map(through, value))
        return {key: through(member) for key, member in value.items()} if isinstance(value, dict) else value

    used = {name for name in get_state.__code__.co_names if name in seen}
    used |= {name for name, value in seen.items() if is_scoped(value)}
    seen.update({name: through(seen[name]) for name in used})
    seen["copy"] = SimpleNamespace(deepcopy=_copied, copy=copy.copy)
    return FunctionType(get_state.__code__, seen, closure=get_state.__closure__)()


def _copied(value):
    """Return a scoped dict without a copy, as it is written at once; the service's function may change values
    inside.
    """
    return value if is_scoped(value) else copy.deepcopy(value)
