"""The root user's key of a local AWS, and the profile with which the AWS CLI and SDKs find key and address."""

import configparser
import io
import secrets
from pathlib import Path
from typing import NamedTuple

from local.state import LocalError
from local.user import write_private

PROFILE = "fairway-local"
ACCOUNT = "000000000000"  # also the root user's access key id
REGION = "us-east-1"


class RootKey(NamedTuple):
    access_key: str
    secret_key: str


def make_root_key(state: Path) -> None:
    """Make a random secret in a file that only the owner can read: its reader is the root user of this local AWS."""
    folder = state / "aws"
    folder.mkdir(exist_ok=True, mode=0o700)
    values = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": secrets.token_urlsafe(30)}
    write_private(folder / "credentials", _ini(PROFILE, values))


def root_key(state: Path) -> RootKey:
    """Return the root key. Raises LocalError for a folder without one."""
    parser = configparser.RawConfigParser()
    parser.read(state / "aws" / "credentials")
    try:
        return RootKey(parser[PROFILE]["aws_access_key_id"], parser[PROFILE]["aws_secret_access_key"])
    except KeyError:
        raise LocalError(
            f"{state / 'aws' / 'credentials'} holds no key of {PROFILE}; start it with `fairway up`"
        ) from None


def write_config(state: Path, endpoint: str) -> None:
    """Write region and address for the AWS CLI and SDKs; at every start, since the port may change."""
    values = {"region": REGION, "endpoint_url": endpoint, "disable_host_prefix_injection": "true", "output": "json"}
    write_private(state / "aws" / "config", _ini(f"profile {PROFILE}", values))


def variables(state: Path) -> dict[str, str]:
    """Return the variables with which the AWS CLI, an SDK or a tool calls this local AWS as root; none is secret."""
    folder = state.absolute() / "aws"
    return {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_PROFILE": PROFILE,
    }


def _ini(section: str, values: dict[str, str]) -> str:
    parser = configparser.RawConfigParser()
    parser[section] = values
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
