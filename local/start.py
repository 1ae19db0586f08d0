"""Starting, finding and stopping the local AWS in the background. Imports neither MiniStack nor the AWS SDK."""

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
    """Start the local AWS, or find the one already running on this state folder.

    Returns {pid, port, endpoint, enforce_iam, started, ...}. Raises LocalError with the fix. `project_dir` only becomes
    the place that a relative state folder is relative to; `adopt` takes over a state folder of somebody else's.
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
        listen(state_dir, port).close()  # a port in use is said at once, not after a start
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
        return wait_until_ready(server, state_dir, log)
    except BaseException:  # Ctrl-C too: a start that did not end leaves nothing behind
        server.terminate()
        server.wait()
        raise


def wait_until_ready(server: subprocess.Popen, state_dir: Path, log: Path) -> dict:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise LocalError(reason_in(log) or f"the local AWS stopped while starting; see {log}")
        described = read_json(state_dir / "server.json")
        if described and described["pid"] == server.pid and answers(described):
            return described
        time.sleep(POLL_S)
    raise LocalError(f"the local AWS was not ready within {START_TIMEOUT_S} s; see {log}")


def stop(state_dir: Path) -> bool:
    """Stop the local AWS of this state folder, keeping its state. False when none was running."""
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
    """SIGTERM and, for one that does not heed it, SIGKILL; returns when it is gone. Somebody else may end it at the
    same time.
    """
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
    """A zombie is not: in a container without an init nobody ever collects it."""
    with suppress(ChildProcessError):  # it is no child of ours, as a rule
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
    """The server of this state folder: {pid, port, endpoint, enforce_iam, started}; None when there is none."""
    state_dir = Path(state_dir).absolute()
    if not is_locked(state_dir):
        (state_dir / "server.json").unlink(missing_ok=True)  # what a killed server left
        return None
    described = read_json(state_dir / "server.json")
    return described if described and answers(described) else None


def _begun(state_dir: Path) -> dict | None:
    """The server that another command started and did not live to see ready; None when there is none."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while is_locked(state_dir) and time.monotonic() < deadline:
        time.sleep(POLL_S)
        if found := running(state_dir):
            return found
    return None


def answers(described: dict) -> bool:
    """Whether the very process that wrote server.json answers at its address."""
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


def reason_in(log: Path) -> str | None:
    """The error the server printed, without its prefix."""
    lines = log.read_text(errors="replace").splitlines()
    return next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), None)
