"""A pickle executed without importing or calling what it names.

Python's own unpickler runs it with every name replaced by something inert. So names that are put together on the way
are found as the real unpickler would find them; a list of the pickle's opcodes does not give these.
"""

import pickle
from math import prod
from typing import Any, Protocol

import numpy as np

from model_code.importing.formats import ImportRefused


class _Nothing:
    """Stands for whatever a pickle makes: it accepts everything and does nothing."""

    arguments: tuple[Any, ...]

    def __new__(cls, *arguments: Any, **named: Any) -> "_Nothing":
        made = super().__new__(cls)
        made.arguments = arguments
        return made

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.state: Any = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass

    def add(self, value: Any) -> None:
        pass


class _Stream(Protocol):
    """The pickle's bytes."""

    def read(self, size: int, /) -> bytes: ...

    def readline(self) -> bytes: ...


class Inert(pickle._Unpickler):
    """Executes a pickle without importing or calling what it names; `names` collects the names."""

    stack: list[Any]  # of the base class, which the library's stubs do not show

    def __init__(self, stream: _Stream, names: set[tuple[str, str]]) -> None:
        super().__init__(stream)
        self.stream, self.names = stream, names

    def find_class(self, module: str, name: str) -> type[_Nothing]:
        self.names.add((module, name))
        return type("Nothing", (_Nothing,), {"name": (module, name)})

    def persistent_load(self, pid: Any) -> _Nothing:
        return _Nothing()

    def get_extension(self, code: int) -> None:
        raise ImportRefused(f"the pickle names the extension {code}: must name classes by themselves; save it without")

    def load_build(self) -> None:
        super().load_build()  # type: ignore[misc]  # the library's stubs do not show it
        made = self.stack[-1]
        if getattr(made, "name", None) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            self._skip_array(made.state)

    dispatch = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}  # type: ignore[dict-item]  # of this class, as load_build is  # noqa: RUF012 - never written to

    def _skip_array(self, wrapper: dict[str, Any]) -> None:
        """Skip the bytes of an array, which joblib writes between the opcodes, or execute the pickle of its objects."""
        dtype = np.dtype(str(wrapper["dtype"].arguments[0]))
        if dtype.hasobject:
            Inert(self.stream, self.names).load()
            return
        if wrapper.get("numpy_array_alignment_bytes") is not None:
            self.stream.read(self.stream.read(1)[0])
        left = prod(wrapper["shape"]) * dtype.itemsize
        while left > 0:
            left -= len(self.stream.read(min(left, 1 << 20))) or left
