"""Keeps what the local AWS holds in memory on disk: a whole generation of files at a time, every few seconds.

MiniStack writes its state only at a clean stop. Here a forked child, which sees one instant of the whole process, writes
`checkpoints/<n>/` while the parent goes on serving. A generation appears by one rename, with the checksum of each file
in its manifest, and the one before it is kept. S3 bytes are not part of it: MiniStack puts them on disk at once.
"""

import copy
import ctypes
import hashlib
import logging
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from local.state import LocalError, read_json, write_json

EVERY_S = 2.0
QUIET_S = 30.0  # longest pause while nothing changes
SHARE_OF_ONE_CORE = 0.5
GIVE_UP_S = 120  # a fork can inherit a lock that nobody will release: the child is killed, the next one tries again
UNCHANGED = 3
LOG = logging.getLogger("checkpoint")
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def latest(folder: Path) -> Path | None:
    """The newest generation that is intact; None in a new folder. Half-written ones are removed."""
    for partial in folder.glob("*.tmp"):
        shutil.rmtree(partial)
    generations = sorted(folder.glob("[0-9]*[0-9]"))
    for number, generation in reversed(list(enumerate(generations))):
        if is_intact(generation):
            for damaged in generations[number + 1 :]:  # else the next generation would link what is broken in it
                shutil.rmtree(damaged)
            return generation
        LOG.error("checkpoint %s is damaged; trying the one before", generation)
    if generations:
        raise LocalError(f"none of the checkpoints in {folder} can be read; remove the state folder {folder.parent}")
    return None


def is_intact(generation: Path) -> bool:
    checksums = (read_json(generation / "manifest.json") or {}).get("files")
    try:
        return checksums is not None and all(
            sha256((generation / name).read_bytes()) == expected for name, expected in checksums.items()
        )
    except FileNotFoundError:
        return False


def write(folder: Path, states: dict[str, Callable], encode: Callable[[str, object], bytes]) -> Path | None:
    """Write the next generation; None when it would equal the last one. A file that did not change is linked."""
    last = max(folder.glob("[0-9]*[0-9]"), default=None)
    known = read_json(last / "manifest.json")["files"] if last else {}
    number = int(last.name) + 1 if last else 1
    partial = folder / f"{number:08d}.tmp"
    shutil.rmtree(partial, ignore_errors=True)  # what a killed child left
    partial.mkdir(parents=True)
    checksums = {}
    for service, get_state in sorted(states.items()):
        name = f"{service}.json"
        content = encoded(service, get_state, encode)
        if content is None and name not in known:
            continue
        checksums[name] = sha256(content) if content is not None else known[name]
        if checksums[name] == known.get(name):
            os.link(last / name, partial / name)
        else:
            write_durably(partial / name, content)
    if checksums == known:
        shutil.rmtree(partial)
        return None
    write_json(partial / "manifest.json", {"written_at": time.time(), "files": checksums})
    generation = folder / f"{number:08d}"
    partial.rename(generation)
    sync_folder(folder)
    for old in sorted(folder.glob("[0-9]*[0-9]"))[:-2]:
        shutil.rmtree(old)
    return generation


def encoded(service: str, get_state: Callable, encode: Callable[[str, object], bytes]) -> bytes | None:
    """The service's state as bytes; None keeps what the last generation says of it."""
    try:
        state = get_state()
        return None if state is None else encode(service, state)
    except Exception:
        LOG.exception("the state of %s cannot be written; the last good one is kept", service)
        return None


def write_durably(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Checkpoints(threading.Thread):
    """Writes generations in the background: soon after activity, ever more rarely while nothing changes."""

    def __init__(self, save: Callable[[], Path | None]):
        super().__init__(daemon=True, name="checkpoints")
        self.save = save
        self.activity = threading.Event()
        self.stopping = threading.Event()

    def run(self) -> None:
        pause_s, due = EVERY_S, time.monotonic() + EVERY_S
        while not self.stopping.wait(EVERY_S):
            if not self.activity.is_set() and time.monotonic() < due:
                continue
            self.activity.clear()
            began = time.monotonic()
            changed = save_in_child(self.save)
            took_s = time.monotonic() - began
            pause_s = EVERY_S if changed else min(2 * pause_s, QUIET_S)
            due = time.monotonic() + pause_s
            self.stopping.wait(took_s / SHARE_OF_ONE_CORE)

    def stop(self) -> None:
        self.stopping.set()
        self.join()


def save_in_child(save: Callable[[], Path | None]) -> bool | None:
    """Run `save` in a forked child: whether something had changed; None when it failed."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # fork with threads: the child starts none and takes no locks
        child = os.fork()
    if child == 0:
        run_child(save)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, UNCHANGED):
        LOG.error("checkpoint failed (exit code %s); the last good one is kept", code)
        return None
    return code == 0


def run_child(save: Callable[[], Path | None]) -> None:
    """Never returns: the child leaves without running the parent's exit handlers."""
    code = 1
    try:
        os.closerange(3, 1 << 16)  # above all the listening socket and the lock: they die with the parent
        for interrupt in (signal.SIGTERM, signal.SIGINT):
            signal.signal(interrupt, signal.SIG_DFL)
        signal.alarm(GIVE_UP_S)
        die_with_parent()
        copy.deepcopy = lambda value, memo=None: (
            value
        )  # services copy what they give out; nothing changes here any more
        code = 0 if save() else UNCHANGED
    except BaseException:
        LOG.exception("checkpoint failed")
    finally:
        sys.stderr.flush()
        os._exit(code)


def die_with_parent() -> None:
    PR_SET_PDEATHSIG = 1
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
