"""S3 in plain values: JSON documents and listings; keys are made by domain/lake.py."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, NamedTuple

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from lambdas.aws import clients
from lambdas.aws.connections import Unreachable


class Listed(NamedTuple):
    """An object in a listing; the ETag changes with its bytes."""

    key: str
    size: int  # bytes
    etag: str


def read_json(bucket: str, key: str) -> Any:
    """Read the document; None if there is none."""
    try:
        return json.loads(clients.s3().get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise


def read_each(bucket: str, keys: Iterable[str]) -> list[Any]:
    """Read the documents of many keys, in order, as many in parallel as botocore has connections."""
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(lambda key: read_json(bucket, key), keys))


def write_json(bucket: str, key: str, document: object) -> None:
    """Write the document with sorted keys, so that writing it again makes the same object."""
    body = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False).encode()
    write_bytes(bucket, key, body, media_type="application/json")


def write_bytes(bucket: str, key: str, body: bytes, *, media_type: str) -> None:
    """Write the object, replacing any object with this key."""
    clients.s3().put_object(Bucket=bucket, Key=key, Body=body, ContentType=media_type)


def read_range(bucket: str, key: str, span: str) -> bytes:
    """Read a part of an object; `span` is in HTTP's notation: 0-65535, or -8 for the last eight bytes."""
    content: bytes = clients.s3().get_object(Bucket=bucket, Key=key, Range=f"bytes={span}")["Body"].read()
    return content


@contextlib.contextmanager
def stream(bucket: str, key: str) -> Iterator[IO[bytes]]:
    """Open the object's bytes as a stream, in a context that closes the connection.

    Raises Unreachable if the connection breaks: the object may be intact, so the caller tries again.
    """
    with contextlib.closing(clients.s3().get_object(Bucket=bucket, Key=key)["Body"]) as body:
        try:
            yield body
        except (HTTPClientError, IncompleteReadError) as error:
            raise Unreachable(f"s3://{bucket}/{key}: {type(error).__name__} {error}") from error


def listing(bucket: str, prefix: str, *, after: str = "") -> Iterator[Listed]:
    """List every object under the prefix, in key order, page by page; those that come `after` a key, if it is given."""
    more: dict[str, str] = {"StartAfter": after} if after else {}
    while True:
        page = clients.s3().list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
        yield from (Listed(entry["Key"], entry["Size"], entry["ETag"].strip('"')) for entry in page.get("Contents", []))
        if not page["IsTruncated"]:
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}
