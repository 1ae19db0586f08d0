"""A container as a process: started under a keeper, its output read line by line, stopped like SageMaker stops one."""

import contextlib
import functools
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

KEEPER = str(Path(__file__).with_name("keeper.py"))
log = logging.getLogger("sagemaker")
TAIL_LINES = 20
LINE_BYTES = 2**20


@dataclass
class Container:
    """A running command; `folder` is what it sees at /opt/ml."""

    process: subprocess.Popen
    folder: Path
    tail: deque = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    reader: threading.Thread | None = None
    ended: bool = False

    def exit_code(self) -> int | None:
        """Return the exit code; None while it runs. Processes that the command left in its group are ended with it."""
        code = self.process.poll()
        if code is not None and not self.ended:
            self.ended = True  # only once: the number may belong to another process later
            send(self.process.pid, signal.SIGKILL)
        return code

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end and all output. Raises subprocess.TimeoutExpired."""
        code = self.process.wait(timeout_s)
        self.exit_code()
        if self.reader:
            self.reader.join(timeout=10)
        return code

    def terminate(self) -> None:
        if self.exit_code() is None:
            send(self.process.pid, signal.SIGTERM)

    def kill(self) -> None:
        if self.exit_code() is None:
            send(self.process.pid, signal.SIGKILL)

    def stop(self, grace_s: float) -> int:
        """Send SIGTERM, then after the grace period SIGKILL, like the service."""
        self.terminate()
        try:
            return self.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.wait(10)


def start(
    command: list[str], *, folder: Path, work: Path, environment: dict[str, str], on_line: Callable[[str], None]
) -> Container:
    """Run a command with `folder` at /opt/ml, in the working folder `work`; every output line is passed to
    `on_line`.
    """
    mode = isolation()
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", KEEPER, mode, str(folder), *command],
        cwd=work,
        env={**_base_environment(folder, home, mode), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    container = Container(process, folder)
    container.reader = threading.Thread(
        target=read_lines, args=(container, on_line), daemon=True, name=f"sagemaker-output-{process.pid}"
    )
    container.reader.start()
    return container


def read_lines(container: Container, on_line) -> None:
    output = container.process.stdout
    assert output is not None  # a pipe, see start()
    for raw in iter(lambda: output.readline(LINE_BYTES), b""):  # an endless line fills no memory
        line = raw.decode(errors="replace").rstrip("\r\n")
        container.tail.append(line)
        try:
            on_line(line)
        except Exception:  # unread, the pipe would fill and the command wait forever
            log.exception("a line of process %s", container.process.pid)


def _base_environment(folder: Path, home: Path, mode: str) -> dict[str, str]:
    """Return what an image would set: nothing of the machine's own environment but the search path for programs."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    return environment if mode != "plain" else {**environment, "SAGEMAKER_BASE_DIR": str(folder)}


def path_inside(container_path: str, folder: Path) -> Path:
    """Return where /opt/ml/... of a container is on this machine."""
    return folder / Path(container_path).relative_to("/opt/ml")


def base_path(folder: Path) -> str:
    """Return the container's name for its folder: /opt/ml if a mount namespace is possible."""
    return str(folder) if isolation() == "plain" else "/opt/ml"


@functools.cache
def isolation() -> str:
    """Return how far this machine can isolate a process: `mount`, `user` or `plain` (see keeper)."""
    wanted = os.environ.get("FAIRWAY_CONTAINER_MODE")
    if wanted:
        return wanted
    return next((mode for mode in ("mount", "user") if sys.platform == "linux" and can_enter(mode)), "plain")


def can_enter(mode: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        trial = subprocess.Popen(
            [sys.executable, "-I", "-S", KEEPER, mode, folder, "true"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return trial.wait() == 0


def send(process_group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
        os.killpg(process_group, number)
