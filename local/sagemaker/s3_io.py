"""Transfer objects between S3 and a container's folders: prefixes and manifests down, files and archives up, in
parallel.
"""

import json
import os
import re
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker.errors import JobFailed

CONCURRENT_OBJECTS = 8
COPY_BYTES = 2**20
CLIENT_CONFIG = Config(
    max_pool_connections=CONCURRENT_OBJECTS * 2,
    retries={"max_attempts": 3, "mode": "standard"},
    s3={"addressing_style": "path"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
PART_BYTES = 64 * 2**20
ONE_OBJECT_PER_THREAD = TransferConfig(
    use_threads=False, multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES
)


@dataclass(frozen=True)
class Shard:
    """The instance, from 0, of `count`; the default takes everything."""

    index: int = 0
    count: int = 1


WHOLE = Shard()


def parse_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of s3://bucket/key, or of the https form that CDK's S3Location renders."""
    found = re.fullmatch(r"(?:s3://|https://s3[^/]*/)([^/]+)/?(.*)", uri, re.DOTALL)
    if not found:
        raise JobFailed(f"ClientError: {uri!r} is not an S3 URI. Give s3://bucket/key.")
    return found[1], found[2]


def list_prefix(client, uri: str) -> list[tuple[str, str, str]]:
    """Return (bucket, key, path in the channel) of every object whose key starts with the URI's key, in key order."""
    bucket, prefix = parse_uri(uri)
    found = []
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        found += [
            (bucket, item["Key"], _path_below(prefix, item["Key"]))
            for item in page.get("Contents", [])
            if not item["Key"].endswith("/")
        ]
    return found


def is_there(client, uri: str) -> bool:
    """Return whether any object's key starts with the URI's."""
    bucket, prefix = parse_uri(uri)
    return client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"] > 0


def _path_below(prefix: str, key: str) -> str:
    """Return the path: `data/a.csv` is a.csv below `data/`, `data` and `data/a.csv`; below the mere beginning `da` it
    stays `data/`.
    """
    if key.startswith(prefix.rstrip("/") + "/"):
        return key[len(prefix) :].lstrip("/")
    return key[len(prefix.rpartition("/")[0]) :].lstrip("/")


def list_manifest(client, uri: str) -> list[tuple[str, str, str]]:
    """Return the objects in a manifest `[{"prefix": "s3://bucket/folder/"}, "a", "b/c"]`."""
    bucket, key = parse_uri(uri)
    text = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        head, *names = json.loads(text)
        prefix = head["prefix"]
    except (ValueError, TypeError, KeyError):
        raise JobFailed(
            f'ClientError: Manifest {uri} must be a JSON list of {{"prefix": "s3://..."}} and then the names below it.'
        ) from None
    if not all(isinstance(name, str) for name in names):
        raise JobFailed(f"ClientError: Manifest {uri} must name its objects as strings below one prefix.")
    from_bucket, folder = parse_uri(prefix)
    return [(from_bucket, folder + name, name) for name in names]


def download(client, uri: str, into: Path, *, kind: str = "S3Prefix", shard: Shard = WHOLE, role_arn: str = "") -> int:
    """Download an input's objects into a folder; return the number of objects of this shard."""
    into.mkdir(parents=True, exist_ok=True)
    try:
        objects = (list_manifest if kind == "ManifestFile" else list_prefix)(client, uri)
        mine = objects[shard.index :: shard.count]
        _run_each(lambda item: fetch(client, item[0], item[1], item[2], into), mine)
    except (ClientError, BotoCoreError) as error:
        raise JobFailed(f"ClientError: Data download failed for {uri}: {error}") from error
    if not objects and kind != "ManifestFile":
        raise JobFailed(
            f'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the '
            f'bucket exists, that objects exist under that S3 prefix, and that the role "{role_arn}" has '
            '"s3:ListBucket" permissions on the bucket.'
        )
    return len(mine)


def fill(client, targets: list[Path], *, uri: str, kind: str, distribution: str | None, role_arn: str) -> None:
    """Fill one folder per instance with an input: sharded by key, or downloaded once and linked into the others."""
    if distribution == "ShardedByS3Key":
        for index, target in enumerate(targets):
            download(client, uri, target, kind=kind, shard=Shard(index, len(targets)), role_arn=role_arn)
        return
    download(client, uri, targets[0], kind=kind, role_arn=role_arn)
    for target in targets[1:]:
        shutil.copytree(targets[0], target, dirs_exist_ok=True)


def fetch(client, bucket: str, key: str, below: str, into: Path) -> None:
    target = into / below
    if not target.resolve().is_relative_to(into.resolve()):
        raise JobFailed(f"ClientError: s3://{bucket}/{key} would be written outside its folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    body = client.get_object(Bucket=bucket, Key=key)["Body"]  # download_file would ask for the size first
    with open(target, "wb") as file:
        shutil.copyfileobj(body, file, COPY_BYTES)


def upload(client, folder: Path, uri: str, *, only=None) -> int:
    """Upload every file below a folder (or those in `only`) to a prefix; return the number of files."""
    bucket, prefix = parse_uri(uri)
    files = sorted(only if only is not None else (path for path in folder.rglob("*") if path.is_file()))
    try:
        _run_each(
            lambda path: client.upload_file(
                str(path), bucket, join(prefix, path.relative_to(folder).as_posix()), Config=ONE_OBJECT_PER_THREAD
            ),
            files,
        )
    except (ClientError, BotoCoreError, S3UploadFailedError) as error:
        raise JobFailed(f"ClientError: Data upload failed for {uri}: {error}") from error
    return len(files)


class Mirror:
    """A folder whose files are uploaded to a prefix: each `send` uploads those that are new or changed since
    the last.
    """

    def __init__(self, client, folder: Path, uri: str):
        self.client, self.folder, self.uri = client, folder, uri
        self.sent: dict[Path, tuple[int, int]] = {}

    def skip_present(self) -> None:
        """Skip the present files of the folder, which came from the prefix."""
        self.sent = self._marks()

    def send(self) -> None:
        changed = {path: mark for path, mark in self._marks().items() if self.sent.get(path) != mark}
        if changed:
            upload(self.client, self.folder, self.uri, only=changed)
            self.sent |= changed

    def _marks(self) -> dict[Path, tuple[int, int]]:
        found = {path: path.stat() for path in self.folder.rglob("*") if path.is_file()}
        return {path: (status.st_mtime_ns, status.st_size) for path, status in found.items()}


def send(mirrors: list[Mirror]) -> None:
    for mirror in mirrors:
        mirror.send()


def upload_archive(client, folders: list[Path], archive: Path, uri: str) -> None:
    """Upload one .tar.gz of the folders' content, as SageMaker packs model.tar.gz and output.tar.gz."""
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        for folder in folders:
            for path in sorted(folder.iterdir()):
                tar.add(path, arcname=path.name)
    bucket, key = parse_uri(uri)
    upload(client, archive.parent, f"s3://{bucket}/{key.rpartition('/')[0]}", only=[archive])


def download_archive(client, uri: str, into: Path) -> None:
    """Download and unpack a model.tar.gz."""
    bucket, key = parse_uri(uri)
    archive = into.parent / "download.tar.gz"
    into.mkdir(parents=True, exist_ok=True)
    try:
        fetch(client, bucket, key, archive.name, archive.parent)
        with tarfile.open(archive) as tar:
            unpack(tar, into)
    except (ClientError, BotoCoreError) as error:
        raise JobFailed(f"Failed to download model data {uri}: {error}") from error
    except tarfile.TarError as error:
        raise JobFailed(f"Failed to extract model data archive {uri}: {error}") from error
    archive.unlink()


def unpack(tar: tarfile.TarFile, into: Path) -> None:
    """Extract files, folders and links that stay inside. Raises TarError for any other member.

    Not by `filter="data"`, which Python has from 3.11.4 on: Debian 12 has 3.11.2.
    """
    tar.extraction_filter = lambda member, path: member  # of later Pythons: each member was checked here
    for member in tar:
        if not _stays_inside(member, into):
            raise tarfile.ExtractError(f"member {member.name!r} is not a file or folder, or leads out of the archive")
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        tar.extract(member, into, set_attrs=not member.issym())


def _stays_inside(member: tarfile.TarInfo, into: Path) -> bool:
    """Return whether it is written below the folder, through no link, and, if it is a link, points inside."""
    folder = os.path.dirname(member.name)
    leads = {tarfile.SYMTYPE: os.path.join(folder, member.linkname), tarfile.LNKTYPE: member.linkname}
    paths = [member.name, *([leads[member.type]] if member.type in leads else [])]
    if any(os.path.isabs(path) or os.path.normpath(path).split(os.sep)[0] == os.pardir for path in paths):
        return False
    below = os.path.join(os.path.realpath(into), os.path.normpath(folder))
    return (member.isfile() or member.isdir() or member.type in leads) and os.path.realpath(below) == os.path.normpath(
        below
    )


def _run_each(action, items) -> None:
    with ThreadPoolExecutor(CONCURRENT_OBJECTS) as pool:
        for _ in pool.map(action, items):
            pass


def join(prefix: str, name: str) -> str:
    return f"{prefix.rstrip('/')}/{name}".lstrip("/")
