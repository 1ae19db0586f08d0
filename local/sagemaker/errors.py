"""Errors of the service, in SageMaker's words."""

from typing import Any


class SageMakerError(Exception):
    """An API error: `code` as botocore names it, the message, and the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400, **members):
        super().__init__(message)
        self.code, self.message, self.status, self.members = code, message, status, members


class JobFailed(Exception):
    """Report that a job cannot continue; the text becomes its FailureReason."""


def invalid(message: str) -> SageMakerError:
    return SageMakerError("ValidationException", message)


def not_simulated(what: str, instead: str) -> SageMakerError:
    """Refuse what the real service offers and this one does not; it is never ignored."""
    return invalid(f"{what} is not simulated by the local SageMaker. {instead}")


def refuse(request: dict, paths: tuple[str, ...], operation: str) -> None:
    """Refuse members (`Member` or `Outer.Member`) that would otherwise be accepted without effect."""
    for path in paths:
        value: Any = request
        for member in path.split("."):
            value = value.get(member) if isinstance(value, dict) else None
        if value:
            raise not_simulated(f"{path} of {operation}", "Leave it out here, or keep it for stages on real AWS.")
