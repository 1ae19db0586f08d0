"""The same service for granian's own interface (RSGI): what the server of our own is compared with."""

import os
from pathlib import Path

from model_code.artefact.folder import open_artefact
from model_code.http.request import Request
from model_code.http.service import Service

SERVICE = Service(open_artefact(Path(os.environ["BENCH_MODEL"]) / "model"), name="mixed")


async def app(scope, protocol):
    request = Request(0.0)
    request.path, request.method = scope.path.encode(), scope.method.encode()
    content_type, accept = scope.headers.get("content-type"), scope.headers.get("accept")
    request.content_type, request.accept = content_type and content_type.encode(), accept and accept.encode()
    request.body = await protocol()
    answer = SERVICE.answer(request)
    protocol.response_bytes(answer.status, [("content-type", answer.content_type)], answer.body)
