"""The journal's file and an independent copy: a damaged file is set aside, and the other replaces it.

A damaged journal costs what was written since the copy; a damaged copy costs nothing.
"""

import logging
import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from local.state import LocalError

JOURNAL, COPY, DAMAGED = "journal.db", "copy.db", "damaged"
COPY_AFTER_S = 600.0
SHARE_OF_TIME = 0.05
LOG = logging.getLogger("journal")


def intact(folder: Path) -> tuple[Path, str | None]:
    """Return the journal to open, intact, and messages about it; a new one in a new folder.

    Raises LocalError if neither it nor its copy can be read.
    """
    folder.mkdir(exist_ok=True)
    journal, copy = folder / JOURNAL, folder / COPY
    if not journal.exists() or _is_intact(journal):
        return journal, None
    aside = folder / f"{DAMAGED}-{time.strftime('%Y%m%dT%H%M%S')}"
    if not copy.exists() or not _is_intact(copy):
        raise LocalError(
            f"{journal} is damaged and there is no intact copy of it; what was loaded is still in {folder.parent}/s3: "
            f"keep that folder, start with another --state, and `fairway load` the files below it again"
        )
    aside.mkdir()
    for path in folder.glob(f"{JOURNAL}*"):
        path.rename(aside / path.name)
    shutil.copyfile(copy, journal)
    written = time.strftime("%H:%M on %Y-%m-%d", time.localtime(copy.stat().st_mtime))
    return journal, f"the journal was damaged: what came after its copy of {written} is gone; it is kept in {aside}"


def _is_intact(path: Path) -> bool:
    """Return whether SQLite can read all of it; this also replays the log that a kill left."""
    try:
        with closing(sqlite3.connect(path)) as database:
            return database.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    except sqlite3.DatabaseError:
        return False


def functions_in_copy(folder: Path) -> str:
    """Return the copy's entries about functions, as text: they name their code."""
    if not (folder / COPY).exists():
        return ""
    with closing(sqlite3.connect(folder / COPY)) as database:
        found = database.execute("SELECT value FROM rows WHERE part LIKE 'lambda/%'").fetchall()
    return "".join(value.decode() for (value,) in found)


class Copies(threading.Thread):
    """Copies the journal from time to time, in a small share of the time and only when it has changed."""

    def __init__(self, folder: Path):
        super().__init__(daemon=True, name="copies")
        self.folder, self.stopping = folder, threading.Event()
        self.failure: str | None = None

    def run(self) -> None:
        pause_s = 0.0 if not (self.folder / COPY).exists() else COPY_AFTER_S
        copied: tuple = ()
        while not self.stopping.wait(pause_s):
            began, size = time.monotonic(), _written(self.folder)
            if size != copied:
                try:
                    make_copy(self.folder)
                    self.failure = None
                except (sqlite3.Error, OSError) as error:
                    self.failure = f"the journal could not be copied ({error}); make room on its disk"
                    LOG.error(self.failure)
            copied = size
            pause_s = max(COPY_AFTER_S, (time.monotonic() - began) / SHARE_OF_TIME)

    def stop(self) -> None:
        self.stopping.set()


def make_copy(folder: Path) -> None:
    """Copy the journal as of one moment, completely or not at all."""
    partial = folder / f"{COPY}.tmp"
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(folder / JOURNAL)) as database:
        database.execute("VACUUM INTO ?", (str(partial),))
    with open(partial, "rb+") as file:
        os.fsync(file.fileno())
    partial.replace(folder / COPY)


def _written(folder: Path) -> tuple:
    """Return a value that changes whenever the journal is written."""
    return tuple(
        (path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.glob(f"{JOURNAL}*"))
    )
