"""Temporary folders and processes that end with the command, even if it is killed.

A small process waits at a pipe that only the command holds open. However the command ends, the pipe closes, and the
process removes the folder.
"""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Again for a while: of a command that is being killed, the CDK's Node goes on unpacking for seconds on a busy machine.
REMOVE = 'cat > /dev/null; n=0; until rm -rf -- "$1" || [ $((n += 1)) -ge 30 ]; do sleep 1; done'
PR_SET_PDEATHSIG = 1  # of linux/prctl.h
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # before a fork, after which little may be done
_kept: list["subprocess.Popen[bytes]"] = []


@contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """Make a folder that is removed at the end of the context."""
    folder, remover = _made(purpose)
    try:
        yield folder
    finally:
        remover.communicate()


def scratch_until_exit(purpose: str) -> Path:
    """Make a folder that is removed when this process ends."""
    folder, remover = _made(purpose)
    _kept.append(remover)
    return folder


def _made(purpose: str) -> tuple[Path, "subprocess.Popen[bytes]"]:
    folder = Path(tempfile.mkdtemp(prefix=f"fairway-{purpose}-"))
    words = ["/bin/sh", "-c", REMOVE, "fairway-scratch", str(folder)]
    # In a session of its own, which Ctrl-C in a terminal does not reach, and with the system's programs only.
    environment = {"PATH": os.defpath}
    return folder, subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True, env=environment)


def die_with_parent() -> None:
    """Ask, in a process that was just forked, to be killed when its parent ends; only Linux supports this."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
