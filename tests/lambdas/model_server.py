"""A SageMaker runtime of our own for the tests: a real HTTP server whose model does what a test tells it to."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ModelServer:
    """`answers(endpoint, instances)` gives (status, document or bytes, error type or ""); `calls` holds what was
    asked, `checked_under` the contract that each body names.
    """

    def __init__(self):
        self.calls, self.checked_under, self.answers = [], [], None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def says(self, predictions, **more):
        self.answers = lambda endpoint, instances: (200, {"predictions": predictions, **more}, "")

    def scores(self, score):
        """Give `score(instance)` to each row."""
        self.answers = lambda endpoint, instances: (200, {"predictions": [score(one) for one in instances]}, "")

    def fails(self, status: int, error: str, **more):
        self.answers = lambda endpoint, instances: (status, {"Message": error, **more}, error)

    def replies(self, body: bytes):
        self.answers = lambda endpoint, instances: (200, body, "")

    def sleeps(self, seconds: float):
        def answers(endpoint, instances):
            time.sleep(seconds)
            return 200, {"predictions": [0.5] * len(instances)}, ""

        self.answers = answers

    def drips(self, pause_s: float, times: int):
        """Each byte comes well within a socket's time limit, the whole does not."""
        self.answers = lambda endpoint, instances: (200, [b" "] * times, pause_s)


def handler_of(model: ModelServer):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            endpoint = self.path.split("/")[2]
            model.calls.append((endpoint, body["instances"]))
            model.checked_under.append(body["contract"])
            status, document, error = model.answers(endpoint, body["instances"])
            try:
                if isinstance(document, list):
                    self.drip(document, error)
                else:
                    self.whole(
                        status, document if isinstance(document, bytes) else json.dumps(document).encode(), error
                    )
            except (BrokenPipeError, ConnectionResetError):
                pass  # the caller would not wait, which is what these tests are about

        def whole(self, status, body, error):
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            if error:
                self.send_header("x-amzn-errortype", error)
            self.end_headers()
            self.wfile.write(body)

        def drip(self, parts, pause_s):
            self.send_response(200)
            self.send_header("content-length", str(len(parts)))
            self.end_headers()
            for part in parts:
                self.wfile.write(part)
                self.wfile.flush()
                time.sleep(pause_s)

        def log_message(self, *_):
            pass

    return Handler
