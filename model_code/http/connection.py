"""One HTTP/1.1 connection: httptools reads it, a Service answers it. Strict and bounded; it knows nothing but HTTP.

Requests of one connection are answered in their order, one at a time; later ones wait in the client's socket.
"""

import asyncio
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Protocol

import httptools

from model_code.answers.reply import Reply
from model_code.http.request import LISTS, READ_HEADERS, Request

LARGEST_BODY = 6 * 1024 * 1024  # what SageMaker lets through
_LARGEST_HEAD = 16 * 1024
MOST_CONNECTIONS = 2048  # of one worker
READ_SECONDS = 20  # from a request's first byte to its last; a slower client gets 408
IDLE_SECONDS = 75  # longer than a load balancer keeps a connection
_DRAIN_IDLE_SECONDS = 1  # while the server stops
_DRAIN_FIRST_SECONDS = 5  # likewise, before the first request: a client connects because it has something to ask
LINGER_SECONDS = 5

_CLOSE = b"connection: close\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Shared(Protocol):
    """What all connections share: `model_code/http/server.py`."""

    connections: set["Connection"]
    draining: bool

    def now(self) -> float: ...

    def refusal(self, status: int, code: str, message: str) -> Reply: ...

    def admit(self, request: Request) -> Reply | None: ...

    def hold(self, request: Request, size: int) -> bool: ...

    def release(self, request: Request) -> None: ...

    def answer(self, request: Request) -> "Reply | asyncio.Future[Reply]": ...


@lru_cache(maxsize=64)
def _head_of(status: int, content_type: str) -> bytes:
    """Return a reply's head up to its length."""
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\ncontent-type: {content_type}\r\ncontent-length: ".encode()


class Connection(asyncio.Protocol):
    """The event loop and the parser call its public methods; while it is `deaf` it reads nothing more."""

    transport: asyncio.Transport  # from connection_made on
    request: Request  # the one that the parser fills in, while `reading`; else the last one
    blocked_since: float | None
    lingering_since: float | None

    def __init__(self, server: Shared) -> None:
        self.server, self.waiting = server, list[Request]()
        self.parser = httptools.HttpRequestParser(self)
        self.reading = self.busy = self.deaf = self.half_closed = self.used = False
        self.unread, self.last_used = 0, server.now()  # bytes since the parser last got anywhere
        self.blocked_since = self.lingering_since = None

    # ---- called by the event loop

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of TCP: both ways
        self.transport = transport
        self.server.connections.add(self)
        if len(self.server.connections) > MOST_CONNECTIONS:
            message = f"connections = {len(self.server.connections):,}: must be at most {MOST_CONNECTIONS:,}"
            self._refuse(503, "too_many_connections", f"{message}; try again shortly")

    def connection_lost(self, error: Exception | None) -> None:
        self.deaf = True
        self.server.connections.discard(self)
        for request in [self.request, *self.waiting] if self.reading else self.waiting:
            self.server.release(request)

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        self.unread += len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(400, "bad_request", "the request is not HTTP/1.1: must follow RFC 9112")
        if self.unread > _LARGEST_HEAD:
            self._refuse_head()
        if self.waiting and not self.busy:
            self._answer_waiting()

    def eof_received(self) -> bool:
        self.half_closed = True
        return bool(self.busy or self.waiting)  # a half-closed client still expects its reply

    def pause_writing(self) -> None:
        self.blocked_since = self.server.now()
        self.transport.pause_reading()  # a client that does not read its replies gets no further ones

    def resume_writing(self) -> None:
        self.blocked_since = None
        if not self.busy:
            self.transport.resume_reading()

    def check(self, now: float) -> None:
        """End what lasts too long; called about every second."""
        if self.blocked_since is not None and now - self.blocked_since > READ_SECONDS:
            self.transport.abort()
        elif self.lingering_since is not None:
            if now - self.lingering_since > LINGER_SECONDS:
                self.transport.close()
        elif self.reading:
            if now - self.request.since > READ_SECONDS:
                self._refuse(408, "too_slow", f"the request must be whole within {READ_SECONDS} s; send it again")
        elif not self.busy and now - self.last_used > self._idle_seconds():
            self.transport.close()

    def _idle_seconds(self) -> float:
        if not self.server.draining:
            return IDLE_SECONDS
        return _DRAIN_IDLE_SECONDS if self.used else _DRAIN_FIRST_SECONDS

    # ---- called by the parser

    def on_message_begin(self) -> None:
        self.request, self.reading, self.used = Request(self.server.now()), True, True

    def on_url(self, url: bytes) -> None:
        self.request.path += url
        self.request.head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        slot, request = READ_HEADERS.get(name.lower()), self.request
        if self.deaf:
            return
        request.head_bytes += len(name) + len(value) + 4
        if request.head_bytes > _LARGEST_HEAD:
            return self._refuse_head()
        if slot is None or request.method:  # after the method is known these are trailers
            return
        earlier = getattr(request, slot)
        if earlier is not None and slot not in LISTS:
            return self._refuse(400, "bad_request", f"header {name.decode('latin-1')}: must be given once")
        setattr(request, slot, value if earlier is None else earlier + b", " + value)

    def on_headers_complete(self) -> None:
        if self.deaf:
            return
        request, self.unread = self.request, 0
        request.method, request.keep_alive = self.parser.get_method(), self.parser.should_keep_alive()
        if request.connection is not None and self.parser.get_http_version() == "1.0":
            request.keep_alive = False  # such a client waits for the reply to confirm it, which HTTP/1.1 does not do
        if request.host is None and self.parser.get_http_version() == "1.1":
            self._refuse(400, "bad_request", "header Host: must be given in HTTP/1.1")
        elif self.parser.should_upgrade():
            self._refuse(400, "bad_request", "CONNECT and the header Upgrade: must not be sent; use HTTP/1.1 alone")
        elif request.transfer_encoding is not None and request.transfer_encoding.lower() != b"chunked":
            self._refuse(501, "not_implemented", "header Transfer-Encoding: must be chunked")
        elif request.length is not None and int(request.length) > LARGEST_BODY:
            self._refuse_size(int(request.length))
        elif request.encoding is not None and request.encoding.lower() != b"identity":
            message = "header Content-Encoding: must be identity; send the body uncompressed"
            self._refuse(415, "unsupported_content_encoding", message)
        elif request.expect is not None and request.expect.lower() != b"100-continue":
            self._refuse(417, "expectation_failed", "header Expect: must be 100-continue")
        else:
            request.refusal = self.server.admit(request)
            if request.expect is not None and not self.busy:
                self.transport.write(_CONTINUE)

    def on_body(self, part: bytes) -> None:
        self.unread, request = 0, self.request
        if self.deaf or not request.admitted:  # the body of a refused request is not kept
            return
        if not request.body:
            request.body = part
        elif len(request.body) + len(part) > LARGEST_BODY:
            self._refuse_size(len(request.body) + len(part))
        elif not self.server.hold(request, len(part)):
            message = "large requests under way: must fit into the memory that is kept for them; try again shortly"
            self._refuse(429, "too_many_requests", message)
        elif isinstance(request.body, bytes):
            request.body = bytearray(request.body + part)
        else:
            request.body += part

    def on_message_complete(self) -> None:
        if self.deaf:
            return
        request, self.reading, self.unread = self.request, False, 0
        request.whole_at = self.server.now()
        self.waiting.append(request)
        # while draining, all that was received is parsed first, to know which request is the last
        if not self.busy and not self.server.draining:
            self._answer_waiting()

    # ---- answering

    def _answer_waiting(self) -> None:
        while self.waiting and not self.busy:
            request = self.waiting.pop(0)
            reply = self.server.answer(request)
            if isinstance(reply, Reply):
                self._send(request, reply)
            else:
                self.busy = True
                self.transport.pause_reading()  # later requests wait in the client's socket
                reply.add_done_callback(partial(self._answered_late, request))

    def _answered_late(self, request: Request, answered: asyncio.Future[Reply]) -> None:
        self.busy, reply = False, answered.result()
        if self.transport.is_closing():
            return self.server.release(request)
        if self.blocked_since is None:
            self.transport.resume_reading()
        self._send(request, reply)
        self.last_used = self.server.now()
        self._answer_waiting()

    def _send(self, request: Request, reply: Reply) -> None:
        last = not request.keep_alive or ((self.server.draining or self.half_closed) and not self._has_more())
        ends = b"%d\r\n%b%b\r\n" % (len(reply.body), reply.more, _CLOSE if last else b"")
        head = _head_of(reply.status, reply.content_type) + ends
        self.transport.write(head if request.method == b"HEAD" else head + reply.body)
        self.server.release(request)
        self.last_used = request.whole_at
        if self.deaf:
            self._linger()
        elif last:
            self.transport.close()

    def _has_more(self) -> bool:
        """Return whether the client has sent, or begun, a request after the one that is being answered."""
        return bool(self.waiting) or (self.reading and not self.half_closed)

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer, after earlier requests, and read no further: what follows may be anything."""
        if self.deaf:
            return
        request = self.request if self.reading else Request(self.server.now())
        self.reading, self.deaf = False, True
        request.refusal, request.keep_alive = self.server.refusal(status, code, message), False
        request.whole_at = self.server.now()
        self.waiting.append(request)
        if not self.busy:
            self._answer_waiting()

    def _refuse_head(self) -> None:
        self._refuse(431, "headers_too_large", f"headers: must be at most {_LARGEST_HEAD:,} bytes in all")

    def _refuse_size(self, size: int) -> None:
        message = f"body of {size:,} bytes: must be at most {LARGEST_BODY:,}; send fewer rows at once"
        self._refuse(413, "too_large", message)

    def _linger(self) -> None:
        """Half-close only: closing with bytes unread resets the connection, and the client might lose its reply."""
        self.lingering_since = self.server.now()
        self.transport.write_eof()
