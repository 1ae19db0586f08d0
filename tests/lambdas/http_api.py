"""What API Gateway's HTTP API sends to a function (payload format 2.0), and what the function gave back."""

import base64
import json


def call(handler, route: str, body=None, **more):
    """(status, document) of one request."""
    return answered(handler(event_of(route, body, **more), None))


def answered(reply: dict):
    assert reply["headers"] == {"content-type": "application/json"}
    return reply["statusCode"], json.loads(reply["body"])


def event_of(
    route: str, body=None, *, headers=None, query=None, path=None, raw: bytes | None = None, authorizer=None
) -> dict:
    method, _, template = route.partition(" ")
    event = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": template.format(**(path or {})),
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "api.example", **(headers or {})},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "abc123",
            "http": {
                "method": method,
                "path": template,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test",
            },
            "requestId": "request-1",
            "routeKey": route,
            "stage": "$default",
            "time": "01/Apr/2013:00:00:00 +0000",
            "timeEpoch": 1364774400000,
        },
        "isBase64Encoded": False,
    }
    if authorizer:
        event["requestContext"]["authorizer"] = authorizer
    if query:
        event["queryStringParameters"] = query
    if path:
        event["pathParameters"] = path
    if raw is not None:
        event |= {"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
    elif body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event
