"""A file of rows: named by its bytes and the contract, and checked into parts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from domain.contract.schema import Contract
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress

if TYPE_CHECKING:  # it imports Arrow, which help must not load
    from fairway.tables.parts import Written


@dataclass(frozen=True)
class File:
    path: Path
    sha256: str
    load: str  # id: the same bytes under the same contract are the same load


def identified(path: Path, contract: Contract, progress: Progress) -> File:
    progress(f"Reading {path.name}")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Refused("file", f"{path}: {error.strerror}; name a CSV (also .gz), JSON Lines or Parquet file") from None
    return File(path, sha256, hashlib.sha256(f"{sha256}{contract.hash}".encode()).hexdigest()[:16])


def checked(file: File, contract: Contract, scratch: Path, progress: Progress) -> "Written":
    """Write the file's parts below the scratch folder. Refused if the file cannot be used."""
    # Arrow is imported only when a file is read.
    from fairway.tables.parts import write_parts
    from model_code.rows.tables import FileRefused

    progress(f"Checking {file.path.name}")
    folder = scratch / file.load
    folder.mkdir()
    try:
        return write_parts(file.path, contract, file.load, folder, progress=progress)
    except FileRefused as error:
        raise Refused("file", f"{error}; nothing was loaded") from None
