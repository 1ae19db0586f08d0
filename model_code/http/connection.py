"""One HTTP/1.1 connection: httptools reads it, a Service answers it. Strict and bounded; it knows nothing but HTTP.

Requests of one connection are answered in their order, one at a time; what a client sends ahead waits in its socket.
"""

import asyncio
from functools import lru_cache
from http import HTTPStatus

import httptools

from model_code.answers.reply import Reply

LARGEST_BODY = 6 * 1024 * 1024  # what SageMaker lets through
LARGEST_HEAD = 16 * 1024
MOST_CONNECTIONS = 2048  # of one worker
READ_SECONDS = 20  # from a request's first byte to its last: who is slower is told so
IDLE_SECONDS = 75  # longer than a load balancer keeps a connection
DRAIN_IDLE_SECONDS = 1  # while the server stops
DRAIN_FIRST_SECONDS = 5  # likewise, where nothing was asked yet: a client connects because it has something to ask
LINGER_SECONDS = 5

CLOSE = b"connection: close\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@lru_cache(maxsize=64)
def head_of(status: int, content_type: str) -> bytes:
    """A reply's head up to its length."""
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\ncontent-type: {content_type}\r\ncontent-length: ".encode()


class Request:
    """What the parser found: the headers that anyone here reads, and why it is refused where it is."""

    __slots__ = (
        "accept",
        "admitted",
        "attributes",
        "body",
        "connection",
        "content_type",
        "encoding",
        "expect",
        "head_bytes",
        "held",
        "host",
        "json_bytes",
        "keep_alive",
        "length",
        "method",
        "path",
        "refusal",
        "since",
        "transfer_encoding",
        "whole_at",
    )

    def __init__(self, since: float):
        self.since = self.whole_at = since  # when its first byte came, and its last
        self.path = self.method = self.body = b""
        self.content_type = self.accept = self.attributes = self.host = self.length = self.expect = None
        self.transfer_encoding = self.encoding = self.connection = self.json_bytes = self.refusal = None
        self.keep_alive = self.admitted = False
        self.head_bytes = self.held = 0


READ_HEADERS = {
    b"content-type": "content_type",
    b"accept": "accept",
    b"host": "host",
    b"connection": "connection",
    b"content-length": "length",
    b"transfer-encoding": "transfer_encoding",
    b"content-encoding": "encoding",
    b"expect": "expect",
    b"x-amzn-sagemaker-custom-attributes": "attributes",
    b"inference-header-content-length": "json_bytes",
}
LISTS = ("accept", "connection")  # may be given in several lines


class Connection(asyncio.Protocol):
    """`server` holds what all connections share: `model_code/http/server.py`."""

    def __init__(self, server):
        self.server, self.request, self.waiting = server, None, []
        self.parser, self.transport = httptools.HttpRequestParser(self), None
        self.busy = self.deaf = self.half_closed = self.used = False
        self.unread, self.last_used = 0, server.now()  # bytes since the parser last got anywhere
        self.blocked_since = self.lingering_since = None

    # ---- what the event loop tells

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.server.connections.add(self)
        if len(self.server.connections) > MOST_CONNECTIONS:
            self.refuse(503, "too_many_connections", f"{MOST_CONNECTIONS:,} connections are open; try again shortly")

    def connection_lost(self, error) -> None:
        self.deaf = True
        self.server.connections.discard(self)
        for request in [self.request, *self.waiting]:
            self.server.release(request)

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        self.unread += len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.refuse(400, "bad_request", "this is not HTTP/1.1 as RFC 9112 has it")
        if self.unread > LARGEST_HEAD:
            self.refuse_head()
        if self.waiting and not self.busy:
            self.answer_waiting()

    def eof_received(self) -> bool:
        self.half_closed = True
        return bool(self.busy or self.waiting)  # who has said all may still wait for the answer

    def pause_writing(self) -> None:
        self.blocked_since = self.server.now()
        self.transport.pause_reading()  # who does not take the answers is not asked for more

    def resume_writing(self) -> None:
        self.blocked_since = None
        if not self.busy:
            self.transport.resume_reading()

    def check(self, now: float) -> None:
        """Called about every second: ends what lasts too long."""
        if self.blocked_since is not None and now - self.blocked_since > READ_SECONDS:
            self.transport.abort()
        elif self.lingering_since is not None:
            if now - self.lingering_since > LINGER_SECONDS:
                self.transport.close()
        elif self.request is not None:
            if now - self.request.since > READ_SECONDS:
                self.refuse(408, "too_slow", f"the request was not whole within {READ_SECONDS} s")
        elif not self.busy and now - self.last_used > self.idle_seconds():
            self.transport.close()

    def idle_seconds(self) -> float:
        if not self.server.draining:
            return IDLE_SECONDS
        return DRAIN_IDLE_SECONDS if self.used else DRAIN_FIRST_SECONDS

    # ---- what the parser finds

    def on_message_begin(self) -> None:
        self.request, self.used = Request(self.server.now()), True

    def on_url(self, url: bytes) -> None:
        self.request.path += url
        self.request.head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        slot, request = READ_HEADERS.get(name.lower()), self.request
        if self.deaf:
            return
        request.head_bytes += len(name) + len(value) + 4
        if request.head_bytes > LARGEST_HEAD:
            return self.refuse_head()
        if slot is None or request.method:  # after the method is known these are trailers
            return
        given = getattr(request, slot)
        if given is not None and slot not in LISTS:
            return self.refuse(400, "bad_request", f"{slot} is given twice")
        setattr(request, slot, value if given is None else given + b", " + value)

    def on_headers_complete(self) -> None:
        if self.deaf:
            return
        request, self.unread = self.request, 0
        request.method, request.keep_alive = self.parser.get_method(), self.parser.should_keep_alive()
        if request.connection is not None and self.parser.get_http_version() == "1.0":
            request.keep_alive = False  # it would wait to be told that the connection stays, which HTTP/1.1 never says
        if request.host is None and self.parser.get_http_version() == "1.1":
            self.refuse(400, "bad_request", "HTTP/1.1 wants a Host header")
        elif self.parser.should_upgrade():
            self.refuse(400, "bad_request", "only HTTP/1.1 is spoken here: no CONNECT, and no Upgrade header")
        elif request.transfer_encoding is not None and request.transfer_encoding.lower() != b"chunked":
            self.refuse(501, "not_implemented", "the only transfer encoding is chunked")
        elif request.length is not None and int(request.length) > LARGEST_BODY:
            self.refuse_size(int(request.length))
        elif request.encoding is not None and request.encoding.lower() != b"identity":
            self.refuse(415, "unsupported_content_encoding", "a compressed body is not read; send it as it is")
        elif request.expect is not None and request.expect.lower() != b"100-continue":
            self.refuse(417, "expectation_failed", "the only expectation is 100-continue")
        else:
            request.refusal = self.server.admit(request)
            if request.expect is not None and not self.busy:
                self.transport.write(CONTINUE)

    def on_body(self, part: bytes) -> None:
        self.unread, request = 0, self.request
        if self.deaf or not request.admitted:  # what nobody will read is not kept
            return
        if not request.body:
            request.body = part
        elif len(request.body) + len(part) > LARGEST_BODY:
            self.refuse_size(len(request.body) + len(part))
        elif not self.server.hold(request, len(part)):
            self.refuse(
                429, "too_many_requests", "as many large requests are under way as memory holds; try again shortly"
            )
        elif isinstance(request.body, bytes):
            request.body = bytearray(request.body + part)
        else:
            request.body += part

    def on_message_complete(self) -> None:
        if self.deaf:
            return
        request, self.request, self.unread = self.request, None, 0
        request.whole_at = self.server.now()
        self.waiting.append(request)
        if (
            not self.busy and not self.server.draining
        ):  # else what came with it is parsed first, to know who is the last
            self.answer_waiting()

    # ---- answering

    def answer_waiting(self) -> None:
        while self.waiting and not self.busy:
            request = self.waiting.pop(0)
            reply = self.server.answer(request)
            if isinstance(reply, Reply):
                self.send(request, reply)
            else:
                self.busy = True
                self.transport.pause_reading()  # what the client sends ahead waits in its socket
                reply.add_done_callback(lambda done, request=request: self.answered_late(request, done.result()))

    def answered_late(self, request: Request, reply: Reply) -> None:
        self.busy = False
        if self.transport.is_closing():
            return self.server.release(request)
        if self.blocked_since is None:
            self.transport.resume_reading()
        self.send(request, reply)
        self.last_used = self.server.now()
        self.answer_waiting()

    def send(self, request: Request, reply: Reply) -> None:
        last = not request.keep_alive or ((self.server.draining or self.half_closed) and not self.has_more())
        ends = b"%d\r\n%b%b\r\n" % (len(reply.body), reply.more, CLOSE if last else b"")
        head = head_of(reply.status, reply.content_type) + ends
        self.transport.write(head if request.method == b"HEAD" else head + reply.body)
        self.server.release(request)
        self.last_used = request.whole_at
        if self.deaf:
            self.linger()
        elif last:
            self.transport.close()

    def has_more(self) -> bool:
        """Whether the client has sent, or begun, a request behind the one that is answered."""
        return bool(self.waiting) or (self.request is not None and not self.half_closed)

    def refuse(self, status: int, code: str, message: str) -> None:
        """Answers, after those before it, and reads no further: what follows may be anything."""
        if self.deaf:
            return
        request, self.request, self.deaf = self.request or Request(self.server.now()), None, True
        request.refusal, request.keep_alive = self.server.refusal(status, code, message), False
        request.whole_at = self.server.now()
        self.waiting.append(request)
        if not self.busy:
            self.answer_waiting()

    def refuse_head(self) -> None:
        self.refuse(431, "headers_too_large", f"more than {LARGEST_HEAD:,} bytes of headers")

    def refuse_size(self, size: int) -> None:
        self.refuse(413, "too_large", f"a body of {size:,} bytes; at most {LARGEST_BODY:,}, send fewer rows at once")

    def linger(self) -> None:
        """Closing with bytes unread would reset the connection, and the client might never see its answer."""
        self.lingering_since = self.server.now()
        self.transport.write_eof()
