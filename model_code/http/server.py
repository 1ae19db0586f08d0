"""What the connections of one process share: limits on the work under way, threads for large requests, the end.

Small requests are scored between two reads, as that takes microseconds; large ones on threads, so that /ping is
answered meanwhile. SIGTERM stops the listening; every request that was begun is answered, and its reply is the last.
"""

import asyncio
import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from model_code.answers.reply import Reply
from model_code.http.connection import Connection
from model_code.http.listening import BACKLOG, HANDSHAKE_SECONDS, begin_no_more_connections
from model_code.http.request import Request
from model_code.http.request_log import RequestLog
from model_code.http.workers import STOPS, stops_unblocked

MOST_HELD = 96 * 1024 * 1024  # of bodies that are not whole or wait: sixteen of the largest
_INLINE_BODY = 64 * 1024
_LARGE_AT_ONCE = 2  # threads for the larger ones; further ones wait
_CHECK_SECONDS = 0.5


class Answerer(Protocol):
    """Answers a request, in any thread; raises nothing."""

    def answer(self, request: Request) -> Reply: ...


def _error_reply(status: int, code: str, message: str) -> Reply:
    body = json.dumps({"error": code, "message": message}).encode()
    return Reply(body, status=status, more=b"retry-after: 1\r\n" if status in (429, 503) else b"", error=code)


class Server:
    """Answers at most `most_at_once` POSTs at a time; one that waited longer than `deadline_s` is refused."""

    refusal = staticmethod(_error_reply)
    loop: asyncio.AbstractEventLoop  # from `run` on

    def __init__(self, service: Answerer, log: RequestLog, *, most_at_once: int, deadline_s: float) -> None:
        self.service, self.log, self.most_at_once, self.deadline_s = service, log, most_at_once, deadline_s
        self.connections = set[Connection]()
        self.under_way, self.held, self.draining = 0, 0, False
        self.pool = ThreadPoolExecutor(_LARGE_AT_ONCE, thread_name_prefix="large")
        self.now = time.monotonic  # not uvloop's own, which knows milliseconds only

    # ---- one request

    def admit(self, request: Request) -> Reply | None:
        """Return a refusal if too many are under way. Only POSTs count: /ping is answered at any load."""
        if request.method != b"POST":
            return None
        if self.under_way >= self.most_at_once:
            message = f"requests under way = {self.under_way}: must be below {self.most_at_once}; try again shortly"
            return _error_reply(429, "too_many_requests", message)
        self.under_way += 1
        request.admitted = True
        return None

    def hold(self, request: Request, size: int) -> bool:
        """Return whether `size` more bytes of a body fit; if so, they are charged to the request."""
        if self.held + size > MOST_HELD:
            return False
        self.held += size
        request.held += size
        return True

    def release(self, request: Request) -> None:
        if request.admitted:
            self.under_way -= 1
            self.held -= request.held
            request.admitted = False

    def answer(self, request: Request) -> Reply | asyncio.Future[Reply]:
        """Return the reply to a small request, or the future of the reply to a large one."""
        if request.refusal is not None:
            self.log.answered(request, request.refusal, request.whole_at, self.now())
            return request.refusal
        if len(request.body) > _INLINE_BODY:
            return self.loop.run_in_executor(self.pool, self._answer_large, request)
        started = self.now()
        reply = self._answer_in_time(request, started)
        self.log.answered(request, reply, started, self.now())
        return reply

    def _answer_large(self, request: Request) -> Reply:
        started = self.now()
        reply = self._answer_in_time(request, started)
        self.loop.call_soon_threadsafe(self.log.answered, request, reply, started, self.now())
        return reply

    def _answer_in_time(self, request: Request, started: float) -> Reply:
        if started - request.since > self.deadline_s:
            message = f"the request must be begun within {self.deadline_s:g} s; send it again"
            return _error_reply(503, "deadline_exceeded", message)
        return self.service.answer(request)

    # ---- from the first connection to the last

    async def run(self, sock: socket.socket, *, drain_seconds: float, parent: int | None = None) -> None:
        """Serve until SIGTERM, or until `parent` is no longer the parent of this process."""
        self.loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in STOPS:
            self.loop.add_signal_handler(number, stop.set)
        with stops_unblocked():
            queue = sock.dup()
            listener = await self.loop.create_server(self._connect, sock=sock, backlog=BACKLOG)
            checking = self.loop.create_task(self._check_often(parent, stop))
            await stop.wait()
            self.draining = True
            await self._let_in(listener, queue, mine=parent is None or os.getppid() != parent)
            await self._drained(drain_seconds)
            checking.cancel()
            self.pool.shutdown(wait=False, cancel_futures=True)
            self.log.close()

    async def _let_in(self, listener: asyncio.Server, queue: socket.socket, *, mine: bool) -> None:
        """Accept the clients that have connected, or nearly, then close: closing on them would reset what they sent.

        A socket that is not `mine` is the parent's: it stops connections itself, or gives the socket to another worker.
        """
        if mine:
            begin_no_more_connections(queue)
        await asyncio.sleep(HANDSHAKE_SECONDS)
        listener.close()
        with queue:
            while True:
                try:
                    accepted, _ = queue.accept()
                except BlockingIOError:
                    return
                await self.loop.connect_accepted_socket(self._connect, accepted)

    def _connect(self) -> Connection:
        return Connection(self)

    async def _check_often(self, parent: int | None, stop: asyncio.Event) -> None:
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            if parent is not None and os.getppid() != parent:
                stop.set()
            for connection in list(self.connections):
                connection.check(self.now())
            self.log.summarise(self.now())

    async def _drained(self, seconds: float) -> None:
        end = self.now() + seconds
        while self.connections and self.now() < end:
            await asyncio.sleep(0.02)
