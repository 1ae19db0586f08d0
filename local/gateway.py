"""The front of the local AWS: authentication, our own addresses, and everything else to MiniStack."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.iam_evaluator import AuthError

from local import visitors
from local.asgi import App, Message, Receive, Scope, Send
from local.journal import Written
from local.ministack import autoscaling, cloudformation, http_api, signatures

CLOSED = ("/_ministack/reset", "/_ministack/config")  # they wipe the state, even as root
CALLBACKS = ("/_ministack/cfn-response/", "/_ministack/cfn-signal/")  # an address with a random token, presigned on AWS
READ_BEFORE_A_REFUSAL = 1 << 20  # bytes: a client that is still sending would not see the answer
POLICY_VIOLATION = 1008  # of a WebSocket; before it is accepted the client sees 403


class Gateway:
    """An ASGI app. `ready` is called once the services are up; `written` says whether the disk accepts writes."""

    def __init__(self, aws: App, *, ready: Callable[[], None], written: Callable[[], Written], state: str, port: int):
        self.aws, self.ready, self.written, self.state, self.port = aws, ready, written, state, port
        self.failure: Exception | None = None  # why the services did not start
        self.pages = {"/_fairway/health": self.health, "/_fairway/declared": self.declared}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.live(scope, receive, send)
        problem = visitors.refusal(scope, self.port)
        if problem:
            return await refuse(scope, receive, send, problem)
        if scope["type"] == "websocket":
            return await self.shake_hands(scope, receive, send)
        await self.answer(scope, receive, visitors.without_cors(send))

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = self.pages.get(scope["path"])
        if page is not None:
            return await reply(send, 200, page())
        if scope["path"] in CLOSED:
            closed = f"{scope['path']} is closed; stop the local AWS and remove its state folder"
            return await reply(send, 403, {"message": closed})
        accepted = receive if is_open(scope) else await self.authenticate(scope, receive, send)
        if accepted is not None:
            await self.aws(scope, accepted, send)

    async def authenticate(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """Return a `receive` with the body read for the check; None for a request that was refused and answered."""
        request = signatures.sent(scope)
        signed = signatures.read(request)
        failure = signed if isinstance(signed, AuthError) else None
        body = await _read_body(receive, most=READ_BEFORE_A_REFUSAL if failure else None)
        if body is None:
            return None
        failure = failure or signatures.mismatch(signed, body)
        if failure is None:
            return replayed(body, receive)
        status, headers, told = signatures.refused(request, body, failure)
        await _send_answer(send, status, headers, told)
        return None

    async def shake_hands(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a WebSocket's first request, which is signed in a header or in the query."""
        signed = signatures.read(signatures.sent(scope))
        if isinstance(signed, AuthError) or signatures.mismatch(signed, b""):
            return await refuse(scope, receive, send, "the upgrade is not rightly signed")
        await self.aws(scope, receive, send)

    async def live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start and stop the services; a service that cannot take its saved state prevents the start."""

        async def announce(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self.ready()

        try:
            await self.aws(scope, receive, announce)
        except Exception as error:  # noqa: BLE001 - the edge: logged, and answered as an internal error
            self.failure = error
            await send({"type": "lifespan.startup.failed", "message": str(error)})

    def health(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "state": self.state, **self.written()}

    def declared(self) -> list[dict[str, Any]]:
        """Return what a template or call declares and nothing here simulates: [{stack, logical_id, type}]."""
        return [*cloudformation.declared(), *autoscaling.declared()]


def is_open(scope: Scope) -> bool:
    """Return whether a request needs no signature here: HTTP APIs check their own routes, and callbacks their token."""
    return http_api.owns(scope["path"]) or (scope["method"] == "PUT" and scope["path"].startswith(CALLBACKS))


async def _read_body(receive: Receive, *, most: int | None) -> bytes | None:
    """Return the whole body, or as much of it as is needed; None if the client has gone."""
    chunks, size = [], 0
    while most is None or size < most:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once and then continues."""
    first: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive_again() -> Message:
        return next(first, None) or await receive()

    return receive_again


async def refuse(scope: Scope, receive: Receive, send: Send, problem: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
    await reply(send, 403, {"error": "refused", "message": problem})


async def reply(send: Send, status: int, content: object) -> None:
    await _send_answer(send, status, {"content-type": "application/json"}, json.dumps(content).encode())


async def _send_answer(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*lines, length]})
    await send({"type": "http.response.body", "body": body})
