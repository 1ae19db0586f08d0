"""A batch run: named for its content, so that it can be attached to, resumed, and found done."""

import json

import pytest

from tests.fairway.conftest import given, writes
from tests.fairway.test_load import table

DONE = {
    "status": "SUCCEEDED",
    "read": 3,
    "scored": 2,
    "quarantined": 1,
    "written": 2,
    "seconds": 1.5,
    "reasons": {"maximum": 1},
    "as_of": "2013-05-01T00:00:00Z",
}


@pytest.fixture
def flow(place):
    """A batch that succeeds and writes down what it was asked."""
    place.machine(
        "batch",
        Preprocess={"Type": "Pass"},
        Close=writes("runs", kind="batch", run=given("run"), **DONE, asked=given("input"), asked_as_of=given("as_of")),
    )
    return place


def executions(place) -> list[dict]:
    states = place.aws("stepfunctions")
    book = json.loads(place.aws("ssm").get_parameter(Name="/fairway/flights/local")["Parameter"]["Value"])
    return states.list_executions(stateMachineArn=book["batch"])["executions"]


def test_a_file_is_uploaded_scored_and_counted(flow, tmp_path):
    file = table(tmp_path / "may.csv", {}, {}, {"hour": "25"})
    scored = flow.values("batch", file, "--as-of", "2013-05-01")
    assert scored == {
        "run": scored["run"],
        "read": 3,
        "quarantined": 1,
        "scored": 2,
        "written": 2,
        "seconds": 1.5,
        "release": None,
        "reasons": {"maximum": 1},
    }
    assert flow.keys("batch/") == [f"batch/{scored['run']}/input/may.csv"]
    item = flow.aws("dynamodb").get_item(
        TableName="flights-local-runs", Key={"kind": {"S": "batch"}, "run": {"S": scored["run"]}}
    )["Item"]
    assert (item["asked"]["S"], item["asked_as_of"]["S"]) == (
        f"s3://lake/batch/{scored['run']}/input/",
        "2013-05-01T00:00:00Z",
    )


def test_the_same_command_again_finds_it_done(flow, tmp_path):
    file = table(tmp_path / "may.csv", {})
    first = flow.values("batch", file)
    assert flow.values("batch", file) == first
    assert len(executions(flow)) == 1


def test_another_file_or_another_release_is_another_run(flow, tmp_path):
    file = table(tmp_path / "may.csv", {})
    runs = [flow.values("batch", file)["run"], flow.values("batch", table(tmp_path / "june.csv", {}))["run"]]
    route = {"release": "r-1", "endpoint": "e", "role": "champion", "weight": 100, "since": ""}
    flow.put("routing", item="routing", version=1, routes=[route], previous=[], changed_at="", reason="")
    runs.append(flow.values("batch", file)["run"])
    assert len(set(runs)) == 3


def test_a_run_that_was_killed_is_resumed_as_of_the_same_moment(flow, tmp_path):
    file = table(tmp_path / "may.csv", {})
    run = flow.values("batch", file)["run"]
    flow.put("runs", kind="batch", run=run, status="FAILED", as_of="2013-05-07T00:00:00Z")
    code, out, err = flow.run("batch", file)
    assert code == 0 and f"Resuming {run}" in err
    assert len(executions(flow)) == 2
    item = flow.aws("dynamodb").get_item(
        TableName="flights-local-runs", Key={"kind": {"S": "batch"}, "run": {"S": run}}
    )["Item"]
    assert item["asked_as_of"]["S"] == "2013-05-07T00:00:00Z"


def test_files_that_are_in_the_lake_already_are_scored_where_they_are(flow):
    flow.aws("s3").put_object(Bucket="lake", Key="batch/incoming/a.csv", Body=b"x")
    run = flow.values("batch", "s3://lake/batch/incoming/")["run"]
    item = flow.aws("dynamodb").get_item(
        TableName="flights-local-runs", Key={"kind": {"S": "batch"}, "run": {"S": run}}
    )["Item"]
    assert item["asked"]["S"] == "s3://lake/batch/incoming/"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere.csv", "nowhere.csv: not found"),
        ("s3://lake/none/", "s3://lake/none/ holds no file"),
        ("s3://elsewhere/rows.csv", "is not in the lake; copy it there first"),
        ("s3:/lake", "files of this kind are not read"),
        ("s3://", "'s3://' is not an S3 URI"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_anything_is_started(flow, source, said):
    code, _, err = flow.run("batch", source)
    assert code == 2 and said in err
    assert executions(flow) == []


def test_a_moment_that_is_none_is_refused(flow, tmp_path):
    code, _, err = flow.run("batch", table(tmp_path / "may.csv", {}), "--as-of", "soon")
    assert code == 2 and "--as-of 'soon' is not a moment" in err


def test_a_failed_batch_exits_1_with_the_reason(place, tmp_path):
    place.machine("batch", Failed={"Type": "Fail", "Error": "CountsDoNotAddUp", "Cause": "scored 3, wrote 2"})
    code, out, _ = place.run("batch", table(tmp_path / "may.csv", {}), "--json")
    assert code == 1 and json.loads(out)["message"].endswith("CountsDoNotAddUp: scored 3, wrote 2")
