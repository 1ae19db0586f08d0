"""How a command ends: lines for the person at a terminal, JSON for the program behind a pipe."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

FAIRWAY = Path(sys.executable).with_name("fairway")


def test_a_pipe_gets_json_and_what_to_do_next_goes_beside_it(project):
    done = subprocess.run([FAIRWAY, "check", "--project", project], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["project"] == "flights"
    assert done.stderr.startswith("next: `fairway up --project ")


def test_a_terminal_gets_lines_and_json_only_when_it_is_asked_for(project):
    assert printed_on_a_terminal("check", "--project", project).startswith(f"{project}/fairway.toml: fine")
    assert json.loads(printed_on_a_terminal("check", "--project", project, "--json"))["project"] == "flights"


def printed_on_a_terminal(*words) -> str:
    """Standard output of a command whose standard output is a terminal."""
    ours, its = pty.openpty()
    try:
        subprocess.run([FAIRWAY, *words], stdout=its, stderr=subprocess.DEVNULL, check=True)
        os.close(its)
        its = None
        return b"".join(iter(lambda: read(ours), b"")).decode().replace("\r\n", "\n")
    finally:
        os.close(ours)
        if its is not None:
            os.close(its)


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux reports a terminal whose other end is closed as an error
        return b""
