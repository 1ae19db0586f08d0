"""A container as a process: spawned under a keeper, its output read line by line, stopped as SageMaker stops one."""

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
        """None while it runs. Whatever the command left running in its group ends with it."""
        code = self.process.poll()
        if code is not None and not self.ended:
            self.ended = True  # only once: the number may be another process's later
            send(self.process.pid, signal.SIGKILL)
        return code

    def wait(self, timeout_s: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired. When it returns, all output has been read."""
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
        """SIGTERM, then after the grace SIGKILL, as the service does."""
        self.terminate()
        try:
            return self.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.wait(10)


def start(
    command: list[str], *, folder: Path, work: Path, environment: dict[str, str], on_line: Callable[[str], None]
) -> Container:
    """Run a command with `folder` at /opt/ml, in the working folder `work`; every output line goes to `on_line`."""
    mode = isolation()
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", KEEPER, mode, str(folder), *command],
        cwd=work,
        env={**base_environment(folder, home, mode), **environment},
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
    for raw in iter(lambda: output.readline(LINE_BYTES), b""):  # one without an end fills no memory
        line = raw.decode(errors="replace").rstrip("\r\n")
        container.tail.append(line)
        try:
            on_line(line)
        except Exception:  # unread, the pipe would fill and the command wait for ever
            log.exception("a line of process %s", container.process.pid)


def base_environment(folder: Path, home: Path, mode: str) -> dict[str, str]:
    """What an image would set: nothing of the machine's own environment but where programs are found."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    return environment if mode != "plain" else {**environment, "SAGEMAKER_BASE_DIR": str(folder)}


def path_inside(container_path: str, folder: Path) -> Path:
    """Where /opt/ml/... of a container lies on this machine."""
    return folder / Path(container_path).relative_to("/opt/ml")


def base_path(folder: Path) -> str:
    """What the container calls its folder: /opt/ml wherever a mount namespace can be had."""
    return str(folder) if isolation() == "plain" else "/opt/ml"


@functools.cache
def isolation() -> str:
    """How far this machine lets a process be isolated: `mount`, `user` or `plain` (see keeper)."""
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
