"""The two ways in which a request or a command ends badly: it was wrong, or it was right and did not work."""

from collections.abc import Sequence
from typing import Any, TypedDict


class Problem(TypedDict, total=False):
    """One thing wrong with one row, as the API names it; rows count from 0 in the caller's list."""

    row: int
    column: str
    value: Any
    rule: str
    allowed: str
    message: str


class FairwayError(Exception):
    """What went wrong: `error` is a code for programs; the message names the thing, the value and the fix.

    Of a reply also: its HTTP status, every problem that it names, and the id under which the request is in the logs.
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
    """Asked wrongly; nothing was done, and asking the same again is in vain."""


class Failed(FairwayError):
    """Asked rightly, and it did not work."""
