"""HTTP to one host over kept connections: one handshake, and no request on a connection that is known to be closed."""

import functools
import http.client
import select
import socket
from collections import deque
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

MOST_KEPT = 16  # idle connections, for the threads that share a client


class Unreachable(Exception):
    """Report that the connection failed or broke; it is unknown whether the request was carried out."""


class TimedOut(Unreachable):
    """Report that the host took longer than the caller waits."""


class TooLarge(Exception):
    """Report a reply that is larger than its caller allows; nothing of it was read."""


class Reply(NamedTuple):
    """Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connections:
    """Connections to a base URL, http or https. Threads may share it: each borrows a connection for one exchange."""

    def __init__(self, url: str, *, connect_s: float, read_s: float, most_bytes: int | None = None):
        parts = urlsplit(url)
        self.most_bytes = most_bytes
        self.host, self.connect_s, self.read_s = parts.netloc, connect_s, read_s
        self.name, self.port = parts.hostname or "", parts.port
        self.tls = _tls_context() if parts.scheme == "https" else None
        self.idle: deque[http.client.HTTPConnection] = deque(maxlen=MOST_KEPT)

    def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """Send a request and return its reply. Raises Unreachable, TimedOut or TooLarge."""
        kept = self._borrowed()
        if kept is not None:
            try:
                return self._exchange(kept, method, path, headers, body)
            except Unreachable as error:  # closed by the host meanwhile, as idle connections are: a new one will work
                if isinstance(error, TimedOut):
                    raise
        return self._exchange(self._opened(), method, path, headers, body)

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> Reply:
        """Send a request on a connection, which is kept only if nothing failed."""
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            self._refuse_a_large_one(connection, response)
            reply = Reply(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _unreachable(error, self.host) from error
        if response.will_close:
            connection.close()
        else:
            self.idle.append(connection)
        return reply

    def _refuse_a_large_one(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        if self.most_bytes is None or (response.length is not None and response.length <= self.most_bytes):
            return
        connection.close()
        raise TooLarge(f"{response.length or 'an unknown number of'} bytes: must be at most {self.most_bytes:,}")

    def _borrowed(self) -> http.client.HTTPConnection | None:
        """Take a kept connection that the host has not closed; an idle one with something to read is closed."""
        while True:
            try:
                connection = self.idle.pop()
            except IndexError:
                return None
            if not _readable(connection.sock):
                return connection
            connection.close()

    def _opened(self) -> http.client.HTTPConnection:
        try:
            connection = self._connection()
            connection.connect()
        except OSError as error:
            raise _unreachable(error, self.host) from error
        connection.sock.settimeout(self.read_s)
        return connection

    def _connection(self) -> http.client.HTTPConnection:
        if self.tls is None:
            return http.client.HTTPConnection(self.name, self.port, timeout=self.connect_s)
        return http.client.HTTPSConnection(self.name, self.port, timeout=self.connect_s, context=self.tls)


@functools.cache
def _tls_context() -> "ssl.SSLContext":
    """Make the TLS context of all hosts once, since reading the certificate authorities takes time."""
    import ssl  # lazy: not needed on a laptop, where nothing is encrypted

    return ssl.create_default_context()


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _unreachable(error: Exception, host: str) -> Unreachable:
    kind = TimedOut if isinstance(error, TimeoutError) else Unreachable
    return kind(f"{host}: {type(error).__name__} {error}")
