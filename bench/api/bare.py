"""The least that a signed request takes: one kept connection, the standard library, no retries and no checks."""

import http.client
import json
import socket
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from lambdas.aws.sigv4 import Credentials, signed
from local.profile import RootKey


class NotAnswered(Exception):
    """The reply had another status than 200."""


class Bare:
    """A connection of one client to one route."""

    def __init__(self, url: str, key: RootKey, region: str) -> None:
        parts = urlsplit(url)
        self.host, self.path, self.region = parts.netloc, parts.path, region
        self.credentials = Credentials(key.access_key, key.secret_key)
        self.connection = http.client.HTTPConnection(self.host, timeout=30)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, row: dict[str, Any]) -> object:
        body = json.dumps(row).encode()
        headers = signed(
            {"host": self.host, "content-type": "application/json"},
            body,
            path=self.path,
            credentials=self.credentials,
            service="execute-api",
            region=self.region,
            at=datetime.now(UTC),
        )
        self.connection.request("POST", self.path, body, headers)
        reply = self.connection.getresponse()
        content = reply.read()
        if reply.status != 200:
            raise NotAnswered(f"{reply.status} {content.decode(errors='replace')[:200]}")
        return json.loads(content)
