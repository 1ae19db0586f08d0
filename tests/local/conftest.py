"""One local AWS with IAM enforced for all tests here, and what they need to make on it."""

import io
import json
import time
import uuid
import zipfile
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from local import profile
from local.start import start, stop

ACCOUNT, REGION = profile.ACCOUNT, profile.REGION


class Aws:
    """A running local AWS: clients of it, and short ways to make a role, a function, a state machine."""

    def __init__(self, server: dict, folder: Path):
        self.server, self.folder, self.endpoint = server, folder, server["endpoint"]
        self.root = profile.root_key(folder)

    def client(self, service: str, key: tuple | None = None, token: str | None = None):
        key = key or self.root
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
        )

    def role(self, service: str, *statements: dict) -> str:
        """A role for `<service>.amazonaws.com` that allows just these; returns its ARN."""
        iam, name = self.client("iam"), new_name("role")
        trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        return arn

    def user(self, *statements: dict) -> tuple[str, str]:
        """The access key of a user who may do just these."""
        iam, name = self.client("iam"), new_name("user")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def function(self, code: str, *statements: dict, **settings) -> str:
        """A Python function whose module `app` is `code`; returns its ARN."""
        functions, name = self.client("lambda"), new_name("function")
        made = functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="app.handler",
            Code={"ZipFile": zipped({"app.py": code})},
            Role=self.role("lambda", *statements),
            **{"Timeout": 10, **settings},
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name)
        return made["FunctionArn"]

    def invoke(self, function: str, event=None) -> tuple[object, str | None]:
        """(what it answered, the kind of error or None)."""
        reply = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event or {}))
        return json.loads(reply["Payload"].read() or "null"), reply.get("FunctionError")

    def machine(self, states: dict, *statements: dict, **fields) -> str:
        """A JSONata state machine that starts at its first state; returns its ARN."""
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **fields}
        return self.client("stepfunctions").create_state_machine(
            name=new_name("machine"), definition=json.dumps(definition), roleArn=self.role("states", *statements)
        )["stateMachineArn"]

    def run(self, machine: str, given=None, timeout_s: float = 20) -> dict:
        """The execution at its end; `output` is parsed."""
        flows = self.client("stepfunctions")
        execution = flows.start_execution(stateMachineArn=machine, input=json.dumps(given or {}))["executionArn"]
        ended = eventually(lambda: over(flows.describe_execution(executionArn=execution)), timeout_s=timeout_s)
        return {**ended, "output": json.loads(ended.get("output") or "null")}

    def failed_stack(self, resources: dict, **fields) -> str:
        """Why a stack of these resources is not made: every reason that its events give."""
        formation, name = self.client("cloudformation"), new_name("stack")
        body = json.dumps({"Resources": resources, **fields})
        formation.create_stack(StackName=name, Capabilities=["CAPABILITY_NAMED_IAM"], TemplateBody=body)
        eventually(lambda: formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE")
        events = formation.describe_stack_events(StackName=name)["StackEvents"]
        return "; ".join(event.get("ResourceStatusReason", "") for event in events)


def over(execution: dict) -> dict | None:
    return execution if execution["status"] != "RUNNING" else None


def policy(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, on="*") -> dict:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on}


def new_name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:10]}"


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def eventually(look, timeout_s: float = 60):
    """What `look` finds, waiting for it."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {timeout_s} s")


@pytest.fixture(scope="session")
def aws(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aws") / "state"
    yield Aws(start(folder.parent, 0, folder, True), folder)
    stop(folder)


@pytest.fixture(scope="session")
def lenient(tmp_path_factory):
    """One without IAM enforced."""
    folder = tmp_path_factory.mktemp("lenient") / "state"
    yield Aws(start(folder.parent, 0, folder, False), folder)
    stop(folder)


@pytest.fixture(scope="session", params=["aws", "lenient"], ids=["IAM enforced", "IAM not enforced"])
def cloud(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def bucket(aws):
    name = new_name("bucket")
    aws.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def table(aws):
    name = new_name("table")
    aws.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    return name
