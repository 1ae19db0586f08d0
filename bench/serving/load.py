"""Load on a server: wrk where it is installed (Debian package wrk), else a small generator of our own on uvloop.

Each connection sends its next request when the last one is answered; one that the server closes is made anew, as some
servers close after every reply. A request that is never answered counts as failed.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

LUA = Path(__file__).parent / "load.lua"


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "bench/serving/load.py"


def measure(port: int, path: str, bodies: Path, *, connections: int, seconds: float) -> dict:
    """{requests, seconds, p50_ms, p99_ms, failed}: the failed are among the requests, the times are of those that were
    answered.
    """
    url = f"http://127.0.0.1:{port}"
    if generator() == "wrk":
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--timeout",
            "20s",
            "-s",
            str(LUA),
            url,
        ]
    else:
        command = [sys.executable, __file__, str(port), str(connections), str(seconds)]
    variables = {**os.environ, "BENCH_PATH": path, "BENCH_BODIES": str(bodies)}
    found = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    (line,) = [line for line in found.stdout.splitlines() if line.startswith("@@")]
    return json.loads(line[2:])


class Client(asyncio.Protocol):
    """One connection. Enough of HTTP for a reply with a Content-Length."""

    def __init__(self, run):
        self.run, self.held, self.asked = run, b"", False

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        self.sent_at, self.asked = time.perf_counter(), True
        self.transport.write(self.run.next_request())

    def data_received(self, data):
        self.held += data
        head, separator, body = self.held.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        self.held, self.asked = b"", False
        self.run.answered(head.startswith(b"HTTP/1.1 200"), time.perf_counter() - self.sent_at)
        if closes(head) or self.run.over:
            self.transport.close()
        else:
            self.send()

    def connection_lost(self, error):
        if self.run.over:
            return
        self.run.lost += self.asked
        self.run.connect()


def _content_length(head: bytes) -> int:
    return next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))


def closes(head: bytes) -> bool:
    return b"\r\nconnection: close" in head.lower()


class Run:
    """What all connections share."""

    def __init__(self, port: int, path: str, bodies: Path):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
        lines = bodies.read_bytes().splitlines()
        self.requests = [head.encode() + str(len(line)).encode() + b"\r\n\r\n" + line for line in lines]
        self.port, self.over, self.connecting = port, False, set()
        self.turn, self.failed, self.lost, self.latencies = 0, 0, 0, []

    def connect(self) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.create_connection(lambda: Client(self), "127.0.0.1", self.port))
        self.connecting.add(task)
        task.add_done_callback(self.connected)

    def connected(self, task: asyncio.Task) -> None:
        self.connecting.discard(task)
        if not task.cancelled() and task.exception():
            self.lost += 1
            asyncio.get_running_loop().call_later(0.05, self.connect)

    def next_request(self) -> bytes:
        self.turn = (self.turn + 1) % len(self.requests)
        return self.requests[self.turn]

    def answered(self, well: bool, seconds: float) -> None:
        self.failed += not well
        self.latencies.append(seconds)


async def load(port: int, path: str, bodies: Path, connections: int, seconds: float) -> dict:
    run, started = Run(port, path, bodies), time.perf_counter()
    for _ in range(connections):
        run.connect()
    await asyncio.sleep(seconds)
    run.over, spent, ordered = True, time.perf_counter() - started, sorted(run.latencies)
    if not ordered:
        sys.exit(f"port {port} answered none of {connections} connections within {seconds:g} s; {run.lost} were lost")
    at = {name: 1000 * ordered[int(len(ordered) * share)] for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99))}
    return {"requests": len(ordered) + run.lost, "seconds": spent, **at, "failed": run.failed + run.lost}


if __name__ == "__main__":
    import uvloop

    port, connections, seconds = sys.argv[1:]
    found = uvloop.run(
        load(int(port), os.environ["BENCH_PATH"], Path(os.environ["BENCH_BODIES"]), int(connections), float(seconds))
    )
    print("@@" + json.dumps(found))
