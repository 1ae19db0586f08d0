"""moto's DynamoDB behind a real HTTP server: what is called without botocore does not pass through moto by itself."""

import base64
import json
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

FOR_MOTO = Config(ignore_configured_endpoint_urls=True)


def serve() -> str:
    """The URL of a server that lives as long as the process; which tables it has is up to the moto that a test begins."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        operation = self.headers["x-amz-target"].partition(".")[2]
        call = json.loads(self.rfile.read(int(self.headers["content-length"])), object_hook=to_bytes)
        try:
            status, document = 200, boto3.client("dynamodb", config=FOR_MOTO)._make_api_call(operation, call)
        except ClientError as error:
            code, said = error.response["Error"]["Code"], error.response["Error"]["Message"]
            status, document = 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": said}
        self.reply(status, json.dumps(document, default=lambda value: base64.b64encode(value).decode()).encode())

    def reply(self, status: int, body: bytes):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-amz-crc32", str(zlib.crc32(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def to_bytes(document: dict) -> dict:
    return {"B": base64.b64decode(document["B"])} if isinstance(document.get("B"), str) else document
