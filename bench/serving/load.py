"""Load on a server: wrk where it is installed (Debian package wrk), else a small generator of our own on uvloop.

Connections are kept and each sends its next request when the last one is answered.
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
    """{requests, seconds, p50_ms, p99_ms, failed}"""
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
    found = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    (line,) = [line for line in found.stdout.splitlines() if line.startswith("@@")]
    return json.loads(line[2:])


class Client(asyncio.Protocol):
    """One connection. Enough of HTTP for a reply with a Content-Length."""

    def __init__(self, run):
        self.run, self.held = run, b""

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        self.sent_at = time.perf_counter()
        self.transport.write(self.run.next_request())

    def data_received(self, data):
        self.held += data
        head, found, body = self.held.partition(b"\r\n\r\n")
        if not found or len(body) < content_length(head):
            return
        self.held = b""
        self.run.answered(head.startswith(b"HTTP/1.1 200"), time.perf_counter() - self.sent_at)
        self.send()


def content_length(head: bytes) -> int:
    return next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))


class Run:
    def __init__(self, path: str, bodies: Path):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
        lines = bodies.read_bytes().splitlines()
        self.requests = [head.encode() + str(len(line)).encode() + b"\r\n\r\n" + line for line in lines]
        self.turn, self.failed, self.latencies = 0, 0, []

    def next_request(self) -> bytes:
        self.turn = (self.turn + 1) % len(self.requests)
        return self.requests[self.turn]

    def answered(self, well: bool, seconds: float) -> None:
        self.failed += not well
        self.latencies.append(seconds)


async def main(port: int, connections: int, seconds: float) -> None:
    run = Run(os.environ["BENCH_PATH"], Path(os.environ["BENCH_BODIES"]))
    loop, started = asyncio.get_running_loop(), time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: Client(run), "127.0.0.1", port)
    await asyncio.sleep(seconds)
    spent, ordered = time.perf_counter() - started, sorted(run.latencies)
    at = {name: 1000 * ordered[int(len(ordered) * share)] for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99))}
    print("@@" + json.dumps({"requests": len(ordered), "seconds": spent, **at, "failed": run.failed}))


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
