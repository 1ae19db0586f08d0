"""An AWS service that does what a test tells it to, one reply after the other, and remembers who asked on which
connection.
"""

import json
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Reply(NamedTuple):
    status: int = 200
    document: dict | bytes = {}  # noqa: RUF012 - never written to
    headers: dict = {}  # noqa: RUF012 - never written to
    after_s: float = 0.0
    hangs_up: bool = False  # after the reply, without having said so
    never: bool = False  # hang up instead of replying


class ScriptedServer:
    """`replies` are given in order; `asked` holds (connection's port, path, headers, body) of every request."""

    def __init__(self):
        self.replies, self.asked = [], []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def connections(self) -> int:
        return len({port for port, *_ in self.asked})

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def handler_of(script: ScriptedServer):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            script.asked.append((self.client_address[1], self.path, dict(self.headers), body))
            reply = script.replies.pop(0)
            time.sleep(reply.after_s)
            self.close_connection = reply.hangs_up or reply.never
            if not reply.never:
                self.send(reply)

        def send(self, reply: Reply):
            body = reply.document if isinstance(reply.document, bytes) else json.dumps(reply.document).encode()
            self.send_response(reply.status)
            for name, value in {"content-length": len(body), "x-amz-crc32": zlib.crc32(body), **reply.headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler
