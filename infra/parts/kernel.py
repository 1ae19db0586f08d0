"""The kernel in the functions' zip: compiled once for their processor and C library, with the same bytes on any
machine.

`ziglang` (PyPI) is a C++ compiler for every target, and includes their C libraries. model_code/kernel/abi declares what
the kernel needs of CPython, so the result does not depend on this machine's Python, and any Python from 3.11 on loads
it.
"""

import fcntl
import hashlib
import importlib.machinery
import importlib.metadata
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.parts.image import ROOT, source_files

SOURCES = ROOT / "model_code" / "kernel"
CACHE = ROOT / "build" / "kernel"
TARGET = "aarch64-linux-gnu.2.34"  # Graviton, and the C library of Amazon Linux 2023
MODULE = "_kernel.abi3.so"
OPTIONS = ("-s", "-shared", "-fPIC", "-I", "abi", "module.cpp")


class KernelMissing(Exception):
    """Report that the functions cannot have the kernel; the message gives the reason and what to do."""


def kernel_of_functions(*, local: bool, target: str = TARGET) -> Path:
    """Return the compiled module for the functions' zip. Raises KernelMissing.

    Local functions run on this machine, so they get the module that this machine built for itself.
    """
    return _own_build() if local else _compiled(target)


def _own_build() -> Path:
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        if (file := SOURCES / f"_kernel{suffix}").exists():
            return file
    raise KernelMissing(
        "the kernel is not built on this machine: install g++ or clang++, and run python -m model_code.kernel.build"
    )


def _compiled(target: str) -> Path:
    """Compile the kernel, unless it was already compiled from the same sources with the same flags and compiler."""
    try:
        version = importlib.metadata.version("ziglang")
    except importlib.metadata.PackageNotFoundError:
        raise KernelMissing("the kernel cannot be compiled for functions: no ziglang; run make setup") from None
    module = CACHE / _digest(version, target) / MODULE
    module.parent.mkdir(parents=True, exist_ok=True)
    with (module.parent / "lock").open("w") as lock:  # of two processes that synthesise at once, one compiles
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not module.exists():
            _compile(target, module)
    return module


def _digest(version: str, target: str) -> str:
    digest = hashlib.sha256("\0".join((version, target, *OPTIONS)).encode())
    for file in source_files(SOURCES, (".",)):
        if file.suffix in (".cpp", ".hpp", ".h", ".txt"):
            digest.update(f"\0{file.relative_to(SOURCES).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _compile(target: str, module: Path) -> None:
    """Compile with relative paths, so that no path of this machine gets into the module."""
    print("compiling the kernel for the functions (only once, about a minute)", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=module.parent) as folder:
        made = Path(folder, MODULE)
        flags = (SOURCES / "flags.txt").read_text(encoding="utf-8").split()
        command = [sys.executable, "-m", "ziglang", "c++", "-target", target, *flags, *OPTIONS, "-o", str(made)]
        ran = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True)
        if ran.returncode:
            raise KernelMissing(f"the kernel cannot be compiled for functions ({target}): {ran.stderr.strip()[-2000:]}")
        os.replace(made, module)
