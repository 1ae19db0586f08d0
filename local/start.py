"""Start, find and stop the local AWS in the background, without importing MiniStack or the AWS SDK."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from local import guard, ownership
from local.state import LocalError, ask, check_version, is_locked, listen, read_json

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
POLL_S = 0.05


def start(project_dir: Path, port: int, state_dir: Path, enforce_iam: bool, *, adopt: bool = False) -> dict:
    """Start the local AWS, or find the one running on this state folder; return {pid, port, endpoint, enforce_iam,
    started, ...}.

    Raises LocalError with the fix. `project_dir` is only the base of a relative state folder; `adopt` takes over
    somebody else's state folder.
    """
    state_dir = (Path(project_dir) / state_dir).absolute()
    check_version(state_dir)
    if adopt:
        ownership.adopt(state_dir)
    ownership.check(state_dir)
    found = running(state_dir) or _begun(state_dir)
    if found:
        return matching(found, port=port, enforce_iam=enforce_iam)
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if port:
        listen(state_dir, port).close()  # a port in use is reported at once, not after a start
    log = state_dir / "server.log"
    command = [sys.executable, "-m", "local", "serve", "--port", str(port), "--state", str(state_dir)]
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }  # 0.5 s, not 2
    with open(log, "wb") as output:
        server = subprocess.Popen(
            [*command, *(["--enforce-iam"] if enforce_iam else [])],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        return _wait_until_ready(server, state_dir, log)
    except BaseException:  # Ctrl-C too: a start that did not finish leaves nothing behind
        server.terminate()
        server.wait()
        raise


def _wait_until_ready(server: subprocess.Popen, state_dir: Path, log: Path) -> dict:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise LocalError(_reason_in(log) or f"the local AWS stopped while starting; see {log}")
        described = read_json(state_dir / "server.json")
        if described and described["pid"] == server.pid and answers(described):
            return described
        time.sleep(POLL_S)
    raise LocalError(f"the local AWS was not ready within {START_TIMEOUT_S} s; see {log}")


def stop(state_dir: Path) -> bool:
    """Stop the local AWS of this state folder, keeping its state. False if none was running."""
    state_dir = Path(state_dir).absolute()
    described = read_json(state_dir / "server.json")
    if not is_locked(state_dir):
        (state_dir / "server.json").unlink(missing_ok=True)
        return False
    if described is None:
        raise LocalError(f"the local AWS of {state_dir} is still starting or stopping; try again in a few seconds")
    end(described["pid"])
    guard.kill_marked(described["mark"])
    (state_dir / "server.json").unlink(missing_ok=True)
    return True


def end(process: int) -> None:
    """Send SIGTERM and, if necessary, SIGKILL; return when the process is gone. Others may end it at the same time."""
    for number, patience_s in ((signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, float("inf"))):
        with suppress(ProcessLookupError):
            os.kill(process, number)
        deadline = time.monotonic() + patience_s
        while is_alive(process):
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
        else:
            return


def is_alive(process: int) -> bool:
    """Return whether the process lives; a zombie does not: in a container without an init nobody collects it."""
    with suppress(ChildProcessError):  # usually it is not our child
        if os.waitpid(process, os.WNOHANG)[0] == process:
            return False
    with suppress(OSError):  # there is no /proc on macOS, where launchd collects
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def running(state_dir: Path) -> dict | None:
    """Return the server of this state folder: {pid, port, endpoint, enforce_iam, started}; None if there is none."""
    state_dir = Path(state_dir).absolute()
    if not is_locked(state_dir):
        (state_dir / "server.json").unlink(missing_ok=True)  # left by a killed server
        return None
    described = read_json(state_dir / "server.json")
    return described if described and answers(described) else None


def _begun(state_dir: Path) -> dict | None:
    """Return the server that another command started without living to see it ready; None if there is none."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while is_locked(state_dir) and time.monotonic() < deadline:
        time.sleep(POLL_S)
        if found := running(state_dir):
            return found
    return None


def answers(described: dict) -> bool:
    """Return whether the process that wrote server.json answers at its address."""
    try:
        return ask(f"{described['endpoint']}/_fairway/health", timeout_s=5)["pid"] == described["pid"]
    except (OSError, ValueError, KeyError):
        return False


def matching(found: dict, *, port: int, enforce_iam: bool) -> dict:
    if port and port != found["port"]:
        raise LocalError(
            f"the local AWS of this state folder already runs on port {found['port']}, not {port}; "
            "leave --port out, or run `fairway down` first"
        )
    if enforce_iam and not found["enforce_iam"]:
        raise LocalError(
            "the local AWS already runs without IAM enforced; run `fairway down`, then start it again with "
            "--enforce-iam"
        )
    return found


def _reason_in(log: Path) -> str | None:
    """Return the error that the server printed, without its prefix."""
    lines = log.read_text(errors="replace").splitlines()
    return next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), None)
