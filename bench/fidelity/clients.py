"""Clients of the AWS under test, and what a behaviour needs to be told: roles, queues, waiting."""

import functools
import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from bench.fidelity.server import ACCOUNT

SETTINGS = Config(
    retries={"total_max_attempts": 1}, read_timeout=60, s3={"addressing_style": "path"}, inject_host_prefix=False
)


class Aws:
    """Any AWS at an address; nothing here knows whose it is."""

    def __init__(self, endpoint: str):
        self.endpoint, self.mark = endpoint, uuid.uuid4().hex[:8]

    @functools.cache  # noqa: B019 - one of these lives as long as the run
    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="any",
            config=SETTINGS,
        )

    def name(self, word: str) -> str:
        return f"{word}-{self.mark}"

    def role(self, service: str) -> str:
        name = self.name(service)
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        if name not in [role["RoleName"] for role in self.client("iam").list_roles()["Roles"]]:
            self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"

    def queue(self, word: str) -> tuple[str, str]:
        """(its address, its ARN)."""
        url = self.client("sqs").create_queue(QueueName=self.name(word))["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{self.name(word)}"

    def received(self, url: str, within_s: float = 15) -> list[str]:
        messages = until(lambda: self.client("sqs").receive_message(QueueUrl=url).get("Messages"), within_s)
        return [message["Body"] for message in messages or []]

    def run(self, states: dict, document: dict | None = None, within_s: float = 30) -> tuple[str, Any]:
        """(status, output) of an execution of a JSONata machine that begins at its first state."""
        flows = self.client("stepfunctions")
        definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states})
        machine = flows.create_state_machine(
            name=f"m-{uuid.uuid4().hex[:8]}", definition=definition, roleArn=self.role("states")
        )
        started = flows.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(document or {}))
        until(lambda: self._told(started)["status"] != "RUNNING", within_s)
        execution = self._told(started)
        return execution["status"], json.loads(execution.get("output") or "null")

    def _told(self, started: dict) -> dict[str, Any]:
        execution: dict[str, Any] = self.client("stepfunctions").describe_execution(
            executionArn=started["executionArn"]
        )
        return execution


def until(look: Callable[[], Any], within_s: float = 20) -> Any:
    """What `look` finds, or what it found last when the time is over."""
    deadline = time.monotonic() + within_s
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def is_refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except ClientError:
        return True
    return False


def zipped(code: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", code)
    return buffer.getvalue()
