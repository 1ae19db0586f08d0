"""Requests of several clients at once, signed as an application signs them: each reply with its headers."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.profile import root_key

REGION = "us-east-1"
GIVES_UP_S = 30


class Reply(NamedTuple):
    """What a client got; status 0 if the connection broke."""

    status: int
    body: Any
    headers: dict[str, str]  # by small letters
    at: float  # of time.monotonic(), when it was there


Ask = Callable[[dict[str, Any]], Reply]


def asker(api_url: str, state: Path) -> Ask:
    """Return what asks the local AWS with this state folder for the prediction of a row, as its root user."""
    url, key = f"{api_url.rstrip('/')}/predictions", Credentials(*root_key(state))

    def ask(row: dict[str, Any]) -> Reply:
        body = json.dumps(row).encode()
        call = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
        SigV4Auth(key, "execute-api", REGION).add_auth(call)
        return _sent(urllib.request.Request(url, body, dict(call.headers)))

    return ask


def _sent(call: urllib.request.Request) -> Reply:
    try:
        with urllib.request.urlopen(call, timeout=GIVES_UP_S) as reply:
            return Reply(reply.status, json.load(reply), _small(reply.headers), time.monotonic())
    except urllib.error.HTTPError as error:
        return Reply(error.code, json.loads(error.read() or b"null"), _small(error.headers), time.monotonic())
    except (OSError, ValueError):  # the server is gone, or was while it answered
        return Reply(0, None, {}, time.monotonic())


def _small(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def at_once(ask: Ask, rows: list[dict[str, Any]], *, clients: int) -> list[Reply]:
    """Ask for every row, `clients` of them at a time."""
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(ask, rows))


@contextmanager
def steadily(ask: Ask, rows: list[dict[str, Any]], *, clients: int) -> Iterator[list[Reply]]:
    """Let clients ask one after the other for as long as the context lasts; what they got is complete behind it."""
    replies: list[Reply] = []
    ending = Event()

    def go_on(row: dict[str, Any]) -> None:
        while not ending.is_set():
            replies.append(ask(row))

    with ThreadPoolExecutor(clients) as pool:
        under_way = [pool.submit(go_on, rows[number % len(rows)]) for number in range(clients)]
        try:
            yield replies
        finally:
            ending.set()
    for client in under_way:
        client.result()
