"""What is reported of rows that are there twice, and when a file is refused for them."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fairway.terminal.errors import Refused

if TYPE_CHECKING:  # it comes with Arrow, which help must not cost
    from fairway.tables.row_index import First


class Twice(NamedTuple):
    """Rows of a file that an earlier row of it is too, rows that were loaded before, and the first of them all."""

    in_file: int = 0
    loaded: int = 0
    first: "First | None" = None


def refuse_if_told_to(rule: str, file: Path, twice: Twice) -> None:
    """Raise Refused where the rule is to refuse and a row is there twice."""
    if rule != "refuse" or twice.first is None:
        return
    counts = [f"{twice.in_file:,} rows are in the file twice"] if twice.in_file else []
    counts += [f"{twice.loaded:,} of its rows are loaded already"] if twice.loaded else []
    row, name = twice.first
    raise Refused(
        "duplicates",
        f'{file}: {" and ".join(counts)}, first row {row:,} ({name}); data.duplicates = "refuse": must have only new '
        "keys and event times; remove those rows, or `fairway unload` what holds them; nothing was loaded",
    )


def sentences(twice: Twice, rule: str | None, *, is_alone: bool) -> list[str]:
    """Lines on the rows that are there twice; `rule` is None where the contract has no key to tell them by."""
    if rule is None:
        return [] if is_alone else ["the contract has no key: a row that is in two files counts twice"]
    counting = "all of them count" if rule == "keep" else "the one that was loaded last counts"
    found = [f"{twice.loaded:,} rows were loaded before: {counting}"] if twice.loaded else []
    in_file = "all of them count" if rule == "keep" else "the last one counts"
    found += [f"{twice.in_file:,} rows are in their file twice: {in_file}"] if twice.in_file else []
    return [f'{one} (data.duplicates = "{rule}")' for one in found]
