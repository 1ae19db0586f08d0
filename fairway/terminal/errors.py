"""What stops a command, told in one line: what was asked wrongly, what failed, what goes on without us."""

import errno
import sys
import tempfile

from domain.config.sections import ConfigError
from domain.contract.values import ContractError
from domain.release.routing import RoutingError
from domain.train.windows import WindowError


class FairwayError(Exception):
    """A command cannot go on. `error` is a code for scripts; the message names the thing, the value and the fix."""

    exit_code = 1

    def __init__(self, error: str, message: str):
        self.error, self.message = error, message
        super().__init__(message)


class Refused(FairwayError):
    """Asked wrongly; nothing was done."""

    exit_code = 2


class Failed(FairwayError):
    """Asked rightly, and it did not work."""


class Interrupted(FairwayError):
    """Ctrl-C; the message says what goes on running and how to take it up again."""

    exit_code = 130

    def __init__(self, message: str = "stopped; nothing goes on running"):
        super().__init__("interrupted", message)


NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
ASKED_WRONGLY = {ConfigError: "config", ContractError: "contract", RoutingError: "routing", WindowError: "window"}


def explained(error: Exception) -> FairwayError | None:
    """The error as a command tells it; None for one that nobody foresaw."""
    if isinstance(error, FairwayError):
        return error
    for kind, code in ASKED_WRONGLY.items():
        if isinstance(error, kind):
            return Refused(code, str(error))
    if isinstance(error, OSError) and error.filename:
        return Refused("file", f"{error.filename}: {error.strerror}")
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        where = f"where the project and {tempfile.gettempdir()} lie"
        return Failed("no_room", f"{error.strerror}; make room {where}, then try again")
    if (
        "botocore" in sys.modules
    ):  # else no call to AWS was made, and importing it only for this would cost half a second
        return explained_by_aws(error)
    return None


def explained_by_aws(error: Exception) -> FairwayError | None:
    from botocore import exceptions as aws

    if isinstance(error, aws.ClientError):
        said = error.response["Error"]
        return Failed("aws", f"AWS refused {error.operation_name}: {said.get('Code')}: {said.get('Message')}")
    if isinstance(
        error, (aws.NoCredentialsError, aws.PartialCredentialsError, aws.CredentialRetrievalError, aws.ProfileNotFound)
    ):
        return Failed(
            "credentials", f"no usable AWS credentials: {error}; sign in with `aws configure sso` or set AWS_PROFILE"
        )
    if isinstance(error, (aws.EndpointConnectionError, aws.ConnectionClosedError, aws.HTTPClientError)):
        return Failed("connection", f"{error}; for the local stage `fairway up` starts AWS on this machine")
    return Failed("aws", str(error)) if isinstance(error, aws.BotoCoreError) else None
