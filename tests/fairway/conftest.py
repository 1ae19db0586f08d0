"""A project on a local AWS that holds what the commands use: the lake, the tables, and small state machines.

Their states stand in place of the real ones and only write down what those would have found.
"""

import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from domain import records
from fairway.cli import main
from fairway.stage.aws import remember_state_folder
from local.profile import RootKey, root_key
from local.start import start, stop

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::000000000000:role/anyone"


@dataclass(frozen=True)
class Place:
    """A project's folder, its local AWS, and a way to run commands there."""

    folder: Path
    endpoint: str
    key: RootKey
    capsys: object = None

    def run(self, *words) -> tuple[int, str, str]:
        """Exit code, standard output, standard error of one command."""
        self.capsys.readouterr()
        code = main([*map(str, words), "--project", str(self.folder)])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def values(self, *words):
        """The JSON of a command that must succeed."""
        code, out, err = self.run(*words, "--json")
        assert code == 0, out + err
        return json.loads(out)

    def aws(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.key.access_key,
            aws_secret_access_key=self.key.secret_key,
        )

    def put(self, table: str, **item) -> None:
        self.aws("dynamodb").put_item(TableName=f"flights-local-{table}", Item=records.to_item(item))

    def machine(self, name: str, **states: dict) -> None:
        """Lay out a state machine of these states, one after the other, and enter it in the address book."""
        names = [*states, None]
        chain = {
            one: {**state, **({"Next": following} if following else {"End": True})}
            if state["Type"] != "Fail"
            else state
            for (one, state), following in zip(states.items(), names[1:], strict=True)
        }
        definition = {"QueryLanguage": "JSONata", "StartAt": names[0], "States": chain}
        made = self.aws("stepfunctions").create_state_machine(
            name=f"{name}-{uuid.uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=ROLE
        )
        self.enter(**{name: made["stateMachineArn"]})

    def enter(self, **addresses) -> None:
        """Add to the address book."""
        ssm, name = self.aws("ssm"), "/fairway/flights/local"
        book = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
        ssm.put_parameter(Name=name, Type="String", Overwrite=True, Value=json.dumps({**book, **addresses}))

    def keys(self, prefix: str) -> list[str]:
        return [
            found["Key"] for found in self.aws("s3").list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", [])
        ]


def given(name: str) -> str:
    """What the execution was started with, in JSONata."""
    return f"{{% $states.context.Execution.Input.{name} %}}"


def writes(table: str, **values) -> dict:
    """A state that puts an item."""
    arguments = {"TableName": f"flights-local-{table}", "Item": records.to_item(values)}
    return {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "Arguments": arguments}


def waits_for(table: str, **key) -> dict:
    """Make a state that lasts until the item is there, so that a run stays open for as long as its test needs."""
    state = writes(table, **key)
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 300}
    condition = {"ConditionExpression": f"attribute_exists({next(iter(key))})"}
    return {**state, "Arguments": {**state["Arguments"], **condition}, "Retry": [retry]}


@pytest.fixture(autouse=True)
def person(monkeypatch):
    """A person reads what commands print; without one it would all be JSON."""
    monkeypatch.setattr("fairway.terminal.done.on_terminal", lambda: True)


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory):
    state = tmp_path_factory.mktemp("aws") / "state"
    server = start(state.parent, 0, state, False)
    try:
        yield {**server, "state": state}
    finally:
        stop(state)


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the reference project's two files, with no AWS."""
    (tmp_path / "flights").mkdir()
    shutil.copy(ROOT / "fairway.toml", tmp_path)
    shutil.copy(ROOT / "flights/contract.toml", tmp_path / "flights")
    return tmp_path


@pytest.fixture
def place(project, local_aws, capsys) -> Place:
    """The reference project, freshly and emptily deployed."""
    remember_state_folder(project, local_aws["state"])
    place = Place(project, local_aws["endpoint"], root_key(local_aws["state"]), capsys)
    lay_out(place)
    return place


def end_executions(place: Place) -> None:
    """Stop what an earlier test left running: it would write into the tables of the next."""
    states = place.aws("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        running = states.list_executions(stateMachineArn=machine["stateMachineArn"], statusFilter="RUNNING")
        for execution in running["executions"]:
            states.stop_execution(executionArn=execution["executionArn"])


def lay_out(place: Place) -> None:
    end_executions(place)
    s3, dynamodb, ssm = place.aws("s3"), place.aws("dynamodb"), place.aws("ssm")
    if "lake" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket="lake"):
            for found in page.get("Contents", []):
                s3.delete_object(Bucket="lake", Key=found["Key"])
    s3.create_bucket(Bucket="lake")
    tables = {
        "runs": ("kind", "run"),
        "routing": ("item",),
        "outcomes": ("entity_id", "event_time"),
        "evidence": ("rollout", "item"),
    }
    for name, keys in tables.items():
        table = f"flights-local-{name}"
        if table in dynamodb.list_tables()["TableNames"]:
            dynamodb.delete_table(TableName=table)
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
    book = {"lake": "lake", "api_url": place.endpoint, **{name: f"flights-local-{name}" for name in tables}}
    ssm.put_parameter(Name="/fairway/flights/local", Type="String", Overwrite=True, Value=json.dumps(book))
