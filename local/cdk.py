"""The CDK app and the CDK's command line, with the credentials of the local AWS."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from fairway.deploy import cdk
from local import guard
from local.profile import ACCOUNT, REGION, RootKey
from local.state import PROXIES

ROOT = Path(__file__).resolve().parent.parent
COMPILED = ROOT / "build" / "node"  # the command line's code as V8 compiled it, which is a sixth of what it costs
ENVIRONMENT = f"aws://{ACCOUNT}/{REGION}"
TOLD_ON_FAILURE = 12  # lines


class DeployFailed(Exception):
    """Report that a program failed; the message has its last output and where the whole output is."""


def environment(endpoint: str, key: RootKey) -> dict[str, str]:
    """Return this process's environment, without anything that could lead to a real account or to the network."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "CDK_")) and name.lower() not in PROXIES and name != "PYTHONDONTWRITEBYTECODE"
    }  # aws_cdk: 1 s to import, not 4
    return {
        **kept,
        **cdk.environment(),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_VALIDATION": "false",
    }


class Target(NamedTuple):
    """The local AWS that a program works on, and the file for all of its output."""

    endpoint: str
    key: RootKey
    log: Path


class Program:
    """A program in its own process group, so that all of it ends, whatever ends it or its starter."""

    def __init__(self, name: str, command: list[str], *, environment: Mapping[str, str], folder: Path, log: Path):
        self.name, self.log, mark = name, log, secrets.token_hex(8)
        self.guard = guard.start(mark)
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, guard.MARK: mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def finish(self, progress: Callable[[str], None] = lambda line: None) -> None:
        """Wait for the end, reporting progress. Raises DeployFailed."""
        last: deque[str] = deque(maxlen=TOLD_ON_FAILURE)
        told_last: str | None = None
        assert self.process.stdout is not None  # a pipe, see above
        try:
            with open(self.log, "a") as log:
                for line in self.process.stdout:
                    log.write(line)
                    last.extend([line.rstrip()] if line.strip() else [])
                    told = cdk.resources_done(line)
                    if told and told != told_last:
                        progress(told)
                        told_last = told
            code = self.process.wait()
        finally:
            self.end()
        if code:
            raise DeployFailed(f"{self.name} failed (all of it in {self.log}):\n" + "\n".join(last))

    def end(self) -> None:
        """End everything that still runs of it, above all the Node process behind the CDK app."""
        with contextlib.suppress(ProcessLookupError):  # it ended completely by itself
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.guard.communicate()  # closes its pipe: it ends processes that have left the group, and itself


def start_cdk(target: Target, *arguments: str, folder: Path) -> Program:
    """Start the CDK's command line in a folder, whose cdk.json it would use."""
    return Program(
        f"cdk {arguments[0]}",
        cdk.command(*arguments),
        environment={**environment(target.endpoint, target.key), "NODE_COMPILE_CACHE": str(COMPILED)},
        folder=folder,
        log=target.log,
    )


def start_app(target: Target, inputs: Mapping[str, str], *, root: Path = ROOT) -> Program:
    """Start the CDK app, which writes the templates; `inputs` are the variables with its settings."""
    return Program(
        "app.py",
        [sys.executable, "app.py"],
        environment={**environment(target.endpoint, target.key), **inputs},
        folder=root,
        log=target.log,
    )
