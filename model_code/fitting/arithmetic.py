"""The arithmetic of this process, as its libraries report it: the manifest's record of what was pinned."""

import os
import platform
from typing import TypedDict

import numpy as np
from threadpoolctl import threadpool_info

from model_code.fitting.pins import pins


class Arithmetic(TypedDict):
    """`pinned`: {variable: its value here, null where it is not set}; `libraries`: each with its version, kernel and
    threads; `simd`: numpy's levels above the one that it was built for. Nothing names the host or its processor.
    """

    machine: str
    libc: str
    pinned: dict[str, str | None]
    libraries: list[str]
    simd: list[str]


def arithmetic() -> Arithmetic:
    """Return what is in force, not what was asked for: without pins it reports that."""
    return {
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "pinned": {name: os.environ.get(name) for name in pins(platform.machine())},
        "libraries": sorted(_described(library) for library in threadpool_info()),
        "simd": np.show_config(mode="dicts")["SIMD Extensions"].get("found", []),
    }


def _described(library: dict) -> str:
    parts = (library["internal_api"], library["version"], library.get("architecture"))
    return " ".join([*filter(None, parts), f"threads={library['num_threads']}"])
