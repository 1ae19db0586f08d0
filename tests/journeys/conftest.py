"""A whole project on its own local AWS with IAM enforced, driven by the public commands and the HTTP API only."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from local.profile import root_key

ROOT = Path(__file__).parents[2]
FAIRWAY = Path(sys.executable).with_name("fairway")


@dataclass(frozen=True)
class Journey:
    """One project's folder, and the commands on it."""

    project: Path
    data: Path

    def run(self, command: str, *arguments: str, **options) -> subprocess.CompletedProcess:
        words = [str(FAIRWAY), command, *map(str, arguments), "--project", str(self.project)]
        return subprocess.run(words, capture_output=True, text=True, timeout=300, **options)

    def fairway(self, command: str, *arguments: str):
        """The command's JSON; it must succeed."""
        done = self.run(command, *arguments, "--json")
        assert done.returncode == 0, f"fairway {command}: {done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def predict(self, *rows: dict) -> list[dict]:
        return self.fairway("predict", json.dumps(list(rows)))

    @property
    def server(self) -> dict:
        return json.loads((self.state / "server.json").read_text())

    @property
    def state(self) -> Path:
        return self.project / ".fairway/local"

    def aws(self, service: str):
        """A client of the local AWS as its root user, to look at what the commands left there."""
        key = root_key(self.state)
        return boto3.client(
            service,
            endpoint_url=self.server["endpoint"],
            region_name="us-east-1",
            aws_access_key_id=key.access_key,
            aws_secret_access_key=key.secret_key,
        )

    def address(self, stage: str = "local") -> dict:
        name = f"/fairway/{self.project.name}/{stage}"
        return json.loads(self.aws("ssm").get_parameter(Name=name)["Parameter"]["Value"])


@contextmanager
def drafted(table: Path, *, target: str, name: str) -> Iterator[Journey]:
    """A project drafted from a table, in the folder of that name beside it, that trains one candidate where the
    reference project trains three; afterwards nothing of it is left running.
    """
    journey = Journey(table.parent / name, table.parent)
    words = ["init", "--data", table, "--target", target, "--out", journey.project, "--json"]
    done = subprocess.run([str(word) for word in (FAIRWAY, *words)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    with (journey.project / "fairway.toml").open("a") as settings:
        settings.write('\n[training]\ncandidates = ["logistic_regression"]\n')
    try:
        yield journey
    finally:
        journey.run("down")
        assert processes_below(journey.project) == []


def write_csv(file: Path, header: list[str], rows: Iterable[list]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows([header, *rows])
    return file


def eventually(look: Callable, *, within_s: float = 30, pause_s: float = 0.5):
    """What `look` finds, once that is true; what it found last is told when it is not in time."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"still {found!r} after {within_s} s"
        time.sleep(pause_s)
    return found


@pytest.fixture(scope="session")
def flights(tmp_path_factory):
    """The reference project after `flights/demo.py`: (journey, what the demo told)."""
    folder = tmp_path_factory.mktemp("project") / "flights"
    (folder / "flights").mkdir(parents=True)
    settings = (ROOT / "fairway.toml").read_text()
    # April is a worse month to predict than March: room for a second release, so that promotion can be tried.
    (folder / "fairway.toml").write_text(settings.replace("calibration_error = 0.08", "calibration_error = 0.2"))
    shutil.copy(ROOT / "flights/contract.toml", folder / "flights")
    journey = Journey(folder, tmp_path_factory.mktemp("data"))
    try:
        yield journey, demo(journey)
    finally:
        journey.run("down")


def demo(journey: Journey) -> dict:
    words = [sys.executable, ROOT / "flights/demo.py", "--project", journey.project, "--data", journey.data]
    done = subprocess.run([*words, "--enforce-iam", "--json"], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{server_log(journey)}"
    return json.loads(done.stdout)


def server_log(journey: Journey) -> str:
    log = journey.project / ".fairway/local/server.log"
    return log.read_text(errors="replace")[-4000:] if log.exists() else "no server log"


def processes_below(folder: Path) -> list[str]:
    """Command lines of the processes whose state lies below the folder: what a stop must leave empty."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if str(folder) in words or str(folder) in environment:
                found.append(words)
    return found
