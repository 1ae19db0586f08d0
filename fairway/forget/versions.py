"""Objects of the lake with their old versions, which keep overwritten and deleted data until they expire."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from boto3.s3.transfer import TransferConfig

from fairway.forget.place import Task
from fairway.stage.lake_file import LakeFile

PLAIN = "STANDARD"


class Version(NamedTuple):
    """A version of an object; the ETag is without its quotes."""

    key: str
    id: str
    etag: str
    is_current: bool
    size: int  # bytes
    storage: str  # class


def versions_below(task: Task, prefix: str) -> Iterator[list[Version]]:
    """Yield the versions of each object, newest first; a deleted object has only old ones."""
    pages = task.stage.client("s3").get_paginator("list_object_versions").paginate(Bucket=task.lake, Prefix=prefix)
    listed = (_version(one) for page in pages for one in page.get("Versions", []))
    for _, versions in groupby(listed, attrgetter("key")):
        yield list(versions)


def _version(listed: dict[str, Any]) -> Version:
    etag, storage = listed["ETag"].strip('"'), listed.get("StorageClass", PLAIN)
    return Version(listed["Key"], listed["VersionId"], etag, listed["IsLatest"], listed["Size"], storage)


def opened(task: Task, version: Version) -> LakeFile:
    """Open a version as a seekable file."""
    return LakeFile(task.stage.client("s3"), task.lake, version.key, version=version.id)


def replace(task: Task, version: Version, file: Path) -> Version:
    """Write a file over the current version, in the same storage class; return the new version."""
    s3, place = task.stage.client("s3"), {"Bucket": task.lake, "Key": version.key}
    described = s3.head_object(**place)
    kept = {"ContentType": described["ContentType"], "Metadata": described["Metadata"], "StorageClass": version.storage}
    in_this_thread = TransferConfig(use_threads=False)  # several objects are being rewritten already
    s3.upload_file(str(file), task.lake, version.key, ExtraArgs=kept, Config=in_this_thread)
    new = s3.head_object(**place)
    return version._replace(id=new.get("VersionId", version.id), etag=new["ETag"].strip('"'), size=new["ContentLength"])


def delete(task: Task, version: Version) -> None:
    """Delete a version forever."""
    task.stage.client("s3").delete_object(Bucket=task.lake, Key=version.key, VersionId=version.id)
