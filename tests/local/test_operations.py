"""docs/operations.md: its commands are AWS's own, and what they are said to bring back comes back here."""

import json
import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.session import get_session
from botocore.validate import validate_parameters

from local import profile

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [line for language, block in BLOCKS if not language for line in block.splitlines()]
MOMENT = "2026-11-01T12:00:00Z"
SERVICES = {"s3api": "s3"}
OF_THE_COMMAND_LINE = {"query", "output"}


def call(line: str, **names: str):
    """(service, operation, parameters) of an `aws` command, as the AWS CLI reads its options by the service's model."""
    for name, value in names.items():
        line = line.replace(name, value)
    _, service, verb, *options = shlex.split(line)
    model = get_session().get_service_model(SERVICES.get(service, service))
    operation = next(name for name in model.operation_names if xform_name(name, "-") == verb)
    shape = model.operation_model(operation).input_shape
    members = {xform_name(name, "-"): name for name in shape.members}
    given = dict(zip((option.removeprefix("--") for option in options[::2]), options[1::2], strict=True))
    parameters = {
        members[option]: typed(value, shape.members[members[option]])
        for option, value in given.items()
        if option not in OF_THE_COMMAND_LINE
    }
    validate_parameters(parameters, shape)
    return model.service_name, xform_name(operation), parameters


def typed(value: str, shape):
    if shape.type_name == "list":
        return [value]
    if shape.type_name == "structure":
        return {name: int(text) for name, text in (part.split("=") for part in value.split(","))}
    return value


def line_of(verb: str) -> str:
    (line,) = [line for line in COMMANDS if f" {verb} " in line]
    return line


def run(aws, verb: str, **names: str) -> dict:
    service, operation, parameters = call(line_of(verb), **names)
    return getattr(aws.client(service), operation)(**parameters)


@pytest.mark.parametrize("line", [line for line in COMMANDS if " wait " not in line])
def test_a_command_of_the_page_is_one_of_aws(line):
    assert line.startswith("aws ")
    call(line)


def test_a_command_with_an_option_that_is_not_there_would_be_found():
    with pytest.raises(KeyError, match="versions"):
        call("aws s3api delete-object --bucket LAKE --key KEY --versions 1")
    assert len(COMMANDS) == 9


def test_a_table_comes_back_beside_itself_and_its_items_are_put_back(aws):
    dynamodb, names = aws.client("dynamodb"), {"SHOP": "bakery", "STAGE": "prod"}
    dynamodb.create_table(
        TableName="bakery-prod-runs",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("kind", "run")],
        KeySchema=[{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "run", "KeyType": "RANGE"}],
    )
    before = [item(f"r-{number}", "kept") for number in range(3)]
    for each in before:
        dynamodb.put_item(TableName="bakery-prod-runs", Item=each)
    with pytest.raises(ClientError, match="another moment is not simulated"):
        run(aws, "restore-table-to-point-in-time", **names)
    moment = {MOMENT: datetime.now(UTC).isoformat()}
    run(aws, "restore-table-to-point-in-time", **names, **moment)
    dynamodb.get_waiter("table_exists").wait(TableName="bakery-prod-runs-restored")
    dynamodb.delete_item(TableName="bakery-prod-runs", Key={key: before[0][key] for key in ("kind", "run")})
    dynamodb.put_item(TableName="bakery-prod-runs", Item=item("r-1", "overwritten"))
    dynamodb.put_item(TableName="bakery-prod-runs", Item=item("r-9", "newer"))
    (snippet,) = [block for language, block in BLOCKS if language == "python"]
    script = [sys.executable, "-c", snippet.replace("SHOP-STAGE", "bakery-prod")]
    # Other tests may have named servers of their own to this process.
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    subprocess.run(script, env={**own, **profile.variables(aws.folder)}, check=True, timeout=60)
    found = dynamodb.scan(TableName="bakery-prod-runs")["Items"]
    assert sorted(found, key=json.dumps) == sorted([*before, item("r-9", "newer")], key=json.dumps)
    run(aws, "delete-table", **names)
    assert "bakery-prod-runs-restored" not in dynamodb.list_tables()["TableNames"]


def item(name: str, state: str) -> dict:
    return {"kind": {"S": "train"}, "run": {"S": name}, "state": {"S": state}}


def test_a_file_that_was_deleted_and_one_that_was_overwritten_come_back(aws):
    s3, lake = aws.client("s3"), "lake-of-operations"
    s3.create_bucket(Bucket=lake)
    s3.put_bucket_versioning(Bucket=lake, VersioningConfiguration={"Status": "Enabled"})
    gone, changed = "rows/month=2026-10/a.parquet", "rows/month=2026-10/b.parquet"
    for key in (gone, changed):
        s3.put_object(Bucket=lake, Key=key, Body=b"as it was")
    s3.delete_object(Bucket=lake, Key=gone)
    s3.put_object(Bucket=lake, Key=changed, Body=b"overwritten")
    listed = run(aws, "list-object-versions", LAKE=lake)
    (marker,) = [each["VersionId"] for each in listed["DeleteMarkers"]]
    (version,) = [each["VersionId"] for each in listed["Versions"] if each["Key"] == changed and not each["IsLatest"]]
    run(aws, "delete-object", LAKE=lake, KEY=gone, MARKER=marker)
    run(aws, "copy-object", LAKE=lake, KEY=changed, VERSION=version)
    assert [s3.get_object(Bucket=lake, Key=key)["Body"].read() for key in (gone, changed)] == [b"as it was"] * 2
