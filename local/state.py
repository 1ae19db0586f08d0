"""The state folder of a local AWS: who may open it, which version wrote it, and who is serving it."""

import fcntl
import json
import os
import socket
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

MINISTACK = "1.5.33"
FORMAT = 2  # raise this when the format of the folder changes
PROXIES = ("http_proxy", "https_proxy", "all_proxy")  # of the environment, in either case: none leads to loopback
MAY_PRECEDE_VERSION = {  # written before the folder is claimed
    "lock",
    "up.lock",
    "server.log",
    "port.json",
    "aws",
    "owner",
}


class LocalError(Exception):
    """Report that the local AWS cannot do what was asked; the message names the fix. Exit code 2."""


def check_version(folder: Path) -> None:
    """Refuse a folder that another version wrote, or that is not a state folder."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise LocalError(f"--state {folder} is a file; name a folder")
    written = read_json(folder / "version.json")
    if written is None:
        strangers = sorted({entry.name for entry in folder.iterdir()} - MAY_PRECEDE_VERSION)
        if strangers:
            raise LocalError(
                f"--state {folder} holds {strangers[0]!r} but no version.json, so it is not a state folder "
                "of a local AWS; name a new or empty folder"
            )
        return
    found, wanted = (written.get("ministack"), written.get("format")), (MINISTACK, FORMAT)
    if found != wanted:
        raise LocalError(
            f"state folder {folder} was written with MiniStack {found[0]}, format {found[1]}; this version "
            f"reads MiniStack {wanted[0]}, format {wanted[1]}. Use another folder with --state, or the version of "
            f"Fairway that wrote it; the objects of its lake are files below {folder}/s3"
        )


def claim(folder: Path) -> None:
    """Make the folder ours: checked, versioned, private to this user."""
    check_version(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(folder / "version.json", {"ministack": MINISTACK, "format": FORMAT})


@contextmanager
def locked(folder: Path):
    """Hold the folder's lock. The operating system frees it when the process ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalError(
                f"state folder {folder} is in use by another local AWS; "
                "stop it (fairway down) or use another folder with --state"
            ) from None
        yield


@contextmanager
def turn(folder: Path, *, waiting: Callable[[], None]):
    """Allow one `up` at a time: a second one waits for the first, and then finds everything done.

    `waiting` reports it.
    """
    check_version(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = open(folder / "up.lock", "w")  # noqa: SIM115 - open for as long as the lock is held
    except OSError as error:
        raise LocalError(
            f"state folder {folder} cannot be written ({error.strerror}); name another with --state"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_locked(folder: Path) -> bool:
    if not (folder / "lock").exists():
        return False
    try:
        with locked(folder):
            return False
    except LocalError:
        return True


def listen(folder: Path, port: int) -> socket.socket:
    """Return a socket bound to loopback only, on `port`, else the port used last (stored addresses stay right), or a
    free one.
    """
    last = (read_json(folder / "port.json") or {}).get("port", 0)
    for candidate in (port,) if port else (last, 0):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", candidate))
            bound.listen()  # a bound port is not ours before it listens
        except OSError as error:
            bound.close()
            if port:
                raise LocalError(
                    f"port {port} on 127.0.0.1 cannot be used ({error.strerror}); "
                    "stop what uses it, or choose another with --port (0 takes a free one)"
                ) from None
            continue
        write_json(folder / "port.json", {"port": bound.getsockname()[1]})
        return bound
    raise LocalError("no free port on 127.0.0.1")


def ask(url: str, *, timeout_s: float):
    """Return a JSON page of a local AWS, without any proxy in the environment."""
    with build_opener(ProxyHandler({})).open(url, timeout=timeout_s) as reply:
        return json.load(reply)


def read_json(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def write_json(path: Path, content: dict) -> None:
    """Write the file completely or not at all."""
    partial = path.with_name(path.name + ".tmp")
    with open(partial, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
