"""The front of the local AWS: our own few addresses under /_fairway/, everything else to MiniStack."""

import json
import os
from collections.abc import Callable

from local.journal import Written

REFUSED = ("/_ministack/reset", "/_ministack/config")  # any web page could post to them, and wipe the state


class Gateway:
    """An ASGI app. `ready` is called once the services are up; `written` tells whether the disk takes what happens."""

    def __init__(self, aws, *, ready: Callable[[], None], written: Callable[[], Written], state: str):
        self.aws, self.ready, self.written, self.state = aws, ready, written, state
        self.failure = None  # why the services did not start
        self.pages = {"/_fairway/health": self.health, "/_fairway/declared": self.declared}

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.live(scope, receive, send)
        page = self.pages.get(scope["path"])
        if page is not None and scope["type"] == "http":
            return await reply(send, 200, page())
        if scope["path"] in REFUSED:
            closed = f"{scope['path']} is closed; stop the local AWS and remove its state folder"
            return await reply(send, 403, {"message": closed})
        await self.aws(scope, receive, send)

    async def live(self, scope, receive, send) -> None:
        """Start and stop the services; a service that cannot take its saved state refuses the start."""

        async def announce(message):
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self.ready()

        try:
            await self.aws(scope, receive, announce)
        except Exception as error:
            self.failure = error
            await send({"type": "lifespan.startup.failed", "message": str(error)})

    def health(self) -> dict:
        return {"pid": os.getpid(), "state": self.state, **self.written()}

    def declared(self) -> list[dict]:
        """What is declared, in a template or by a call, and nothing here simulates: [{stack, logical_id, type}]."""
        from local.ministack import autoscaling, cloudformation

        return [*cloudformation.declared(), *autoscaling.declared()]


async def reply(send, status: int, content) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
