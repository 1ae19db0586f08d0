"""The answers of each path: SageMaker's hosting contract and the Open Inference Protocol, over one artefact.

It knows requests and replies, not connections: `connection.py` reads the former and writes the latter.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from model_code.answers.answering import responder
from model_code.answers.reply import Reply, RequestRefused
from model_code.artefact.folder import Artefact
from model_code.http import open_inference
from model_code.http.connection import LARGEST_BODY
from model_code.http.request import Request
from model_code.http.request_log import log

_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes: %b\r\n"  # returned to the caller unchanged
_READY = Reply(b"", "text/plain")
_EXECUTION_PARAMETERS = {  # Batch Transform asks for them before it sends the first record
    "BatchStrategy": "MULTI_RECORD",
    "MaxConcurrentTransforms": 2,
    "MaxPayloadInMB": LARGEST_BODY >> 20,
}


class _Headers(NamedTuple):
    """The headers that decide how a body is read and its answer written."""

    content_type: bytes | None
    accept: bytes | None
    json_bytes: bytes | None


Handler = Callable[[bytes], Reply]  # of a body


class _Route(NamedTuple):
    """A path's method, and the function that makes the handler of requests with given headers."""

    method: bytes
    handler_for: Callable[[_Headers], Handler]


class Service:
    """`name` is the model's name in the Open Inference Protocol."""

    def __init__(self, artefact: Artefact, *, name: str) -> None:
        self.artefact, self.name = artefact, name
        self.handler_of = lru_cache(maxsize=128)(self._find_handler)  # clients repeat the same few headers
        self.routes = {
            b"/invocations": _Route(b"POST", self._invocations),
            b"/ping": _get(lambda: _READY),
            b"/execution-parameters": _get(lambda: _as_json(_EXECUTION_PARAMETERS)),
            b"/v2": _get(lambda: _as_json(open_inference.about_server())),
            b"/v2/health/live": _get(lambda: _as_json({"live": True})),
            b"/v2/health/ready": _get(lambda: _as_json({"ready": True})),
        }
        for model in (f"/v2/models/{name}", f"/v2/models/{name}/versions/{artefact.sha256}"):
            self.routes |= {
                model.encode(): _get(lambda: _as_json(open_inference.about_model(artefact, name))),
                f"{model}/ready".encode(): _get(lambda: _as_json({"name": name, "ready": True})),
                f"{model}/infer".encode(): _Route(b"POST", self._inference),
            }

    def answer(self, request: Request) -> Reply:
        """Return the reply to any request, even if it is refused or the model fails."""
        try:
            handler = self.handler_of(
                request.path, request.method, request.content_type, request.accept, request.json_bytes
            )
            reply = handler(request.body)  # type: ignore[arg-type]  # every handler reads a bytearray as well
        except RequestRefused as error:
            return _refusal(request.path, error)
        except Exception as error:  # noqa: BLE001 - the edge: a client gets an answer, and the log the kind of error
            log(event="failed", error=type(error).__name__)
            return _refusal(request.path, RequestRefused(500, "internal_error", "the model failed on this request"))
        return reply._replace(more=reply.more + _ATTRIBUTES % request.attributes) if request.attributes else reply

    def _find_handler(
        self, target: bytes, method: bytes, content_type: bytes | None, accept: bytes | None, json_bytes: bytes | None
    ) -> Handler:
        """Return the handler of the bodies of such requests, or raise RequestRefused (404, 405, 406, 415)."""
        path = _path_of(target)
        if path not in self.routes:
            known = ", ".join(_shown(path) for path in self.routes if b"/versions/" not in path)
            raise RequestRefused(404, "not_found", f"path {_shown(path)}: must be one of {known}")
        allowed, handler_for = self.routes[path]
        if method != allowed and (method, allowed) != (b"HEAD", b"GET"):
            message = f"{_shown(method)} {_shown(path)}: use {_shown(allowed)}"
            raise RequestRefused(405, "method_not_allowed", message, more=b"allow: %b\r\n" % allowed)
        return handler_for(_Headers(content_type, accept, json_bytes))

    def _invocations(self, headers: _Headers) -> Handler:
        return responder(self.artefact, _text(headers.content_type), _text(headers.accept))

    def _inference(self, headers: _Headers) -> Handler:
        return partial(self._infer, json_bytes=headers.json_bytes)

    def _infer(self, body: bytes, json_bytes: bytes | None) -> Reply:
        if json_bytes is None:
            return open_inference.infer(self.artefact, self.name, body)
        if not json_bytes.isdigit() or int(json_bytes) > len(body):
            allowed = f"must be a whole number up to {len(body)}, the length of the body"
            message = f"header Inference-Header-Content-Length = {_shown(json_bytes)}: {allowed}"
            raise RequestRefused(400, "bad_request", message)
        return open_inference.infer(self.artefact, self.name, body, int(json_bytes))


def _get(reply: Callable[[], Reply]) -> _Route:
    return _Route(b"GET", lambda headers: lambda body: reply())


def _refusal(target: bytes, error: RequestRefused) -> Reply:
    """Return the error's reply; the Open Inference Protocol has the message where other replies have the code."""
    if _path_of(target).startswith(b"/v2"):
        document = {"error": str(error)}
    else:
        document = {"error": error.code, "message": str(error)}
    return _as_json(document)._replace(status=error.status, more=error.more, error=error.code)


def _as_json(document: Mapping[str, object]) -> Reply:
    return Reply(json.dumps(document, separators=(",", ":")).encode())  # ASCII: a client may have sent no UTF-8


def _path_of(target: bytes) -> bytes:
    """Return the path of a request's target; a proxy may send a whole address, and clients escape a model's name."""
    if target.startswith((b"http://", b"https://")):
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    return unquote_to_bytes(target.partition(b"?")[0])


def _text(header: bytes | None) -> str:
    return header.decode("latin-1") if header else ""


def _shown(part: bytes) -> str:
    return part.decode("latin-1")[:200]
