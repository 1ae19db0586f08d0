"""The two ways in which a request or a command fails: it was wrong, or it was right and did not work."""

from collections.abc import Sequence
from typing import Any, TypedDict


class Problem(TypedDict, total=False):
    """A problem in one row, as the API reports it; rows count from 0 in the caller's list."""

    row: int
    column: str
    value: Any
    rule: str
    allowed: str
    message: str


class FairwayError(Exception):
    """Report what went wrong: `error` is a code for programs; the message names the thing, the value and the fix.

    For a reply also its HTTP status, every problem in it, and the request's id in the logs.
    """

    def __init__(
        self,
        error: str,
        message: str,
        *,
        status: int | None = None,
        problems: Sequence[Problem] = (),
        request_id: str | None = None,
    ) -> None:
        self.error, self.message = error, message
        self.status, self.problems, self.request_id = status, list(problems), request_id
        super().__init__(message)


class Refused(FairwayError):
    """Report a wrong request; nothing was done, and repeating it does not help."""


class Failed(FairwayError):
    """Report a correct request that did not work."""
