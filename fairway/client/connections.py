"""Kept connections to one host, each for one exchange at a time: a third of the cost of botocore's own."""

import http.client
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit


class Reply(NamedTuple):
    """Reply of the host, whatever its status."""

    status_code: int
    headers: dict[str, str]
    content: bytes


class Connections:
    """Connections to the host of a URL, http or https, which threads borrow.

    `ca_file` has the certificate authorities of https, and `kept` is the number of idle connections that are kept.
    """

    def __init__(self, url: str, *, ca_file: str, timeout_s: float, kept: int) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._timeout_s = parts.hostname or "", parts.port, timeout_s
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
        self._idle: deque[http.client.HTTPConnection] = deque(maxlen=kept)

    def exchange(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        """Send a request and return its reply. Raises OSError or HTTPException if there is none.

        A kept connection that the host has closed meanwhile, as hosts do with idle ones, is replaced by a new one.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._opened()
        else:
            try:
                return self._on(connection, method, target, body, headers)
            except ConnectionError:  # also http.client's own for a host that hung up
                connection = self._opened()
        return self._on(connection, method, target, body, headers)

    def _on(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> Reply:
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            reply = Reply(response.status, dict(response.getheaders()), response.read())
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return reply

    def _opened(self) -> http.client.HTTPConnection:
        if self._tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        connection.connect()
        # A POST sends its headers and then its body. With Nagle's algorithm the body waits until the headers are
        # acknowledged, which the other side delays by 40 ms.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
