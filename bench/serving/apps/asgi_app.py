"""The same service as a raw ASGI application, for uvicorn: what the server of our own is compared with."""

import os
from pathlib import Path

from model_code.artefact.folder import open_artefact
from model_code.http.request import Request
from model_code.http.service import Service

SERVICE = Service(open_artefact(Path(os.environ["BENCH_MODEL"]) / "model"), name="mixed")


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    request = Request(0.0)
    request.path, request.method = scope["raw_path"], scope["method"].encode()
    headers = dict(scope["headers"])
    request.content_type, request.accept = headers.get(b"content-type"), headers.get(b"accept")
    message = await receive()
    request.body = message["body"]
    while message.get("more_body"):
        message = await receive()
        request.body += message["body"]
    answer = SERVICE.answer(request)
    headers = [(b"content-type", answer.content_type.encode()), (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
