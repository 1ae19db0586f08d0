"""What is answered at which path: SageMaker's hosting contract and the Open Inference Protocol, over one artefact.

Knows requests and answers, not connections: `connection.py` brings the ones and writes the others.
"""

import json
from functools import lru_cache, partial
from urllib.parse import unquote_to_bytes

from model_code.answers.answering import responder
from model_code.answers.reply import Reply, RequestRefused
from model_code.artefact.folder import Artefact
from model_code.http import open_inference
from model_code.http.connection import LARGEST_BODY
from model_code.http.request_log import log

ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes: %b\r\n"  # they go back to the caller as they came
READY = Reply(b"", "text/plain")
INVOCATIONS = b"/invocations"
EXECUTION_PARAMETERS = {  # what Batch Transform asks before it sends the first record
    "BatchStrategy": "MULTI_RECORD",
    "MaxConcurrentTransforms": 2,
    "MaxPayloadInMB": LARGEST_BODY >> 20,
}


class Service:
    """`name` is what the model is called in the Open Inference Protocol."""

    def __init__(self, artefact: Artefact, *, name: str):
        self.artefact, self.name = artefact, name
        self.handler_of = lru_cache(maxsize=128)(self.find_handler)  # clients send the same few headers all the time
        self.routes = {
            INVOCATIONS: (b"POST", None),  # by its headers
            b"/ping": (b"GET", lambda body: READY),
            b"/execution-parameters": (b"GET", lambda body: as_json(EXECUTION_PARAMETERS)),
            b"/v2": (b"GET", lambda body: as_json(open_inference.about_server())),
            b"/v2/health/live": (b"GET", lambda body: as_json({"live": True})),
            b"/v2/health/ready": (b"GET", lambda body: as_json({"ready": True})),
        }
        for model in (f"/v2/models/{name}", f"/v2/models/{name}/versions/{artefact.sha256}"):
            self.routes |= {
                model.encode(): (b"GET", lambda body: as_json(open_inference.about_model(artefact, name))),
                f"{model}/ready".encode(): (b"GET", lambda body: as_json({"name": name, "ready": True})),
                f"{model}/infer".encode(): (b"POST", self.infer),
            }

    def answer(self, request) -> Reply:
        try:
            handler = self.handler_of(
                request.path, request.method, request.content_type, request.accept, request.json_bytes
            )
            reply = handler(request.body)
        except RequestRefused as error:
            return refusal(request.path, error)
        except Exception as error:  # noqa: BLE001 - the edge: a client gets an answer, and the log the kind of error
            log(event="failed", error=type(error).__name__)
            return refusal(request.path, RequestRefused(500, "internal_error", "the model failed on this request"))
        return reply._replace(more=reply.more + ATTRIBUTES % request.attributes) if request.attributes else reply

    def find_handler(
        self, path: bytes, method: bytes, content_type: bytes | None, accept: bytes | None, json_bytes: bytes | None
    ):
        """What answers the body of such a request."""
        path = path_of(path)
        if path not in self.routes:
            known = ", ".join(shown(path) for path in self.routes if b"/versions/" not in path)
            raise RequestRefused(404, "not_found", f"{shown(path)} is not here; paths: {known}")
        allowed, handler = self.routes[path]
        if method != allowed and (method, allowed) != (b"HEAD", b"GET"):
            message = f"{shown(method)} {shown(path)}: use {shown(allowed)}"
            raise RequestRefused(405, "method_not_allowed", message, more=b"allow: %b\r\n" % allowed)
        if path == INVOCATIONS:
            return responder(self.artefact, text(content_type), text(accept))
        return partial(handler, json_bytes=json_bytes) if handler == self.infer else handler

    def infer(self, body: bytes, json_bytes: bytes | None) -> Reply:
        if json_bytes is not None and not (json_bytes.isdigit() and int(json_bytes) <= len(body)):
            message = f"Inference-Header-Content-Length is {shown(json_bytes)}, of a body of {len(body)} bytes"
            raise RequestRefused(400, "bad_request", message)
        return open_inference.infer(self.artefact, self.name, body, json_bytes and int(json_bytes))


def refusal(path: bytes, error: RequestRefused) -> Reply:
    """The Open Inference Protocol has its description where all others have the code."""
    if path_of(path).startswith(b"/v2"):
        document = {"error": str(error)}
    else:
        document = {"error": error.code, "message": str(error)}
    return as_json(document)._replace(status=error.status, more=error.more, error=error.code)


def as_json(document: dict) -> Reply:
    return Reply(json.dumps(document, separators=(",", ":")).encode())  # ASCII: what was sent may be no UTF-8


def path_of(target: bytes) -> bytes:
    """A proxy may send the whole address, and a client escapes the name of a model."""
    if target.startswith((b"http://", b"https://")):
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    return unquote_to_bytes(target.partition(b"?")[0])


def text(header: bytes | None) -> str:
    return header.decode("latin-1") if header else ""


def shown(part: bytes) -> str:
    return part.decode("latin-1")[:200]
