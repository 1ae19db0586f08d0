"""Only a function's own process speaks to its Runtime API: no page, no other user takes its events or answers them."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local import guard
from local.runtime_api import is_of_another_user
from tests.local.raw_http import send

SLOW = """
import time
def handler(event, context):
    return "its own"
"""
NEXT = "GET /2018-06-01/runtime/invocation/next HTTP/1.1"
NOBODY = 65534

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def port(aws) -> int:
    """Of the Runtime API of a function that has answered once and now waits for its next event."""
    function = aws.function(SLOW)
    before = set(guard.marked(aws.server["mark"]))
    assert aws.invoke(function) == ("its own", None)
    (worker,) = set(guard.marked(aws.server["mark"])) - before
    environment = Path(f"/proc/{worker}/environ").read_bytes().decode()
    return int(re.search(r"AWS_LAMBDA_RUNTIME_API=127\.0\.0\.1:(\d+)", environment)[1])


@linux
@pytest.mark.parametrize(
    "lines",
    [
        ["Host: 127.0.0.1:{port}", "Origin: https://evil.example"],
        ["Host: 127.0.0.1:{port}", "Origin: null"],
        ["Host: 127.0.0.1:{port}", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"],
        ["Host: evil.example:{port}"],
    ],
    ids=["origin", "null", "no-cors", "rebound"],
)
@pytest.mark.parametrize("first", [NEXT, "POST /2018-06-01/runtime/init/error HTTP/1.1"], ids=["next", "error"])
def test_a_page_takes_no_event_and_answers_none(port, first, lines):
    assert send(port, first, *(line.format(port=port) for line in lines)).status == 403


@linux
@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_gets_no_answer(port):
    asked = f"{NEXT}\r\nHost: 127.0.0.1:{port}\r\n\r\n"
    code = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 10); "
        "s.sendall(sys.argv[2].encode()); sys.stdout.write(repr(s.recv(100)))"
    )
    python = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin")  # this one's may lie where only root can read
    if python is None:
        pytest.skip("no Python that everybody may run")
    asking = [python, "-c", code, str(port), asked]
    done = subprocess.run(asking, user=NOBODY, capture_output=True, text=True, timeout=20)
    assert (done.stdout, "ConnectionResetError" in done.stderr) in [("b''", False), ("", True)]


@linux
def test_a_process_of_ones_own_is_not_taken_for_another_users():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert not is_of_another_user(client.getsockname(), server.getsockname())
        assert not is_of_another_user(("127.0.0.1", 1), server.getsockname())
