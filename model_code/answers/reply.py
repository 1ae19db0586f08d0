"""What is sent back for one request: a reply, or the refusal of the request as a whole."""

from typing import NamedTuple

JSON = "application/json"


class Reply(NamedTuple):
    """`rows`, `refused` (rows) and the `error`'s code are for the log; `more`: further headers, each ended by CRLF."""

    body: bytes
    content_type: str = JSON
    rows: int = 0
    refused: int = 0
    status: int = 200
    more: bytes = b""
    error: str = ""


class RequestRefused(Exception):
    """A request as a whole cannot be answered: `status`, `code` and `more` headers as HTTP has them."""

    def __init__(self, status: int, code: str, message: str, *, more: bytes = b""):
        self.status, self.code, self.more = status, code, more
        super().__init__(message)
