"""Ownership of a state folder: one from a clone, an archive or another user is neither restored nor run.

A folder has functions, images and credentials that run as this user. So it has a stamp that only this user on this
machine can make: over the folder itself and its root key, sealed with a secret outside of it.
"""

import hashlib
import hmac
import os
from pathlib import Path

from local.profile import make_root_key
from local.state import LocalError, locked
from local.user import identity, write_private


def take(folder: Path) -> None:
    """Make the folder this user's: private, with a new root key, stamped."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    make_root_key(folder)
    write_private(folder / "owner", _stamp(folder))


def adopt(folder: Path) -> None:
    """Take over somebody else's folder, at its new owner's request. A key that came with it is no longer valid."""
    if is_new(folder) or _problem(folder) is None:
        return
    if folder.stat().st_uid != os.geteuid():
        raise LocalError(f"state folder {folder} belongs to another user; copy it, then adopt the copy")
    with locked(folder):
        take(folder)


def check(folder: Path) -> None:
    """Refuse a folder that this user did not make here; an empty folder may be anybody's."""
    problem = None if is_new(folder) else _problem(folder)
    if problem:
        raise LocalError(
            f"state folder {folder} {problem}, and what it holds would run here as you. Remove it (rm -r {folder}) or "
            "name another with --state; if you trust whoever made it, `fairway up --adopt` takes it over"
        )


def is_new(folder: Path) -> bool:
    return not any((folder / name).exists() for name in ("version.json", "server.json"))


def _problem(folder: Path) -> str | None:
    if folder.stat().st_uid != os.geteuid():
        return "belongs to another user"
    try:
        given = (folder / "owner").read_text()
        return None if hmac.compare_digest(given.encode(), _stamp(folder).encode()) else _FOREIGN
    except OSError:
        return _FOREIGN


_FOREIGN = "was not made by you on this machine"


def _stamp(folder: Path) -> str:
    """Return the stamp. A copy has another inode than its original, so another stamp; a moved folder keeps both."""
    key = hashlib.sha256((folder / "aws" / "credentials").read_bytes()).hexdigest()
    text = f"fairway state folder 1\n{folder.stat().st_ino}\n{key}\n"
    return hmac.digest(identity(), text.encode(), "sha256").hex()
