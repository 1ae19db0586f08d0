"""What training pins, so that two hosts write the same bytes: nothing that is chosen by the processor rounds
differently.

OpenBLAS chooses its kernel, numpy its loops and the C library its exp and log (with FMA or without) as they are loaded,
and each choice rounds the last bit in its own way. Training takes the least that numpy's own wheels ask of a processor,
which every host has: OpenBLAS does not check that a processor has the kernel that it is told, it dies of an illegal
instruction. And one thread, since the order in which threads add numbers up shows in the last bits too.
"""

import os
import platform
import sys
from collections.abc import Mapping

_LEAST = {
    "x86_64": {
        "OPENBLAS_CORETYPE": "Nehalem",  # the oldest whose block sizes do not depend on the processor's cache
        "NPY_ENABLE_CPU_FEATURES": "X86_V2",  # and no level above it
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4",
    },
    "aarch64": {"OPENBLAS_CORETYPE": "ARMV8", "NPY_ENABLE_CPU_FEATURES": "ASIMD"},
}
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_CONTRADICTING = "NPY_DISABLE_CPU_FEATURES"  # numpy takes it or NPY_ENABLE_CPU_FEATURES, and is not imported with both
_RESTARTED = "FAIRWAY_RESTARTED_TO_PIN"


def pins(machine: str) -> dict[str, str]:
    """Return {environment variable: value} for a machine as `platform.machine()` names it; of an unknown one, its
    threads.
    """
    return {**_LEAST.get(machine, {}), **_ONE_THREAD}


def pinned(environment: Mapping[str, str], machine: str) -> dict[str, str]:
    """Return the environment with the pins in it, replacing other values."""
    return {name: value for name, value in environment.items() if name != _CONTRADICTING} | pins(machine)


def hold_pins() -> None:
    """Replace this process by itself in the pinned environment, once: the C library has read its own before Python
    runs.

    Something that starts Python may set variables of its own each time; then the process goes on with what it got, and
    the manifest records that.
    """
    wanted = pinned(os.environ, platform.machine())
    if wanted != os.environ and _RESTARTED not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**wanted, _RESTARTED: "1"})
