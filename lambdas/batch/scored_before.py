"""Files that batches have scored, so that a schedule scores each once for each release and contract.

A run that is closed leaves one document with its files' ETags; only then do they count as scored. Rows of a file in an
unfinished run get the same ids in the next run that scores it, so none is stored twice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypedDict

from domain import lake
from lambdas.aws.objects import Listed


class ScoredFiles(TypedDict):
    """Files of a run, stored under `key` of the lake once it is closed."""

    key: str
    run: str
    store: bool  # whether predictions were stored in the table too
    files: dict[str, str]  # ETag by URI


def not_scored(bucket: str, documents: Iterable[ScoredFiles], *, store: bool) -> Callable[[Listed], bool]:
    """Return the rule that selects files of the bucket that no document names in their current state.

    A file whose predictions were written as Parquet only is scored again by a run that stores them.
    """
    etags: dict[str, set[str]] = defaultdict(set)
    for document in documents:
        if document["store"] or not store:
            for uri, etag in document["files"].items():
                etags[uri].add(etag)
    return lambda file: file.etag not in etags[lake.uri(bucket, file.key)]


def identity(uri: str, etag: str, scored_with: str) -> str:
    """Name a file as scored with a release and contract; its rows' ids are made of this and not of the run."""
    return f"{scored_with}{uri}/{etag}"
