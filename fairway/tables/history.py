"""A project's history for a backtest: rows as Parquet parts, named by what decides which rows they are."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from domain import lake
from domain.contract.schema import Contract
from fairway.tables.files import checked, identified
from fairway.tables.folders import files_of
from fairway.terminal.progress import Progress


class Rows(NamedTuple):
    """Rows that can be fetched: `name` is a hash of them and of the contract, `loads` are named oldest first."""

    name: str
    loads: list[str]
    fetch: Callable[[Path, Progress], None]  # writes the parts below a folder


def of_files(paths: Sequence[Path], contract: Contract, duplicates: str, progress: Progress) -> Rows:
    """Return the rows of files, or of folders of them, as if they were loaded one after the other. Raises Refused."""
    found = [identified(file, contract, progress) for path in paths for file in files_of(path)[0]]
    files = list({file.load: file for file in found}.values())

    def fetch(folder: Path, progress: Progress) -> None:
        work = folder / "checking"
        work.mkdir(parents=True)
        for file in files:
            written = checked(file, contract, work, progress)
            with written.index:
                for part in written.parts:
                    _put(written.files[part["key"]], folder / part["key"].removeprefix(lake.ROWS))
        shutil.rmtree(work)  # quarantined rows are in it too

    loads = [file.load for file in files]
    return Rows(rows_named(contract, duplicates, loads), loads, fetch)


def _put(part: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part.replace(place)


def rows_named(contract: Contract, duplicates: str, parts: Sequence[str]) -> str:
    """Name rows by their parts, the contract, and which of two duplicates counts."""
    return hashlib.sha256(json.dumps([contract.hash, duplicates, *parts]).encode()).hexdigest()[:16]
