"""A server process of its own, with nothing installed but what the image has, and how the tests ask it."""

import http.client
import json
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMAGE_PYTHON = ROOT / ".venv-image" / "bin" / "python"
PATIENCE = 60  # seconds; no test waits that long unless it fails
SECRET = "Sorte 7 ß"
ROW = {"größe (cm)": 181.5, "class": SECRET, "1st.order": True, "shelf": 30}


@contextmanager
def serving(base, **environment):
    """A server process on a free port; .port, and .log once it has ended."""
    process = starting(base, **environment)
    try:
        wait_until_listening(process, process.port)
        yield process
    finally:
        process.terminate()
        process.log = process.communicate(timeout=PATIENCE)[0]


def starting(base, **environment):
    """Likewise, not listening yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(base), "BIND_HOST": "127.0.0.1", **environment}
    environment["SAGEMAKER_BIND_TO_PORT"] = str(port)
    command = [IMAGE_PYTHON, "-m", "model_code", "serve"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    process.port = port
    return process


def wait_until_listening(process, port):
    def listens():
        assert process.poll() is None, process.stdout.read()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(listens)


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.01)


def ask(port, method="POST", path="/invocations", body=b"", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    return reply.status, reply.headers, reply.read()


def instances(*rows):
    return json.dumps({"instances": rows}).encode()


def half_sent(port, body):
    """A request that the server has admitted, and whose body is not whole yet."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    connection.sendall(head.encode() + body[:10])
    assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    return connection


def finish(connection, body):
    connection.sendall(body[10:])
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    return reply.status, reply.read()
