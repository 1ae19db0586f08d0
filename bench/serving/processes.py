"""A server as a group of processes: started, watched through /proc, and ended with all its children."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def table() -> dict[int, tuple[int, int, int]]:
    """{process: (parent, session, processor ticks of it and of its ended children)}"""
    children = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(") ")[2].split()
            except OSError:  # it ended meanwhile
                continue
            children[int(folder.name)] = (int(fields[1]), int(fields[3]), sum(map(int, fields[11:15])))
    return children


class Running:
    """One started server: `port`, `start_s` until its first answer, and what it uses."""

    def __init__(self, server, *, variables: dict, folder: Path, log: Path):
        ports = dict(zip(("port", "port1", "port2"), free_ports(3), strict=True))
        program = Path(server.command[0]).parent
        # bytecode is kept from the first start on, for ours as for the peers: an installed package has it
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "OMP_NUM_THREADS": "1", **variables}
        environment["PATH"] = f"{program}:{os.environ['PATH']}"
        environment |= {name: value.format(**ports) for name, value in server.environment.items()}
        command = [part.format(**ports) for part in server.command]
        self.server, self.port, self.log = server, ports["port"], log
        self.started = time.perf_counter()
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=stream, stderr=stream, start_new_session=True
            )

    def wait_for_answer(self, body: bytes, seconds: float = 120) -> float:
        """Seconds from the start until the first row was answered."""
        while time.perf_counter() - self.started < seconds and self.process.poll() is None:
            with suppress(OSError, http.client.HTTPException):  # not listening yet
                if self.ask(body)[0] == 200:
                    return time.perf_counter() - self.started
            time.sleep(0.005)
        raise RuntimeError(f"{self.server.name} did not answer; its log ends\n{self.log.read_text()[-1500:]}")

    def ask(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("POST", self.server.path, body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        answer = reply.status, reply.read()
        connection.close()
        return answer

    def largest_difference(self, rows: list[dict], expected: list[float]) -> float:
        """Of the answers from scikit-learn's own."""
        answers = [self.ask(json.dumps(self.server.encode(row)).encode()) for row in rows]
        refused = [body for status, body in answers if status != 200]
        if refused:
            raise RuntimeError(
                f"{self.server.name} refused {len(refused)} of {len(rows)} rows, first: {refused[0][:500]!r}"
            )
        answers_by_row = [self.server.decode(json.loads(body)) for _, body in answers]
        return max(abs(one - other) for one, other in zip(answers_by_row, expected, strict=True))

    def processes(self) -> dict[int, int]:
        """{process: ticks} of all that it started, also of those in the background."""
        every, mine = table(), {self.process.pid}
        while True:
            more = {
                pid for pid, (parent, session, _) in every.items() if parent in mine or session == self.process.pid
            } - mine
            if not more:
                return {pid: every[pid][2] for pid in mine if pid in every}
            mine |= more

    def processor_seconds(self) -> float:
        return sum(self.processes().values()) / TICKS

    def memory_mb(self) -> float:
        """Proportional set size: what is shared with others counts in part."""
        kilobytes = 0
        for pid in self.processes():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:  # it ended meanwhile
                continue
            kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return kilobytes / 1024

    def stop(self) -> None:
        mine = set(self.processes())
        for how in (signal.SIGTERM, signal.SIGKILL):
            for pid in mine & set(table()):
                with suppress(ProcessLookupError):  # it ended meanwhile
                    os.kill(pid, how)
            for _ in range(50):
                self.process.poll()
                if not mine & set(table()):
                    return
                time.sleep(0.1)
