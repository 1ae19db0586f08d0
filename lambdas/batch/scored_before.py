"""Which files a batch has scored already, so that a schedule scores each once per release and contract.

A run that is closed leaves one document with its files' ETags, and only then do they count as scored. Rows of a file
that a run did not end with get the same ids from the next run that scores it, so none is stored twice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypedDict

from domain import lake
from lambdas.aws.objects import Listed


class ScoredFiles(TypedDict):
    """Files of a run, laid down at `key` of the lake once it is closed."""

    key: str
    run: str
    store: bool  # whether predictions went into the table too
    files: dict[str, str]  # ETag by URI


def not_scored(bucket: str, documents: Iterable[ScoredFiles], *, store: bool) -> Callable[[Listed], bool]:
    """Return the rule for files of the bucket: whether none of the documents names the file as it is now.

    A file whose predictions went only into Parquet is still to be scored by a run that stores them.
    """
    etags: dict[str, set[str]] = defaultdict(set)
    for document in documents:
        if document["store"] or not store:
            for uri, etag in document["files"].items():
                etags[uri].add(etag)
    return lambda file: file.etag not in etags[lake.uri(bucket, file.key)]


def identity(uri: str, etag: str, scored_with: str) -> str:
    """Name a file as scored with a release and contract: its rows' ids are made of this and not of the run."""
    return f"{scored_with}{uri}/{etag}"
