"""The file that a page is written to."""

from pathlib import Path

from fairway.terminal.errors import Refused


def writable(file: Path) -> Path:
    """Refuse a file that cannot be written before anything is gathered, which takes seconds."""
    if file.is_dir() or not file.parent.is_dir():
        what = "is a folder" if file.is_dir() else f"there is no folder {file.parent}"
        raise Refused("file", f"--out {file}: {what}; name a file in a folder that is there")
    return file
