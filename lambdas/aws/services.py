"""The few AWS calls that a customer waits for, without botocore: signed, retried when that may help, errors by name.

Three protocols are implemented: the JSON of DynamoDB and KMS, the REST of InvokeEndpoint and Invoke, and S3's GET.
Everything else uses botocore (lambdas/aws/clients.py).
"""

import base64
import hashlib
import json
import random
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

from lambdas.aws import sigv4
from lambdas.aws.connections import Connections, Reply, Unreachable

BUSY = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "TransactionInProgressException",
    "LimitExceededException",
}
LONGEST_PAUSE_S = 5.0
# no attempt begins after this, so that a waiting customer gets an error before the function times out
LONGEST_CALL_S = 6.0
Result = TypeVar("Result")


class ServiceError(Exception):
    """Report that AWS refused a call or failed: code and message, and in `more` the whole document of its reply."""

    def __init__(self, call: str, code: str, message: str, *, status: int, more: dict[str, Any] | None = None):
        super().__init__(f"{call}: {code} ({status}) {message}")
        self.code, self.status, self.more = code, status, more or {}

    @property
    def passes(self) -> bool:
        """Return whether the same call may succeed a little later."""
        return self.status >= 500 or self.code in BUSY


class Service:
    """One service of one region, called with the function's own credentials. Thread-safe."""

    def __init__(
        self,
        name: str,
        connections: Connections,
        credentials: sigv4.Credentials,
        *,
        region: str,
        tries: int,
        longest_s: float = LONGEST_CALL_S,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.name, self.connections, self.credentials, self.region = name, connections, credentials, region
        self.tries, self.longest_s, self.sleep = tries, longest_s, sleep

    def _send(
        self,
        call: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        read: Callable[[str, Reply], Result],
        method: str = "POST",
    ) -> Result:
        """Return the result of `read`; retry with growing pauses if that may help. Every attempt is signed anew."""
        ends = time.monotonic() + self.longest_s
        for attempt in range(1, self.tries):
            try:
                return read(call, self._exchange(method, path, headers, body))
            except (ServiceError, Unreachable) as error:
                if time.monotonic() >= ends or (isinstance(error, ServiceError) and not error.passes):
                    raise
            self.sleep(random.uniform(0, min(LONGEST_PAUSE_S, 0.05 * 2**attempt)))
        return read(call, self._exchange(method, path, headers, body))

    def _exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        headers = sigv4.signed(
            {**headers, "host": self.connections.host},
            body,
            method=method,
            path=path,
            credentials=self.credentials,
            service=self.name,
            region=self.region,
            at=datetime.now(UTC),
        )
        return self.connections.exchange(method, quote(path, safe=sigv4.UNQUOTED), headers, body)


class Json(Service):
    """AWS's JSON protocols: `call("GetItem", TableName=..., Key=...)`. Bytes are sent as base64."""

    content_type: ClassVar[str]
    api: ClassVar[str]  # prefix of an operation's name

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        headers = {"content-type": self.content_type, "x-amz-target": f"{self.api}.{operation}"}
        return self._send(operation, "/", headers, json.dumps(arguments, default=_as_text).encode(), self._read)

    def _read(self, call: str, reply: Reply) -> dict[str, Any]:
        """Parse a reply; a damaged one counts as not received."""
        checksum = reply.headers.get("x-amz-crc32")
        if checksum is not None and int(checksum) != zlib.crc32(reply.body):
            raise Unreachable(f"{self.connections.host}: the reply to {call} does not match its checksum")
        document = _parsed(reply.body, object_hook=_with_bytes)
        if reply.status >= 300:
            raise _service_error(f"{self.name} {call}", reply, document or {}, (document or {}).get("__type"))
        if document is None:
            raise Unreachable(f"{self.connections.host}: the reply to {call} is not JSON: {reply.body[:100]!r}")
        return document


class DynamoDB(Json):
    """DynamoDB, with items in its low-level notation and binary values as bytes."""

    content_type, api = "application/x-amz-json-1.0", "DynamoDB_20120810"


class Kms(Json):
    """KMS, which signs and verifies; binary values of replies are base64."""

    content_type, api = "application/x-amz-json-1.1", "TrentService"


class S3(Service):
    """S3 objects, read as a whole; `Connections.most_bytes` limits them."""

    def get(self, bucket: str, key: str) -> bytes:
        headers = {"x-amz-content-sha256": hashlib.sha256(b"").hexdigest()}
        return self._send("GetObject", f"/{bucket}/{key}", headers, b"", self._read, method="GET")

    def _read(self, call: str, reply: Reply) -> bytes:
        if reply.status >= 300:  # the document is XML, and says no more than the status
            raise _service_error(f"{self.name} {call}", reply, {}, None)
        return reply.body


class Rest(Service):
    """InvokeEndpoint and Invoke: a body is sent to a path, and the body of the reply is returned."""

    def post(self, call: str, path: str, body: bytes, **headers: str) -> bytes:
        return self._send(call, path, {"content-type": "application/json", **headers}, body, self._read)

    def _read(self, call: str, reply: Reply) -> bytes:
        if reply.status >= 300:
            document, named = _parsed(reply.body) or {}, reply.headers.get("x-amzn-errortype")
            raise _service_error(f"{self.name} {call}", reply, document, named)
        return reply.body


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} {value!r} cannot be sent as JSON")


def _with_bytes(document: dict[str, Any]) -> dict[str, Any]:
    """Decode a binary attribute, {"B": text}; it is one at any depth, since an item's own attributes are objects."""
    return (
        {"B": base64.b64decode(document["B"])}
        if isinstance(document.get("B"), str) and len(document) == 1
        else document
    )


def _parsed(body: bytes, **options: Any) -> dict[str, Any] | None:
    try:
        document = json.loads(body, **options)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _service_error(call: str, reply: Reply, document: dict[str, Any], named: str | None) -> ServiceError:
    """Make the error of a reply. Codes are written as Code, prefix#Code or Code:URL; a proxy in between sends none."""
    code = (named or f"Http{reply.status}").rpartition("#")[2].partition(":")[0]
    message = document.get("message") or document.get("Message") or ""
    return ServiceError(call, code, str(message)[:500], status=reply.status, more=document)
