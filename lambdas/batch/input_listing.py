"""Files of a batch's input: a listing, from which what is not data is left out, and each file looked into."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from domain import lake
from domain.batch.segments import flat
from lambdas.batch.input_files import file_problem
from lambdas.settings import CONTRACT

MOST_FILES = 2000  # each is looked into here; more belong into larger files
MOST_NAMED = 20

Listing = Callable[[str, str], Iterable[tuple[str, int]]]  # (bucket, prefix) to (key, bytes)
ReadRange = Callable[[str, str, str], bytes]  # (bucket, key, span)


class InputRefused(Exception):
    """The input cannot be scored; the message names every file that is wrong."""


def checked_files(bucket: str, prefix: str, listing: Listing, read: ReadRange) -> list[str]:
    """List the keys to score, in order. Raises InputRefused naming each file that cannot be."""
    uri = lake.uri(bucket, prefix)
    files = list(itertools.islice(_files_at(prefix, listing(bucket, prefix)), MOST_FILES + 1))
    if not files:
        raise InputRefused(f"{uri}: no file is there; give a file, or a folder that ends in /")
    if len(files) > MOST_FILES:
        raise InputRefused(
            f"{uri}: more than {MOST_FILES} files, the most that make a batch; join them, or score folder by folder"
        )
    problems = [f"{key}: {problem}" for key, size in files if (problem := _problem_of(bucket, key, size, read))]
    problems += _confused([key for key, _ in files], folder_of(prefix))
    if problems:
        more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
        raise InputRefused("; ".join(problems[:MOST_NAMED]) + more)
    return [key for key, _ in files]


def _files_at(prefix: str, listed: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Select the files of a folder; if the prefix is a file, only itself, not those whose names it begins."""
    is_folder = prefix == "" or prefix.endswith("/")
    return (
        (key, size)
        for key, size in listed
        if not key.endswith("/") and (key == prefix or (is_folder and not lake.is_aside(key.removeprefix(prefix))))
    )


def folder_of(prefix: str) -> str:
    return prefix[: prefix.rfind("/") + 1]


def shard_of(key: str, folder: str) -> str:
    """Name a shard: the file's path under the input, with / replaced by ~, as the Score job writes it."""
    return flat(key.removeprefix(folder))


def _confused(keys: list[str], folder: str) -> list[str]:
    """Describe files whose results would overwrite each other's: a/b.csv and a~b.csv."""
    by_shard = defaultdict(list)
    for key in keys:
        by_shard[shard_of(key, folder)].append(key)
    return [
        f"{' and '.join(same)}: their results would have one name, {shard}; rename one"
        for shard, same in by_shard.items()
        if len(same) > 1
    ]


def _problem_of(bucket: str, key: str, size: int, read: ReadRange) -> str:
    return file_problem(key, size, contract=CONTRACT, read=lambda span: read(bucket, key, span))
