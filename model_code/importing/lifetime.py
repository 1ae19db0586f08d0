"""Processes that end with the one that started them, however that ends."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1  # of linux/prctl.h
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # before a fork, after which little may be done


def die_with_parent() -> None:
    """Ask, in a process that was just forked, to be killed when its parent ends; only Linux supports this."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
