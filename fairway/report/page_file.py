"""The file that a page is written to."""

import os
from pathlib import Path

from fairway.terminal.errors import Refused


def writable(file: Path) -> Path:
    """Refuse a file that cannot be written before anything is gathered, which takes seconds."""
    if file.is_dir() or not file.parent.is_dir():
        what = "is a folder" if file.is_dir() else f"folder {file.parent} does not exist"
        raise Refused("file", f"--out {file}: {what}; name a file in an existing folder")
    return file


def write_page(file: Path, text: str) -> None:
    """Write the file so that readers see the previous page or this one, whenever the command is killed."""
    if file.exists() and not file.is_file():  # a device or a pipe, such as /dev/stdout
        file.write_text(text, encoding="utf-8")
        return
    place = file.resolve()
    unfinished = place.with_name(f".{place.name}.part")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, place)
