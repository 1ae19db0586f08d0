"""Report duplicates, and refuse a file for them."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fairway.terminal.errors import Refused

if TYPE_CHECKING:  # it imports Arrow, which help must not load
    from fairway.tables.row_index import First


IDENTICAL = "identical to rows that are loaded already"


class Twice(NamedTuple):
    """Rows that repeat an earlier row of the file, rows that were loaded before, and the first that is refused."""

    in_file: int = 0
    loaded: int = 0
    first: "First | None" = None


def refuse_if_told_to(rule: str, file: Path, twice: Twice, *, has_key: bool) -> None:
    """Raise Refused if the rule is to refuse and there is a duplicate.

    Without a key, equal rows of one file count as different rows, and only rows that are already loaded are refused.
    """
    if rule != "refuse" or twice.first is None:
        return
    counts = [f"{twice.in_file:,} rows are in the file twice"] if twice.in_file and has_key else []
    counts += [f"{twice.loaded:,} of its rows are {'loaded already' if has_key else IDENTICAL}"] if twice.loaded else []
    row, name = twice.first
    where = f"{row:,} ({name})" if has_key else f"{row:,}"
    wanted = "only new keys and event times" if has_key else "only rows that differ from those"
    raise Refused(
        "duplicates",
        f'{file}: {" and ".join(counts)}, first row {where}; data.duplicates = "refuse": must have {wanted}; '
        "remove those rows, or `fairway unload` what holds them; nothing was loaded",
    )


def sentences(twice: Twice, rule: str, *, has_key: bool) -> list[str]:
    """Describe the duplicates."""
    if not has_key:
        return _without_a_key(twice)
    counting = "all of them count" if rule == "keep" else "the one that was loaded last counts"
    found = [f"{twice.loaded:,} rows were loaded before: {counting}"] if twice.loaded else []
    in_file = "all of them count" if rule == "keep" else "the last one counts"
    found += [f"{twice.in_file:,} rows are in their file twice: {in_file}"] if twice.in_file else []
    return [f'{one} (data.duplicates = "{rule}")' for one in found]


def _without_a_key(twice: Twice) -> list[str]:
    found = [f"{twice.loaded:,} rows are {IDENTICAL}"] if twice.loaded else []
    found += [f"{twice.in_file:,} rows are identical to an earlier row of their file"] if twice.in_file else []
    return [f"{one}: all of them count; a key in the contract would tell whether they are repeats" for one in found]
