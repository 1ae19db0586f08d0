"""What is answered at which path: SageMaker's hosting contract and the Open Inference Protocol, over one artefact.

Knows requests and answers, not connections: `connection.py` brings the ones and writes the others.
"""

import json
from functools import lru_cache

from model_code import open_inference
from model_code.answering import RequestRefused, respond
from model_code.artefact import Artefact
from model_code.connection import LARGEST_BODY
from model_code.reply import Reply
from model_code.request_log import log
from model_code.server import error_reply

ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes: %b\r\n"  # they go back to the caller as they came
READY = Reply(b"", "text/plain")


class Service:
    """`name` is what the model is called in the Open Inference Protocol."""

    def __init__(self, artefact: Artefact, *, name: str):
        self.artefact, self.name = artefact, name
        model = f"/v2/models/{name}"
        self.routes = {
            b"/invocations": (b"POST", self.invoke),
            b"/ping": (b"GET", lambda request: READY),
            b"/execution-parameters": (b"GET", self.execution_parameters),
            b"/v2": (b"GET", lambda request: as_json(open_inference.about_server())),
            b"/v2/health/live": (b"GET", lambda request: as_json({"live": True})),
            b"/v2/health/ready": (b"GET", lambda request: as_json({"ready": True})),
            model.encode(): (b"GET", lambda request: as_json(open_inference.about_model(artefact, name))),
            f"{model}/ready".encode(): (b"GET", lambda request: as_json({"name": name, "ready": True})),
            f"{model}/infer".encode(): (b"POST", self.infer),
        }

    def answer(self, request) -> Reply:
        try:
            path = request.path
            method, handler = self.routes.get(path) or self.routes.get(path.partition(b"?")[0]) or (None, None)
            if handler is None:
                raise RequestRefused(
                    404, "not_found", f"{shown(path)} is not here; paths: {', '.join(map(shown, self.routes))}"
                )
            if request.method != method:
                raise RequestRefused(
                    405, "method_not_allowed", f"{shown(request.method)} {shown(path)}: use {shown(method)}"
                )
            return handler(request)
        except RequestRefused as error:
            return error_reply(error.status, error.code, str(error))
        except (
            Exception
        ) as error:  # the edge: whatever the model does, a client gets an answer and the log the kind of it
            log(event="failed", error=type(error).__name__)
            return error_reply(500, "internal_error", "the model failed on this request")

    def invoke(self, request) -> Reply:
        reply = respond(self.artefact, request.body, text(request.content_type), text(request.accept))
        return reply._replace(more=ATTRIBUTES % request.attributes) if request.attributes else reply

    def infer(self, request) -> Reply:
        document, rows, refused = open_inference.infer(self.artefact, self.name, request.body)
        return as_json(document)._replace(rows=rows, refused=refused)

    def execution_parameters(self, request) -> Reply:
        """What Batch Transform asks before it sends the first record."""
        return as_json(
            {"BatchStrategy": "MULTI_RECORD", "MaxConcurrentTransforms": 2, "MaxPayloadInMB": LARGEST_BODY >> 20}
        )


def as_json(document: dict) -> Reply:
    return Reply(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


@lru_cache(maxsize=128)  # clients send the same few headers all the time
def text(header: bytes | None) -> str:
    return header.decode("latin-1") if header else ""


def shown(part: bytes) -> str:
    return part.decode("latin-1")[:200]
