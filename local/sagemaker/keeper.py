"""Runs one container's command: puts its folder at /opt/ml, and lets nothing outlive whoever started it.

A script of its own (`python -I -S keeper.py MODE FOLDER COMMAND...`), started in a new session with a pipe as standard
input. The pipe is the life line: when its other end closes, however the owner died, the whole process group is killed.
MODE is `mount` (a mount namespace), `user` (the same without being root) or `plain` (no namespace: the command is told
its folder by SAGEMAKER_BASE_DIR).
"""

import ctypes
import os
import signal
import sys
import threading

CONTAINER_FOLDER = "/opt/ml"
HOSTS = "hosts"  # beside the folder: what the command finds at /etc/hosts
NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000
BIND_TREE, PRIVATE_TREE = 0x5000, 0x44000
SET_PARENT_DEATH_SIGNAL = 1


def main() -> int:
    mode, folder, *command = sys.argv[1:]
    life_line = os.dup(0)  # os.dup is not inherited by the command
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGTERM, lambda *_: None)  # sent to the group; it is for the command to obey
    if mode != "plain":
        enter(folder, as_user=mode == "user")
    child = os.fork()
    if child == 0:
        become(command)
    threading.Thread(target=_die_with, args=(life_line,), daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code  # as a container reports a signal


def enter(folder: str, *, as_user: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    check(libc.unshare(NEW_MOUNTS | (NEW_USER if as_user else 0)))
    if as_user:
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"0 {uid} 1")
        write("/proc/self/gid_map", f"0 {gid} 1")
    check(libc.mount(b"none", b"/", None, PRIVATE_TREE, None))
    _make_container_folder(libc)
    check(libc.mount(folder.encode(), CONTAINER_FOLDER.encode(), None, BIND_TREE, None))
    names = os.path.join(os.path.dirname(folder), HOSTS)
    if os.path.exists(names):
        check(libc.mount(names.encode(), b"/etc/hosts", None, BIND_TREE, None))


def _make_container_folder(libc) -> None:
    """Without the right to make /opt/ml, lay an empty /opt over the real one, but only where that hides nothing."""
    try:
        os.makedirs(CONTAINER_FOLDER, exist_ok=True)
    except OSError:
        if os.listdir("/opt"):
            raise
        check(libc.mount(b"none", b"/opt", b"tmpfs", 0, None))
        os.mkdir(CONTAINER_FOLDER)


def become(command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)  # should this keeper be killed itself
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)


def _die_with(life_line: int) -> None:
    while os.read(life_line, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
