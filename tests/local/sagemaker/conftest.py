"""A real MiniStack with our SageMaker in it, IAM enforced, and the clients and roles to drive it."""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

ROOT = Path(__file__).parents[3]
IMAGES = Path(__file__).with_name("images")
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/probe:v1"
LAUNCHER = """
from local.ministack import load_plugins
load_plugins().main()
"""
NO_RETRIES = Config(retries={"total_max_attempts": 1}, read_timeout=90)


class Gateway:
    """A gateway process on a port and a state folder of its own."""

    def __init__(self, state: Path):
        self.state = state
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        self.log = open(self.state / "gateway.log", "a")  # noqa: SIM115 - open for as long as the process writes
        settings = {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "S3_DATA_DIR": f"{self.state}/s3",
            "S3_PERSIST": "1",
            "STATE_DIR": f"{self.state}/state",
            "PERSIST_STATE": "1",
            "FAIRWAY_STATE_DIR": str(self.state),
            "FAIRWAY_IMAGES": str(IMAGES),
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "root",
            "PYTHONPATH": str(ROOT),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until(self.answers, timeout_s=30, what=f"the gateway ({self.state}/gateway.log)")

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2).status == 200
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(20)
        self.log.close()

    def client(self, service: str, *, key: str = "000000000000", secret: str = "root", token: str | None = None):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=NO_RETRIES,
        )

    def unchecked_client(self, service: str):
        """Sends what it is given, so that it is the service that must refuse it."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="000000000000",
            aws_secret_access_key="root",
            config=NO_RETRIES.merge(Config(parameter_validation=False)),
        )

    def post_json(self, target: str, body: dict) -> dict:
        """A signed JSON request that no client would make."""
        request = AWSRequest(
            "POST",
            self.url + "/",
            data=json.dumps(body),
            headers={"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"},
        )
        SigV4Auth(Credentials("000000000000", "root"), "sagemaker", "us-east-1").add_auth(request)
        return json.loads(URLLib3Session().send(request.prepare()).content)


def wait_until(condition, *, timeout_s: float = 20, what: str = "the condition"):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {timeout_s} s")


def make_role(
    gateway: Gateway, name: str, *actions: str, service: str = "sagemaker", resource: str = "*", **more
) -> str:
    """A role that this service may assume, allowed these actions; `more` of the statement, such as its Condition."""
    iam = gateway.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="allowed",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}],
            }
        ),
    )
    return role


def make_archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("aws"))
    gateway.start()
    s3 = gateway.client("s3")
    s3.create_bucket(Bucket="lab")
    s3.put_object(Bucket="lab", Key="models/model.tar.gz", Body=make_archive(weights="1 2 3"))
    for number in range(5):
        s3.put_object(Bucket="lab", Key=f"rows/part-{number}.csv", Body=f"{number}\n".encode())
    yield gateway
    gateway.stop()


@pytest.fixture(scope="session")
def role(gateway):
    return make_role(gateway, "jobs", "s3:*", "logs:*")


@pytest.fixture(scope="session")
def sagemaker(gateway):
    return gateway.client("sagemaker")


@pytest.fixture(scope="session")
def s3(gateway):
    return gateway.client("s3")
