"""Send an answer only when the state it acknowledges is on disk; if the disk does not accept it, send 507 instead.

A function's own reads and writes of items do not wait: it ends with this process, and its caller waits instead. If no
file or entry can have changed, only DynamoDB's items are waited for.
"""

import asyncio
import json
import re
from pathlib import Path

from local import functions
from local.journal import Journal, JournalError
from local.ministack import files, touched
from local.ministack.persistence import Entries

ITEMS = {
    f"DynamoDB_20120810.{action}".encode()
    for action in [
        "PutItem",
        "GetItem",
        "UpdateItem",
        "DeleteItem",
        "Query",
        "Scan",
        "BatchWriteItem",
        "BatchGetItem",
        "TransactWriteItems",
        "TransactGetItems",
        "ExecuteStatement",
        "BatchExecuteStatement",
        "ExecuteTransaction",
    ]
}
TRANSACTION = b"DynamoDB_20120810.TransactWriteItems"  # its token is an entry
CALLS = re.compile(r"/(_aws/execute-api/|endpoints/[^/]+/invocations|[^/]+/functions/[^/]+/invocations)")
MOST_BEHIND = 5000  # partitions that functions may write ahead of the disk
FULL = 507  # Insufficient Storage: botocore does not retry it


class Durable:
    """An ASGI app around MiniStack's."""

    def __init__(self, aws, journal: Journal, entries: Entries, s3_folder: Path):
        self.aws, self.journal, self.entries, self.s3_folder = aws, journal, entries, s3_folder

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return await self.aws(scope, receive, send)
        request = _Request(scope)
        refused = False

        async def send_when_safe(message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                try:
                    await self.settle(request)
                except (JournalError, OSError) as error:
                    refused = True
                    await _refuse(send, request, f"The local AWS could not write what it did to disk: {error}")
            if not refused:
                await send(message)

        await self.aws(scope, receive, send_when_safe)

    async def settle(self, request: "_Request") -> None:
        """Wait until everything behind the answer is on disk."""
        if request.files.failure is not None:
            raise request.files.failure
        if request.files.changed:
            await asyncio.to_thread(files.sync, request.files.changed, self.s3_folder)
        if not request.only_items:
            touched.touch_again(request.touched)
            self.entries.collect()
        elif request.target == TRANSACTION:
            self.entries.collect_one("dynamodb")
        if request.of_function and self.journal.failure is None and not self.journal.behind(MOST_BEHIND):
            self.journal.begin()
        else:
            await self.journal.settled()


class _Request:
    """What decides how long a request's answer waits."""

    def __init__(self, scope):
        headers = dict(scope["headers"])
        self.target = headers.get(b"x-amz-target", b"")
        items = self.target in ITEMS
        self.only_items = items or bool(CALLS.match(scope["path"]))
        self.of_function = items and functions.made(headers.get(b"x-amz-security-token", b"").decode("latin-1"))
        self.is_json = bool(self.target) or self.only_items
        self.files, self.touched = files.note_request(), {} if self.only_items else touched.note_request()


async def _refuse(send, request: _Request, message: str) -> None:
    if request.is_json:
        kind, body = b"application/json", json.dumps({"__type": "InsufficientStorage", "message": message})
    else:
        kind = b"application/xml"
        text = message.replace("&", "&amp;").replace("<", "&lt;")
        body = (
            f"<ErrorResponse><Error><Code>InsufficientStorage</Code><Message>{text}</Message></Error></ErrorResponse>"
        )
    headers = [(b"content-type", kind), (b"content-length", str(len(body.encode())).encode())]
    await send({"type": "http.response.start", "status": FULL, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
