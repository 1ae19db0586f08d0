"""Data of a user on this machine, outside of every project, so that no clone or archive can bring it along."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from local.state import LocalError


def user_folder() -> Path:
    """Return $XDG_STATE_HOME/fairway, or ~/.local/state/fairway."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "fairway"


def identity() -> bytes:
    """Return this user's secret on this machine, 32 bytes that only the owner can read; made at first use."""
    path = user_folder() / "identity"
    try:
        _create(path)
        _check_private(path)
        return bytes.fromhex(path.read_text())
    except (OSError, ValueError) as error:
        raise LocalError(
            f"{path} cannot be used ({getattr(error, 'strerror', None) or error}); "
            "set XDG_STATE_HOME to a folder of yours that can be written"
        ) from None


def _create(path: Path) -> None:
    """Create the file completely or not at all; the first of several processes makes it and the others find it."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f"identity.{secrets.token_hex(8)}")
    write_private(partial, secrets.token_hex(32))
    with suppress(FileExistsError):
        os.link(partial, path)
    partial.unlink()


def _check_private(path: Path) -> None:
    status = path.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise LocalError(f"{path} belongs to or can be read by others; remove it, it is made again")


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody but its owner could read at any time."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
