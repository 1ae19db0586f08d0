"""The CDK's command line with the credentials of the local AWS."""

import contextlib
import os
import secrets
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path

from fairway.deploy import cdk
from local import guard
from local.profile import ACCOUNT, REGION, RootKey
from local.state import PROXIES

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = f"aws://{ACCOUNT}/{REGION}"
TOLD_ON_FAILURE = 12  # lines


class DeployFailed(Exception):
    """cdk ended with an error; the message holds its last words and where the whole output is."""


def environment(endpoint: str, key: RootKey) -> dict[str, str]:
    """This process's environment, without anything that could lead to a real account or to the network."""
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


class Cdk:
    """A run of the CDK in a process group of its own, so that it ends whole, whatever ends it or whoever started it."""

    def __init__(self, arguments: list[str], *, endpoint: str, key: RootKey, folder: Path, log: Path):
        self.arguments, self.log, mark = arguments, log, secrets.token_hex(8)
        self.guard = guard.start(mark)
        self.process = subprocess.Popen(
            cdk.command(*arguments),
            cwd=folder,
            env={**environment(endpoint, key), guard.MARK: mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def finish(self, progress: Callable[[str], None] = lambda line: None) -> None:
        """Wait for the end, telling what was done on the way; raises DeployFailed."""
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
            raise DeployFailed(f"cdk {self.arguments[0]} failed (all of it in {self.log}):\n" + "\n".join(last))

    def end(self) -> None:
        """End what still runs of it, above all the Node process behind the CDK app."""
        with contextlib.suppress(ProcessLookupError):  # it ended whole by itself
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.guard.communicate()  # closes its pipe: it ends what has left the group, and itself
