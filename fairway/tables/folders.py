"""Folders on this machine, as Spark and others write tables: their files of rows, without the files that are
not data.
"""

from dataclasses import replace
from pathlib import Path

from domain.lake import is_aside
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused

MOST_NAMED = 5  # in a line


def files_of(path: Path) -> tuple[list[Path], list[str]]:
    """Return the files of rows at a path, and the names of those below a folder that are not data.

    A path that is not a folder means itself. Refused for a folder without a file of rows.
    """
    if not path.is_dir():
        return [path], []
    names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    aside = [name for name in names if is_aside(name)]
    files = [path / name for name in names if name not in set(aside)]
    if not files:
        beside = f" beside {', '.join(map(repr, aside[:5]))}" if aside else ""
        raise Refused("file", f"{path}: must have a file of rows; it has none{beside}")
    return files, aside


def with_passed_over(done: Done, names: list[str]) -> Done:
    """Name the files of a folder, or the lines above a header, that are not rows and were skipped."""
    if not names or not isinstance(done.values, dict):
        return done
    named = ", ".join(map(repr, names[:MOST_NAMED])) + (", ..." if len(names) > MOST_NAMED else "")
    line = f"skipped, as it has no rows: {named}"
    return replace(done, values={**done.values, "skipped": names}, lines=[*done.lines, line])
