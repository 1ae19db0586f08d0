"""The engine of one account and region: its state, what runs, and what it needs of the AWS around it."""

import json
import logging
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import boto3

from local.sagemaker.container import Container, send
from local.sagemaker.errors import invalid
from local.sagemaker.images import Image, find_image
from local.sagemaker.kinds import KINDS
from local.sagemaker.s3_io import CLIENT_CONFIG
from local.sagemaker.store import Store

log = logging.getLogger("sagemaker")
_making_clients = threading.Lock()  # boto3's default session is not safe to make clients on in threads


@dataclass(frozen=True)
class Cloud:
    """The rest of AWS as the engine sees it."""

    account: str
    region: str
    endpoint_url: str
    credentials: Callable[[str, str], dict[str, str]]  # role ARN, session name -> AWS_* of a session of that role
    role_problem: Callable[[str], str | None]  # why SageMaker may not assume this role, if it may not
    emit: Callable[[str, dict, list[str]], None]  # detail type, detail, resource ARNs -> EventBridge
    metric: Callable[[str, str, float, str, dict], None]  # namespace, name, value, unit, dimensions -> CloudWatch
    manifest: Callable[[str], str | None] = lambda uri: None  # the media type that ECR has of an image, if it has it


@dataclass
class Engine:
    """`jobs` are the stop requests of running jobs by ARN; `fleets` the servers of endpoints by name."""

    cloud: Cloud
    work: Path
    images: Path
    python: str
    store: Store = field(default_factory=Store)
    jobs: dict[str, threading.Event] = field(default_factory=dict)
    fleets: dict = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def image(self, uri: str) -> Image:
        return find_image(uri, images=self.images, python=self.python)

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self.cloud.region}:{self.cloud.account}:{KINDS[kind].resource}/{name}"

    def client(self, service: str, role_arn: str, session: str):
        """Return a client with the role, so that IAM applies to jobs."""
        credentials = self.cloud.credentials(role_arn, session)
        with _making_clients:
            return boto3.client(
                service,
                endpoint_url=self.cloud.endpoint_url,
                region_name=self.cloud.region,
                config=CLIENT_CONFIG,
                aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=credentials.get("AWS_SESSION_TOKEN") or None,
            )

    def aws_environment(self, role_arn: str, session: str) -> dict[str, str]:
        """Return what a container needs to call AWS with its role."""
        return {
            **{name: value for name, value in self.cloud.credentials(role_arn, session).items() if value},
            "AWS_REGION": self.cloud.region,
            "AWS_DEFAULT_REGION": self.cloud.region,
            "AWS_ENDPOINT_URL": self.cloud.endpoint_url,
        }

    def check_role(self, role_arn: str) -> None:
        problem = self.cloud.role_problem(role_arn)
        if problem:
            raise invalid(
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                f"'sagemaker.amazonaws.com' to assume the role. ({problem})"
            )

    def workspace(self, *parts: str) -> Path:
        """Make a new, empty folder."""
        folder = self.work.joinpath(*parts)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def remember(self, container: Container) -> None:
        """Record a process group, so that a later start can end what this one could not."""
        folder = self.work / "running"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(container.process.pid)).touch()

    def forget(self, container: Container) -> None:
        (self.work / "running" / str(container.process.pid)).unlink(missing_ok=True)


def sweep(work: Path) -> None:
    """End the containers of an engine that died, and remove their folders.

    The keeper's life line normally leaves nothing to do; this is for machines where it could not.
    """
    for note in (work / "running").glob("*"):
        group = int(note.name)
        if "keeper.py" in _command_of(group):  # the number may belong to another program by now
            log.warning("ending container %s of an earlier run", group)
            send(group, signal.SIGKILL)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)


def _command_of(process: int) -> str:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, PermissionError):
        return ""
    return subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(process)], capture_output=True, text=True, check=False
    ).stdout


def write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, default=str))
