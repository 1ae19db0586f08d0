"""Leave no process behind: wait until the starter is gone, however it ended, then kill everything it had started.

The server, and each run of the CDK, start `python -m local.guard MARK` with a pipe as its standard input. The pipe
closes when the starter ends, by kill -9 too. Every process that it starts inherits the mark in its environment.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

MARK = "FAIRWAY_LOCAL_SERVER"
ROUNDS = 50  # a child may start another one between the look and the kill


def start(mark: str) -> subprocess.Popen:
    """Start the guard of this process, in its own session, so that no signal to ours reaches it."""
    return subprocess.Popen(
        [sys.executable, "-m", "local.guard", mark],
        stdin=subprocess.PIPE,
        start_new_session=True,
        cwd=Path(__file__).parent.parent,
        env={"PATH": os.environ.get("PATH", "")},
    )


def marked(mark: str) -> list[int]:
    """Return the ids of the processes that have the mark."""
    if Path("/proc/self/environ").exists():
        return [int(process.name) for process in Path("/proc").glob("[0-9]*") if _has_mark(process, mark)]
    listing = subprocess.run(["ps", "-axEww", "-o", "pid=,command="], capture_output=True, text=True, check=True).stdout
    return [int(found[1]) for found in re.finditer(rf"(?m)^ *(\d+) .*\b{MARK}={mark}\b", listing)]


def _has_mark(process: Path, mark: str) -> bool:
    try:
        return f"{MARK}={mark}\0".encode() in (process / "environ").read_bytes()
    except OSError:  # ended, or another user's
        return False


def kill_marked(mark: str, *, spare: tuple[int, ...] = ()) -> None:
    for _ in range(ROUNDS):
        found = [process for process in marked(mark) if process not in (os.getpid(), *spare)]
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if not found:
            return
        time.sleep(0.02)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    kill_marked(sys.argv[1])
