"""The few AWS calls that a customer waits for, without botocore: signed, sent again when that may help, errors by name.

Two protocols are spoken: DynamoDB's JSON, and the REST of InvokeEndpoint and Invoke. Everything else goes through
botocore (lambdas/aws/clients.py).
"""

import base64
import json
import random
import time
import zlib
from datetime import UTC, datetime

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
LONGEST_CALL_S = 6.0  # after it no other try begins: a customer who waits hears of it before the function's time is up


class ServiceError(Exception):
    """AWS refused a call or failed at it: its own code and words, and what else it said."""

    def __init__(self, call: str, code: str, message: str, *, status: int, more: dict | None = None):
        super().__init__(f"{call}: {code} ({status}) {message}")
        self.code, self.status, self.more = code, status, more or {}

    @property
    def passes(self) -> bool:
        """Whether the same call may do better a little later."""
        return self.status >= 500 or self.code in BUSY


class Service:
    """One service of one region, by the function's own credentials. Threads may share it."""

    def __init__(
        self,
        name: str,
        connections: Connections,
        credentials: sigv4.Credentials,
        *,
        region: str,
        tries: int,
        longest_s: float = LONGEST_CALL_S,
        sleep=time.sleep,
    ):
        self.name, self.connections, self.credentials, self.region = name, connections, credentials, region
        self.tries, self.longest_s, self.sleep = tries, longest_s, sleep

    def send(self, call: str, path: str, headers: dict[str, str], body: bytes):
        """What `read` makes of the reply; tried again, ever later, where waiting may help. Every try is signed anew."""
        ends = time.monotonic() + self.longest_s
        for attempt in range(1, self.tries):
            try:
                return self.read(call, self.exchange(path, headers, body))
            except (ServiceError, Unreachable) as error:
                if time.monotonic() >= ends or (isinstance(error, ServiceError) and not error.passes):
                    raise
            self.sleep(random.uniform(0, min(LONGEST_PAUSE_S, 0.05 * 2**attempt)))
        return self.read(call, self.exchange(path, headers, body))

    def exchange(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        headers = sigv4.signed(
            {**headers, "host": self.connections.host},
            body,
            path=path,
            credentials=self.credentials,
            service=self.name,
            region=self.region,
            at=datetime.now(UTC),
        )
        return self.connections.post(path, headers, body)


class DynamoDB(Service):
    """DynamoDB's JSON: `call("GetItem", TableName=..., Key=...)`, items in its low-level notation, binary as bytes."""

    def call(self, operation: str, **arguments) -> dict:
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"DynamoDB_20120810.{operation}"}
        return self.send(operation, "/", headers, json.dumps(arguments, default=as_text).encode())

    def read(self, call: str, reply: Reply) -> dict:
        """A reply that was damaged on its way counts as one that did not come."""
        checksum = reply.headers.get("x-amz-crc32")
        if checksum is not None and int(checksum) != zlib.crc32(reply.body):
            raise Unreachable(f"{self.connections.host}: the reply to {call} has another checksum than it announced")
        document = parsed(reply.body, object_hook=with_bytes)
        if reply.status >= 300:
            raise service_error(f"{self.name} {call}", reply, document or {}, (document or {}).get("__type"))
        if document is None:
            raise Unreachable(f"{self.connections.host}: the reply to {call} is not JSON: {reply.body[:100]!r}")
        return document


class Rest(Service):
    """InvokeEndpoint and Invoke: a body to a path, and the body of the reply."""

    def post(self, call: str, path: str, body: bytes, **headers: str) -> bytes:
        return self.send(call, path, {"content-type": "application/json", **headers}, body)

    def read(self, call: str, reply: Reply) -> bytes:
        if reply.status >= 300:
            raise service_error(
                f"{self.name} {call}", reply, parsed(reply.body) or {}, reply.headers.get("x-amzn-errortype")
            )
        return reply.body


def as_text(value) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} {value!r} is nothing that DynamoDB takes")


def with_bytes(document: dict) -> dict:
    """Binary attributes as bytes; {"B": text} is one wherever it stands, as an item's own attributes are objects."""
    return (
        {"B": base64.b64decode(document["B"])}
        if isinstance(document.get("B"), str) and len(document) == 1
        else document
    )


def parsed(body: bytes, **how) -> dict | None:
    try:
        document = json.loads(body, **how)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def service_error(call: str, reply: Reply, document: dict, named: str | None) -> ServiceError:
    """A code comes as Code, prefix#Code or Code:where-it-is-described; a proxy in between names none."""
    code = (named or f"Http{reply.status}").rpartition("#")[2].partition(":")[0]
    message = document.get("message") or document.get("Message") or ""
    return ServiceError(call, code, str(message)[:500], status=reply.status, more=document)
