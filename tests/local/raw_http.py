"""HTTP as any program or web page may send it: every byte of the request is the test's own."""

import socket
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]  # names in lower case
    body: str


def send(port: int, *lines: str, body: bytes = b"") -> Answer:
    """The answer to a request of these lines; the length of a body and the end of the headers are added."""
    length = [] if any(line.startswith("Upgrade:") for line in lines) else [f"Content-Length: {len(body)}"]
    last = [] if any(line.startswith("Connection:") for line in lines) else ["Connection: close"]
    head = "\r\n".join([*lines, *length, *last, "", ""])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode("latin-1") + body)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
            if received.startswith(b"HTTP/1.1 101"):  # an accepted WebSocket stays open
                break
    return _parsed(received)


def _parsed(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split()[1]), headers, body.decode())
