"""S3 in plain values: JSON documents in and out, and listings; keys are made by domain/lake.py."""

import contextlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from lambdas.aws import clients
from lambdas.aws.connections import Unreachable


def read_json(bucket: str, key: str):
    """The document, or None where there is none."""
    try:
        return json.loads(clients.s3().get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise


def read_each(bucket: str, keys: Iterable[str]) -> list:
    """The documents of many keys, in their order, as many at a time as botocore has connections for."""
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(lambda key: read_json(bucket, key), keys))


def write_json(bucket: str, key: str, document) -> None:
    """Sorted keys: the same document is the same object, whoever writes it again."""
    body = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False).encode()
    clients.s3().put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def read_range(bucket: str, key: str, span: str) -> bytes:
    """A part of an object; `span` is HTTP's notation: 0-65535, or -8 for the last eight bytes."""
    return clients.s3().get_object(Bucket=bucket, Key=key, Range=f"bytes={span}")["Body"].read()


@contextlib.contextmanager
def stream(bucket: str, key: str):
    """The object's bytes as they come; a context that ends the connection. Unreachable where that broke: the object may
    be fine, and whoever called tries again.
    """
    with contextlib.closing(clients.s3().get_object(Bucket=bucket, Key=key)["Body"]) as body:
        try:
            yield body
        except (HTTPClientError, IncompleteReadError) as error:
            raise Unreachable(f"s3://{bucket}/{key}: {type(error).__name__} {error}") from error


def listing(bucket: str, prefix: str):
    """(key, size in bytes) of every object under the prefix, in key order, page by page."""
    more = {}
    while True:
        page = clients.s3().list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
        yield from ((found["Key"], found["Size"]) for found in page.get("Contents", []))
        if not page["IsTruncated"]:
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}
