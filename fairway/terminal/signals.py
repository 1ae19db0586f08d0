"""SIGTERM and a closed terminal end a command like Ctrl-C: it reports what is still running and cleans up."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LIKE_CTRL_C = ("SIGTERM", "SIGHUP")  # by name: Windows has no SIGHUP


@contextmanager
def interruptible() -> Iterator[None]:
    """Install the handlers; only the main thread may. Ignored signals (nohup) stay ignored."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in LIKE_CTRL_C if hasattr(signal, name)]
        heeded = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, _interrupt) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
