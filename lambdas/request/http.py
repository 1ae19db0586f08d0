"""HTTP at the edge: a request parsed once, and one shape for every reply that refuses: {"error", "message"}."""

import base64
import functools
import json
import logging
from typing import NamedTuple

LOG = logging.getLogger("fairway")
LARGEST_BODY_BYTES = 1024 * 1024
JSON = {"content-type": "application/json"}


class Refused(Exception):
    """A request that cannot be answered: its status, its code, and for a machine every problem that was found."""

    status, code = 400, "bad_request"

    def __init__(self, message: str, problems: list[dict] | None = None):
        super().__init__(message)
        self.problems = problems


class BadRequest(Refused):
    pass


class NotFound(Refused):
    status, code = 404, "not_found"


class Conflict(Refused):
    status, code = 409, "conflict"


class TooLarge(Refused):
    status, code = 413, "too_large"


class Unavailable(Refused):
    status, code = 503, "unavailable"


class Request(NamedTuple):
    """What a handler needs of an HTTP API event (payload format 2.0). Header names are in lower case."""

    route: str
    path: dict
    query: dict
    headers: dict
    body: bytes

    def json(self):
        """The body's document. Refuses what is too large, and NaN and Infinity, which JSON does not have."""
        if len(self.body) > LARGEST_BODY_BYTES:
            most = f"at most {LARGEST_BODY_BYTES:,} are taken, send fewer rows"
            raise TooLarge(f"the body has {len(self.body):,} bytes; {most}")
        try:
            return json.loads(self.body, parse_constant=refuse_constant)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the body is not JSON: {type(error).__name__} {str(error)[:120]}") from None


def refuse_constant(name: str):
    raise ValueError(f"{name} is not a JSON value")


def shortened(value):
    """What a caller sent, short enough to be sent back."""
    if value is None or (isinstance(value, (bool, int, float)) and abs(value) < 1e18):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 100 else text[:100] + "..."


def request_of(event: dict) -> Request:
    body = event.get("body") or ""
    return Request(
        route=event["routeKey"],
        path=event.get("pathParameters") or {},
        query=event.get("queryStringParameters") or {},
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass"),
    )


def http_function(function):
    """Request in, JSON out. A refusal becomes its status; anything else is logged with its traceback and is 500."""

    @functools.wraps(function)
    def handler(event, context):
        try:
            return reply(200, function(request_of(event)))
        except Refused as refused:
            found = {} if refused.problems is None else {"problems": refused.problems}
            return reply(refused.status, {"error": refused.code, "message": str(refused), **found})
        except Exception:
            LOG.exception("request %s failed", getattr(context, "aws_request_id", "?"))
            message = "this is our fault; nothing was answered, trying again is safe"
            return reply(500, {"error": "internal", "message": message})

    return handler


def reply(status: int, document: dict) -> dict:
    return {"statusCode": status, "headers": JSON, "body": json.dumps(document, allow_nan=False)}
