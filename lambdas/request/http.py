"""HTTP at the edge: parse a request once, and give every refusal one shape: {"error", "message"}."""

import base64
import functools
import json
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from domain.request.limits import LARGEST_BODY_BYTES

LOG = logging.getLogger("fairway")
JSON = {"content-type": "application/json"}
Response = dict[str, Any]  # statusCode, headers, body, as API Gateway reads them
Handler = Callable[[dict[str, Any], object], Response]


class Refused(Exception):
    """Refuse a request: its status, its code, and every problem in a form for programs."""

    status, code = 400, "bad_request"

    def __init__(self, message: str, problems: list[dict[str, Any]] | None = None):
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
    """HTTP API event (payload format 2.0), with the parts that handlers read. Header names are in lower case."""

    route: str
    path: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    # who signed it: a user, a role regardless of its session, or a JWT's subject; empty without authorization
    caller: str

    def json(self) -> Any:
        """Read the body as JSON. Refuses bodies that are too large, and NaN and Infinity, which are not JSON."""
        if len(self.body) > LARGEST_BODY_BYTES:
            most = f"must be at most {LARGEST_BODY_BYTES:,}; send fewer rows"
            raise TooLarge(f"the body has {len(self.body):,} bytes; {most}")
        try:
            return json.loads(self.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the body is not JSON: {type(error).__name__} {str(error)[:120]}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def shortened(value: object) -> bool | int | float | str | None:
    """Shorten a value of the request for an error message."""
    if value is None or (isinstance(value, (bool, int, float)) and abs(value) < 1e18):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 100 else text[:100] + "..."


def _request_of(event: dict[str, Any]) -> Request:
    body = event.get("body") or ""
    return Request(
        route=event["routeKey"],
        path=event.get("pathParameters") or {},
        query=event.get("queryStringParameters") or {},
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass"),
        caller=_caller_of((event.get("requestContext") or {}).get("authorizer") or {}),
    )


def _caller_of(authorizer: dict[str, Any]) -> str:
    arn = (authorizer.get("iam") or {}).get("userArn") or ""
    if ":assumed-role/" in arn:
        return str(arn.rpartition("/")[0])  # a retry may come from another session of the same role
    return str(arn or ((authorizer.get("jwt") or {}).get("claims") or {}).get("sub") or "")


def http_function(function: Callable[[Request], object]) -> Handler:
    """Wrap a handler: Request in, JSON out. A refusal becomes its status; any other error is logged and becomes 500."""

    @functools.wraps(function)
    def handler(event: dict[str, Any], context: object) -> Response:
        try:
            return _reply(200, function(_request_of(event)))
        except Refused as refused:
            problems = {} if refused.problems is None else {"problems": refused.problems}
            return _reply(refused.status, {"error": refused.code, "message": str(refused), **problems})
        except Exception:
            LOG.exception("request %s failed", getattr(context, "aws_request_id", "?"))
            message = "an internal error; nothing was answered, trying again is safe"
            return _reply(500, {"error": "internal", "message": message})

    return handler


def _reply(status: int, document: object) -> Response:
    return {"statusCode": status, "headers": JSON, "body": json.dumps(document, allow_nan=False)}
