"""A process that may open a stranger's model: no network, no credentials, one folder to write in, and limits.

Linux namespaces close it off, for ordinary users too. Without them the process still has an empty environment and
limits, and `run` reports that it was not closed off.
"""

import functools
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from model_code.importing.formats import ImportRefused
from model_code.importing.lifetime import die_with_parent

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 900
_LIMITS = {
    resource.RLIMIT_CPU: 1200,  # seconds
    resource.RLIMIT_FSIZE: 4 << 30,
    resource.RLIMIT_AS: 32 << 30,  # PyTorch and TensorFlow reserve far more than they use
    resource.RLIMIT_CORE: 0,
}
_NAMESPACES = (
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "--ipc",
    "--uts",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
)

# $1: the folder to write in; then files and folders to hide, up to --; then the command. A file system that this user
# cannot remount read-only is one that only root can write to.
_CLOSE = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"; folder=$1; shift
mount -t tmpfs none /dev/shm
while read -r _ place _; do
  case $place in "$folder"|/proc*|/sys*|/dev*) ;; *) mount -o remount,bind,ro "$place" 2>/dev/null || true ;; esac
done < /proc/self/mounts
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mount -t tmpfs -o ro none "$1"; else mount --bind /dev/null "$1"; fi; shift
done
shift
cd "$folder"
exec "$@"
"""


def run(module: str, request: Path, folder: Path) -> bool:
    """Run `python -m module REQUEST` with only `folder` to write in. True if it was closed off from the network."""
    words = [sys.executable, "-s", "-P", "-m", module, str(request)]
    closed = can_close_off()
    if closed:
        words = [*_NAMESPACES, "sh", "-c", _CLOSE, "close", str(folder), *_hidden(), "--", *words]
    log = folder / "log.txt"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment(folder),
            cwd=folder,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
        )
        try:
            code = process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            raise ImportRefused(
                f"the conversion took longer than {_SECONDS} s; export the model to ONNX where it was made"
            ) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if code:
        lines = log.read_text(errors="replace").strip().splitlines() or [f"exit code {code}"]
        raise ImportRefused(f"the process that converts the model ended with code {code}: {lines[-1][:500]}")
    return closed


@functools.cache
def can_close_off() -> bool:
    """Return whether this user may make namespaces."""
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*_NAMESPACES, "true"], capture_output=True).returncode == 0


def _hidden() -> list[str]:
    """List the caller's hidden files and folders, which may hold credentials, except those that Python runs from."""
    needed = {Path(place).resolve() for place in (*sys.path, sys.prefix, sys.base_prefix, sys.executable)}
    dotted = [entry.resolve() for entry in Path.home().glob(".*") if entry.exists()]
    return sorted({str(entry) for entry in dotted if not any(place.is_relative_to(entry) for place in needed)})


def environment(folder: Path) -> dict[str, str]:
    """Return the process's environment: nothing of the caller's own."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "",
        "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",  # torch.export falls back to a pickle that may run anything
    }


def confine() -> None:
    """Set limits that this process cannot raise again, before it opens anything."""
    for what, most in _LIMITS.items():
        _, hard = resource.getrlimit(what)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (limit, limit))
