"""What is sent back for one request."""

from typing import NamedTuple

JSON = "application/json"


class Reply(NamedTuple):
    """`rows`, `refused` (rows) and the `error`'s code are for the log; `more` are further headers, each ended by CRLF."""

    body: bytes
    content_type: str = JSON
    rows: int = 0
    refused: int = 0
    status: int = 200
    more: bytes = b""
    error: str = ""
