"""serve: the SageMaker hosting contract (GET /ping, POST /invocations) over one verified artefact.

It listens only after the golden rows were answered as in training. Too many requests at once get 429, SIGTERM lets
those under way finish. Logs say how a request went and never what was in it.
"""

import asyncio
import json
import os
import sys
import time

import uvicorn

from model_code import paths
from model_code.answering import RequestRefused, prove_golden, respond
from model_code.artefact import Artefact, open_artefact

LARGEST_BODY = 6 * 1024 * 1024  # what SageMaker lets through
INLINE_BODY = 64 * 1024  # a larger one is scored off the event loop, so that /ping is answered meanwhile
MOST_AT_ONCE = 64
DRAIN_SECONDS = 25  # SageMaker kills 30 s after SIGTERM


def main() -> None:
    started = time.perf_counter()
    artefact = open_artefact(paths.model())
    golden = prove_golden(artefact)
    settings = server_settings(artefact)
    socket = settings.bind_socket()
    give_up_root()
    log(
        event="ready",
        golden_rows=golden,
        engine=artefact.scorer.engine,
        artefact_sha256=artefact.sha256,
        ms=elapsed(started),
    )
    uvicorn.Server(settings).run(sockets=[socket])


def server_settings(artefact: Artefact) -> uvicorn.Config:
    """Loaded already: later there may be no right to read what it imports."""
    settings = uvicorn.Config(
        Application(artefact, most_at_once=int(os.environ.get("MAX_CONCURRENT_REQUESTS", MOST_AT_ONCE))),
        host=os.environ.get("BIND_HOST", "0.0.0.0"),
        port=int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    settings.load()
    settings.get_loop_factory()
    return settings


def give_up_root() -> None:
    """SageMaker starts every container as root; scoring needs none of it. SERVE_AS_UID is set in the image."""
    uid = int(os.environ.get("SERVE_AS_UID", "0"))
    if uid and os.getuid() == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)


class Application:
    """The ASGI application: one artefact and the number of requests under way."""

    def __init__(self, artefact: Artefact, *, most_at_once: int = MOST_AT_ONCE):
        self.artefact, self.most_at_once, self.under_way = artefact, most_at_once, 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        started, method, path = time.perf_counter(), scope["method"], scope["path"]
        try:
            allowed = ROUTES.get(path)
            if allowed is None:
                raise RequestRefused(404, "not_found", f"{path} is not here; GET /ping or POST /invocations")
            if method != allowed:
                raise RequestRefused(405, "method_not_allowed", f"{method} {path}: use {allowed}")
            if path == "/ping":
                return await reply(send, 200, b"", "text/plain")
            answered = await self.invoke(scope, receive)
            await reply(send, 200, answered.body, answered.content_type)
            log(event="invocation", status=200, rows=answered.rows, refused=answered.refused, ms=elapsed(started))
        except RequestRefused as error:
            await reply_error(send, error.status, error.code, str(error))
            log(event="invocation", status=error.status, error=error.code, ms=elapsed(started))
        except (
            Exception
        ) as error:  # the edge: whatever the model does, a client gets an answer and the log the kind of it
            await reply_error(send, 500, "internal_error", "the model failed on this request")
            log(event="invocation", status=500, error=type(error).__name__, ms=elapsed(started))

    async def invoke(self, scope, receive):
        if self.under_way >= self.most_at_once:
            raise RequestRefused(
                429, "too_many_requests", f"{self.most_at_once} requests are under way; try again shortly"
            )
        self.under_way += 1
        try:
            headers = dict(scope["headers"])
            body = await read_body(receive, int(headers.get(b"content-length", b"0") or 0))
            kinds = headers.get(b"content-type", b"").decode("latin-1"), headers.get(b"accept", b"").decode("latin-1")
            if len(body) <= INLINE_BODY:
                return respond(self.artefact, body, *kinds)
            return await asyncio.to_thread(respond, self.artefact, body, *kinds)
        finally:
            self.under_way -= 1


ROUTES = {"/ping": "GET", "/invocations": "POST"}


async def read_body(receive, announced: int) -> bytes:
    if announced > LARGEST_BODY:
        raise too_large(announced)
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestRefused(400, "disconnected", "the client went away before its request was whole")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            raise too_large(size)
        if not message.get("more_body"):
            return b"".join(parts)


def too_large(size: int) -> RequestRefused:
    return RequestRefused(
        413, "too_large", f"a body of {size:,} bytes; at most {LARGEST_BODY:,}, send fewer rows at once"
    )


async def reply(send, status: int, body: bytes, content_type: str, *more: tuple) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def reply_error(send, status: int, code: str, message: str) -> None:
    body = json.dumps({"error": code, "message": message}).encode()
    retry = [(b"retry-after", b"1")] if status == 429 else []
    await reply(send, status, body, "application/json", *retry)


def elapsed(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


def log(**fields) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
