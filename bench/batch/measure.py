"""One command with all its processes: how long it took, what processor time, how much memory at most."""

import os
import subprocess
import threading
import time
from pathlib import Path

LOOK_EVERY_S = 0.1


class CommandFailed(Exception):
    """A measured command ended badly; the message is the end of what it said."""


def run(command: list, *, environment: dict, folder: Path, log: Path) -> dict:
    """{seconds, cpu_s, memory_mb}; the memory is the proportional set size of the whole tree of processes."""
    started = time.perf_counter()
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=folder, env=variables(environment), stdout=stream, stderr=stream)
    peak = Peak(process.pid)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CommandFailed(f"{command} ended with {process.returncode}: {log.read_text()[-2000:]}")
    return {"seconds": seconds, "cpu_s": used.ru_utime + used.ru_stime, "memory_mb": peak.end() / 2**20}


def variables(environment: dict) -> dict:
    """Bytecode is kept from the first run on, for ours as for the peer: an installed package has it."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment}


class Peak:
    """The most memory that a process and its descendants had, looked up ten times a second."""

    def __init__(self, pid: int):
        self.pid, self.bytes, self.over = pid, 0, threading.Event()
        self.looking = threading.Thread(target=self.look)
        self.looking.start()

    def look(self) -> None:
        while not self.over.wait(LOOK_EVERY_S):
            self.bytes = max(self.bytes, sum(map(_proportional_set_size, tree(self.pid))))

    def end(self) -> int:
        self.over.set()
        self.looking.join()
        return self.bytes


def tree(pid: int) -> list[int]:
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # it ended meanwhile
        return []
    return [pid, *(one for child in children for one in tree(child))]


def _proportional_set_size(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def cpu_seconds(pid: int) -> float:
    """Of a process that still runs, and of its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
