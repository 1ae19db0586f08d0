"""moto's AWS behind a real HTTP server, for what does not call through botocore in the tests' own process.

A request is passed on to the host that its signature is for, where moto answers it, as it answers everything that is
sent with `requests` while a test has begun it.
"""

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from botocore.config import Config

FOR_MOTO = Config(ignore_configured_endpoint_urls=True)
HOSTS = {"s3": "s3.amazonaws.com", "sagemaker": "api.sagemaker.us-east-1.amazonaws.com"}
ONE_AT_A_TIME = threading.Lock()  # of DynamoDB's writes, which are atomic; moto's check and write are two steps
OF_THE_CONNECTION = {"connection", "transfer-encoding", "content-length", "date", "server"}


def serve() -> str:
    """The URL of a server that lives as long as the process; what is there is up to the moto that a test begins."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def pass_on(self):
        service = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", self.headers["authorization"])[1]
        host = HOSTS.get(service, f"{service}.us-east-1.amazonaws.com")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in {"host", *OF_THE_CONNECTION}
        }
        url, alone = f"https://{host}{self.path}", ONE_AT_A_TIME if service == "dynamodb" else contextlib.nullcontext()
        try:
            with alone:
                given = requests.request(self.command, url, headers=headers, data=body, timeout=60)
        except ModuleNotFoundError:  # a service for which moto wants more packages than are installed
            return self.reply(501, {"x-amzn-errortype": "NotImplemented"}, b"")
        self.reply(given.status_code, given.headers, given.content)

    def reply(self, status: int, headers, body: bytes):
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on

    def log_message(self, *_):
        pass
