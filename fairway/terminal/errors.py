"""Errors of a command in one line: what was wrong in the call, what failed, what is still running."""

import errno
import sys
import tempfile

from domain.config.sections import ConfigError
from domain.contract.values import ContractError
from domain.release.routing import RoutingError
from domain.train.windows import WindowError
from fairway.client.errors import Failed, FairwayError, Refused


class Interrupted(FairwayError):
    """Report Ctrl-C; the message says what is still running and how to resume."""

    def __init__(self, message: str = "stopped; nothing is left running") -> None:
        super().__init__("interrupted", message)


EXIT_CODES = {Refused: 2, Failed: 1, Interrupted: 130}
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
ASKED_WRONGLY = {ConfigError: "config", ContractError: "contract", RoutingError: "routing", WindowError: "window"}


def explained(error: Exception) -> FairwayError | None:
    """Return the error as a command reports it; None for an unexpected one."""
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
    ):  # otherwise no call to AWS was made, and importing it only for this would take half a second
        return _explained_by_aws(error)
    return None


def _explained_by_aws(error: Exception) -> FairwayError | None:
    from botocore import exceptions as aws  # imported already by whatever failed

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
