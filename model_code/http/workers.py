"""Several processes on one port: forked from one that has loaded and proved the model, so that they share its memory.

One that dies is replaced. SIGTERM to the parent is passed on, and the parent ends when all have, which takes at most
END_SECONDS. A worker notices by itself that its parent was killed (`server.py`).
"""

import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from model_code.http.listening import begin_no_more_connections
from model_code.http.request_log import log

STOPS = frozenset({signal.SIGTERM, signal.SIGINT})
_END_SECONDS = 28  # SageMaker kills 30 s after SIGTERM
_REPEAT_SECONDS = 0.5  # a worker that was not listening for SIGTERM yet is asked again
_WATCHED = STOPS | {signal.SIGCHLD}

Work = Callable[[socket.socket], None]


@contextmanager
def stops_blocked() -> Iterator[None]:
    """Keep SIGTERM and SIGINT waiting, in this thread and those that it starts: none is lost, none is fatal."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def stops_unblocked() -> Iterator[None]:
    """Let SIGTERM and SIGINT through; their handlers must be installed before, and stay until after."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before | STOPS)


def run_workers(sockets: list[socket.socket], work: Work) -> None:
    """Run `work(socket)` in this process if there is one socket, else in one process for each.

    `work` must end at SIGTERM, for which it may install its handler at any time.
    """
    gc.freeze()  # the model and the modules stay: no collection need look through them, or unshare their pages
    if len(sockets) == 1:
        return work(sockets[0])
    signals = _signal_pipe()
    with stops_unblocked():
        children = {_start(sock, sockets, work): sock for sock in sockets}
        stopping = False
        while not stopping:
            stopping = not STOPS.isdisjoint(_wait(signals))
            _replace_ended(children, sockets, work)  # at a stop, too: what waits at a dead worker's socket is answered
        _stop(children, sockets, signals)


def _signal_pipe() -> int:
    """Return a descriptor that delivers the number of each signal, in whichever thread and at whatever time it
    comes.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in _WATCHED:
        signal.signal(number, lambda number, frame: None)  # the descriptor is all that is needed
    return reading


def _wait(signals: int, seconds: float | None = None) -> set[int]:
    ready, _, _ = select.select([signals], [], [], seconds)
    return set(os.read(signals, 4096)) if ready else set()


def _start(sock: socket.socket, sockets: list[socket.socket], work: Work) -> int:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    pid = os.fork()
    if not pid:
        _work_and_exit(sock, sockets, work)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _work_and_exit(sock: socket.socket, sockets: list[socket.socket], work: Work) -> NoReturn:
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)  # until `work` has its handlers; the parent asks again
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        for other in sockets:
            if other is not sock:
                other.close()
        work(sock)
        status = 0
    except BaseException:  # noqa: BLE001 - a child must not run on in its parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _replace_ended(children: dict[int, socket.socket], sockets: list[socket.socket], work: Work) -> None:
    for sock, status in list(_ended(children)):
        log(event="worker_died", status=status)
        children[_start(sock, sockets, work)] = sock


def _ended(children: dict[int, socket.socket]) -> Iterator[tuple[socket.socket, int]]:
    """Remove ended processes from `children`; return (socket, exit status) of each."""
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        if pid in children:  # the first process of a container inherits other children
            yield children.pop(pid), status


def _stop(children: dict[int, socket.socket], sockets: list[socket.socket], signals: int) -> None:
    for (
        sock
    ) in sockets:  # all of them before any worker stops: else a client that one turns away would come to the next
        begin_no_more_connections(sock)
        sock.close()  # the worker has it still
    end = time.monotonic() + _END_SECONDS
    while children:
        for pid in children:
            os.kill(pid, signal.SIGTERM if time.monotonic() < end else signal.SIGKILL)
        _wait(signals, _REPEAT_SECONDS)
        for _, status in _ended(children):
            if status:
                log(event="worker_died", status=status)
