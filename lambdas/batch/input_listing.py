"""Files of a batch's input: a listing without what is not data, and a check of each file."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from domain import lake
from domain.batch.segments import flat
from lambdas.aws.objects import Listed
from lambdas.batch.input_files import file_problem
from lambdas.settings import CONTRACT

MOST_FILES = 2000  # each is checked here; split fewer, larger files instead of more
MOST_NAMED = 20

Listing = Callable[[str, str], Iterable[Listed]]  # of a bucket and a prefix
ReadRange = Callable[[str, str, str], bytes]  # (bucket, key, span)


class InputRefused(Exception):
    """Report that the input cannot be scored; the message names every wrong file."""


class Found(NamedTuple):
    """Files to score, with their ETags by key in order, and the number skipped because they were scored before."""

    files: dict[str, str]
    passed_over: int


def checked_files(
    bucket: str,
    prefix: str,
    listing: Listing,
    read: ReadRange,
    *,
    wanted: Callable[[Listed], bool] = lambda file: True,
) -> Found:
    """List the files to score. Raises InputRefused naming each file that cannot be scored."""
    uri, passed_over = lake.uri(bucket, prefix), 0
    files: list[Listed] = []
    for file in _files_at(prefix, listing(bucket, prefix)):
        if not wanted(file):
            passed_over += 1
            continue
        files.append(file)
        if len(files) > MOST_FILES:
            most = f"must be at most {MOST_FILES} files"
            raise InputRefused(f"{uri}: {most}; join them, or score folder by folder")
    if not files and not passed_over:
        raise InputRefused(f"{uri}: must be a file, or a folder that ends in /; no such file exists")
    problems = [f"{file.key}: {problem}" for file in files if (problem := _problem_of(bucket, file, read))]
    problems += _confused([file.key for file in files], folder_of(prefix))
    if problems:
        more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
        raise InputRefused("; ".join(problems[:MOST_NAMED]) + more)
    return Found({file.key: file.etag for file in files}, passed_over)


def _files_at(prefix: str, listed: Iterable[Listed]) -> Iterator[Listed]:
    """Select the files of a folder; if the prefix is a file, only that file, not others whose names begin with it."""
    is_folder = prefix == "" or prefix.endswith("/")
    return (
        file
        for file in listed
        if not file.key.endswith("/")
        and (file.key == prefix or (is_folder and not lake.is_aside(file.key.removeprefix(prefix))))
    )


def folder_of(prefix: str) -> str:
    return prefix[: prefix.rfind("/") + 1]


def shard_of(key: str, folder: str) -> str:
    """Name a shard: the file's path under the input, with / replaced by ~, as the Score job writes it."""
    return flat(key.removeprefix(folder))


def _confused(keys: list[str], folder: str) -> list[str]:
    """Describe files whose results would overwrite each other: a/b.csv and a~b.csv."""
    by_shard = defaultdict(list)
    for key in keys:
        by_shard[shard_of(key, folder)].append(key)
    return [
        f"{' and '.join(same)}: their results would have the same name, {shard}; rename one"
        for shard, same in by_shard.items()
        if len(same) > 1
    ]


def _problem_of(bucket: str, file: Listed, read: ReadRange) -> str:
    return file_problem(file.key, file.size, contract=CONTRACT, read=lambda span: read(bucket, file.key, span))
