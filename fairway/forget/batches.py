"""Batches: inputs, including those that wait to be scored, predictions, results and quarantine.

A file of the lake is scored once, by its ETag. The new ETag of a rewritten file replaces the old one among the scored
files, so that no schedule scores its other rows again.
"""

import json
from typing import TypedDict

from domain import lake
from fairway.forget.files import Folder, Rewritten, below
from fairway.forget.place import Task


class _Scored(TypedDict):
    """The part of a document below lake.SCORED that changes."""

    files: dict[str, str]  # ETag by URI


def _count_as_scored(task: Task, rewritten: Rewritten) -> None:
    s3, uri = task.stage.client("s3"), lake.uri(task.lake, rewritten.current.key)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=task.lake, Prefix=lake.SCORED)
    for key in (one["Key"] for page in pages for one in page.get("Contents", [])):
        document: _Scored = json.loads(s3.get_object(Bucket=task.lake, Key=key)["Body"].read())
        if document["files"].get(uri) in rewritten.gone:
            document["files"][uri] = rewritten.current.etag
            body = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False).encode()
            s3.put_object(Bucket=task.lake, Key=key, Body=body, ContentType="application/json")


forget_batches = below(Folder(lake.BATCH, "batches", settle=_count_as_scored))
