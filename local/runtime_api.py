"""Close the Runtime API of a function to web pages and to other users of this machine.

It listens on its own port without signatures: whoever reaches it can take a function's event and answer it.
"""

import os
import socket
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from local import visitors

SOCKETS = Path("/proc/net/tcp")
LOCAL, REMOTE, OWNER = 1, 2, 7  # columns
Address = tuple[str, int]


def guarded(handler: type[BaseHTTPRequestHandler]) -> type[BaseHTTPRequestHandler]:
    """Return the handler, closed to unwanted callers."""

    class Guarded(handler):  # type: ignore[misc, valid-type]  # MiniStack makes it for each worker
        disable_nagle_algorithm = True  # headers and body are two writes: 40 ms a call otherwise

        def handle(self) -> None:
            if not is_of_another_user(self.client_address, self.server.server_address):
                super().handle()

        def parse_request(self) -> bool:
            return super().parse_request() and self.is_wanted()

        def is_wanted(self) -> bool:
            lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
            scope = {"raw_path": self.path.encode("latin-1"), "headers": lines}
            problem = visitors.refusal(scope, self.server.server_address[1])
            if problem:
                self.send_error(403, "Forbidden", problem)
            return problem is None

    return Guarded


def is_of_another_user(client: Address, server: Address) -> bool:
    """Return whether the client's end belongs to another user.

    Only Linux lists owners of sockets; elsewhere this is False.
    """
    if not SOCKETS.exists():
        return False
    ends = [_as_listed(client), _as_listed(server)]
    rows = (line.split() for line in SOCKETS.read_text().splitlines()[1:])
    owners = [int(row[OWNER]) for row in rows if [row[LOCAL], row[REMOTE]] == ends]
    return any(owner != os.getuid() for owner in owners)


def _as_listed(address: Address) -> str:
    number = int.from_bytes(socket.inet_aton(address[0]), sys.byteorder)
    return f"{number:08X}:{address[1]:04X}"
