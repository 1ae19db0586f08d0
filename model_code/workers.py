"""Several processes on one port: forked from one that has loaded and proved the model, so that they share its memory.

Each has a socket of its own (SO_REUSEPORT) and the kernel spreads connections over them. One that dies is replaced;
SIGTERM to the parent is passed on, and the parent ends when all have.
"""

import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable

from model_code.request_log import log

BACKLOG = 1024  # connections that wait to be accepted; a client beyond them tries again after a second


def listening_sockets(host: str, port: int, count: int) -> list[socket.socket]:
    found = []
    for _ in range(count):
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if count > 1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
        found.append(sock)
    return found


def run_workers(sockets: list[socket.socket], work: Callable[[socket.socket], None]) -> None:
    """`work(socket)` in this process where there is one socket, else in one process for each."""
    gc.freeze()  # the model and the modules stay: no collection need look through them, or unshare their pages
    if len(sockets) == 1:
        return work(sockets[0])
    children = {}

    def stop(number, frame):
        # closed here too: else a connection would wait at a socket that nobody reads
        while sockets:
            sockets.pop().close()
        for pid in list(children):
            os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for sock in list(sockets):
        children[start(sock, sockets, work)] = sock
    while children:
        pid, status = os.wait()
        sock = children.pop(pid)
        if sockets:
            log(event="worker_died", status=status)
            children[start(sock, sockets, work)] = sock


def start(sock: socket.socket, sockets: list[socket.socket], work: Callable[[socket.socket], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        for other in sockets:
            if other is not sock:
                other.close()
        work(sock)
        status = 0
    except BaseException:  # a child must not run on in its parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)
