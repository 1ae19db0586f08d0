"""A project on a local AWS of its own below build/bench/faults, driven by public commands, and what is killed there."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import guard

ROOT = Path(__file__).parents[2]
FAIRWAY = Path(sys.executable).with_name("fairway")
FOLDER = ROOT / "build/bench/faults"
SCORED = ("2013-04", "2013-05", "2013-06", "2013-07", "2013-08", "2013-09", "2013-10")


class CommandFailed(Exception):
    """A command that must work did not; the message is what it said."""


@dataclass(frozen=True)
class Place:
    """One project's folder, and the commands on it."""

    folder: Path

    def start(self, command: str, *arguments: str) -> subprocess.Popen[str]:
        words = [str(FAIRWAY), command, *arguments, "--project", str(self.folder), "--json"]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def fairway(self, command: str, *arguments: str) -> dict[str, Any]:
        """The command's JSON; it must succeed."""
        process = self.start(command, *arguments)
        said, _ = process.communicate()
        if process.returncode:
            raise CommandFailed(f"fairway {command} {' '.join(arguments)}: {said.strip()}")
        return json.loads(said)

    @property
    def state(self) -> Path:
        return self.folder / ".fairway/local"

    @property
    def server(self) -> dict[str, Any]:
        return json.loads((self.state / "server.json").read_text())

    def kill_server(self) -> None:
        """SIGKILL to the whole local AWS; returns when nothing of it is left."""
        server = self.server
        os.kill(server["pid"], signal.SIGKILL)
        while Path(f"/proc/{server['pid']}").exists() or guard.marked(server["mark"]):
            time.sleep(0.01)

    def processes(self, *words: str) -> list[int]:
        """What the local AWS started and has all these words in its command line."""
        return [
            number for number in guard.marked(self.server["mark"]) if all(word in _command(number) for word in words)
        ]

    def memory_mb(self, what: str = "VmHWM") -> float:
        """The most memory that the local AWS had so far."""
        lines = Path(f"/proc/{self.server['pid']}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def _command(process: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def released(folder: Path, changes: dict[str, str] | None = None) -> Place:
    """The reference project after its demo, with some texts of its settings changed: a champion answers, and one batch
    is stored. Its data lies beside it.
    """
    place = Place(folder)
    shutil.rmtree(place.folder, ignore_errors=True)
    (place.folder / "flights").mkdir(parents=True)
    settings = (ROOT / "fairway.toml").read_text()
    for old, new in (changes or {}).items():
        settings = settings.replace(old, new)
    (place.folder / "fairway.toml").write_text(settings)
    shutil.copy(ROOT / "flights/contract.toml", place.folder / "flights")
    words = [
        sys.executable,
        str(ROOT / "flights/demo.py"),
        "--project",
        str(place.folder),
        "--data",
        str(folder.parent / "data"),
    ]
    done = subprocess.run([*words, "--json"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return place


def rows(number: int) -> Path:
    """A file of this many real flights, one after the other as often as it takes."""
    file = FOLDER / f"rows-{number}.csv"
    if not file.exists():
        lines = [line for month in SCORED for line in _lines(month)]
        header = (FOLDER / f"data/flights-{SCORED[0]}.csv").read_text().splitlines()[0]
        taken = [lines[at % len(lines)] for at in range(number)]
        file.write_text("\n".join([header, *taken]) + "\n")
    return file


def _lines(month: str) -> list[str]:
    return (FOLDER / f"data/flights-{month}.csv").read_text().splitlines()[1:]
