"""A batch run: named for its content, so that it can be attached to, resumed, and found done."""

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from domain.release.routing import EMPTY
from fairway.commands.batch import started
from fairway.stage.aws import connect
from tests.fairway.commands.test_load import spark, table
from tests.fairway.conftest import given, waits_for, writes

FAIRWAY = Path(sys.executable).with_name("fairway")
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
        "store": True,
        "passed_over": 0,
        "predictions": f"s3://lake/batch/{scored['run']}/predictions/",
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
    champion = {"release": "r-1", "endpoint": "e", "since": ""}
    flow.put("routing", item="routing", **{**EMPTY, "version": 1, "champion": champion})
    runs.append(flow.values("batch", file)["run"])
    assert len(set(runs)) == 3


def test_the_same_command_again_says_that_nothing_was_scored_again(flow, tmp_path):
    file = table(tmp_path / "may.csv", {})
    _, first, _ = flow.run("batch", file)
    _, again, _ = flow.run("batch", file)
    assert again == first + "this was scored before; --again scores it once more\n"


def test_predictions_that_are_not_stored_are_a_run_of_their_own_and_the_summary_says_where_they_lie(flow, tmp_path):
    file = table(tmp_path / "may.csv", {})
    stored, parquet = flow.values("batch", file), flow.values("batch", file, "--no-store")
    assert flow.values("batch", file, "--store") == stored
    assert (asked_of(flow, stored["run"])["store"], asked_of(flow, parquet["run"])["store"]) == (True, False)
    assert parquet == {
        **stored,
        "run": parquet["run"],
        "store": False,
        "predictions": f"s3://lake/batch/{parquet['run']}/predictions/",
    }
    assert parquet["run"] != stored["run"]
    _, out, err = flow.run("batch", file, "--no-store")
    assert out.splitlines()[0].endswith("scored 2 + quarantined 1; not stored in the table, in 1.5 s")
    assert out.splitlines()[1] == f"predictions: {parquet['predictions']} (Parquet)"
    assert "outcomes join stored predictions only" in err.splitlines()[-1]


def test_a_repetition_is_a_run_of_its_own_and_each_further_one_another(flow, tmp_path):
    file = table(tmp_path / "may.csv", {})
    first, second, third = (flow.values("batch", file, *again)["run"] for again in ([], ["--again"], ["--again"]))
    assert (second, third) == (f"{first}-2", f"{first}-3")
    flow.put("runs", kind="batch", run=third, status="FAILED", as_of="2013-05-07T00:00:00Z")  # as if it were killed
    assert flow.values("batch", file, "--again")["run"] == third


@pytest.mark.parametrize(
    ("options", "only_new"), [([], True), (["--again"], False), (["--as-of", "2013-05-01"], False)]
)
def test_of_a_folder_of_the_lake_only_new_files_are_asked_for(flow, options, only_new):
    flow.aws("s3").put_object(Bucket="lake", Key="batch/incoming/a.csv", Body=b"x")
    run = flow.values("batch", "s3://lake/batch/incoming/", *options)["run"]
    assert asked_of(flow, run)["only_new"] is only_new


def test_files_that_were_passed_over_are_counted(place):
    close = writes("runs", kind="batch", run=given("run"), **DONE, passed_over=7)
    place.machine("batch", Preprocess={"Type": "Pass"}, Close=close)
    place.aws("s3").put_object(Bucket="lake", Key="batch/incoming/a.csv", Body=b"x")
    code, out, _ = place.run("batch", "s3://lake/batch/incoming/")
    assert code == 0
    assert out.splitlines()[2] == "7 files were scored before and skipped; --again scores them too"


def test_two_commands_at_once_start_one_execution(place, tmp_path):
    place.machine(
        "batch", Score={"Type": "Wait", "Seconds": 60}, Close=writes("runs", kind="batch", run=given("run"), **DONE)
    )
    stage, said = connect(place.folder, "local"), []
    moments = ("2013-05-01", "2013-05-02")  # a second apart, which neither knows of the other
    arns = {
        started(stage, "batch-1", {"input": "s3://lake/x", "store": True}, moment, {}, said.append)
        for moment in moments
    }
    assert len(arns) == len(executions(place)) == 1
    assert said == ["Starting batch-1", "Starting batch-1", "Attaching to batch-1, which is in progress"]


def asked_of(place, run: str) -> dict:
    """What the run's execution was started with."""
    states = place.aws("stepfunctions")
    asked = [
        json.loads(states.describe_execution(executionArn=one["executionArn"])["input"]) for one in executions(place)
    ]
    (found,) = [one for one in asked if one["run"] == run]
    return found


def test_ctrl_c_tells_the_command_that_attaches_to_the_very_run(place, tmp_path):
    place.machine(
        "batch",
        Score=waits_for("runs", kind="test", run="open"),
        Close=writes("runs", kind="batch", run=given("run"), **DONE),
    )
    file = table(tmp_path / "fünf mai.csv", {})
    words = ["batch", file, "--as-of", "2013-05-01", "--no-store", "--project", place.folder]
    with subprocess.Popen([FAIRWAY, *words], stderr=subprocess.PIPE, text=True) as command:
        while not command.stderr.readline().startswith("Score"):
            assert command.poll() is None
        command.send_signal(signal.SIGINT)
        (told,) = command.stderr.read().splitlines()
    assert command.returncode == 130
    attach = shlex.split(told.split("`")[1])
    assert attach[:2] == ["fairway", "batch"] and told.endswith("` attaches to it")
    with subprocess.Popen([FAIRWAY, *attach[1:]], stderr=subprocess.PIPE, text=True) as again:
        while not again.stderr.readline().startswith("Attaching to batch-"):
            assert again.poll() is None
        place.put("runs", kind="test", run="open")
        again.stderr.read()
    assert again.returncode == 0
    assert len(executions(place)) == 1


def test_a_run_that_was_killed_is_resumed_as_of_the_same_moment(flow, tmp_path):
    file = table(tmp_path / "may.csv", {})
    run = flow.values("batch", file)["run"]
    flow.put("runs", kind="batch", run=run, status="FAILED", as_of="2013-05-07T00:00:00Z")
    code, _out, err = flow.run("batch", file)
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


def test_what_spark_writes_beside_its_data_is_passed_over_and_named(flow):
    for name in ("part-0.csv", "_SUCCESS", ".part-0.csv.crc", "_temporary/0/part-0.csv"):
        flow.aws("s3").put_object(Bucket="lake", Key=f"batch/incoming/spark/{name}", Body=b"x")
    found = flow.values("batch", "s3://lake/batch/incoming/spark/")
    assert found["skipped"] == [".part-0.csv.crc", "_SUCCESS", "_temporary/0/part-0.csv"]
    _, out, _ = flow.run("batch", "s3://lake/batch/incoming/spark/")
    assert "skipped, as it has no rows: '.part-0.csv.crc', '_SUCCESS'" in out
    flow.aws("s3").put_object(Bucket="lake", Key="batch/incoming/empty/_SUCCESS", Body=b"")
    assert "must have a file" in flow.run("batch", "s3://lake/batch/incoming/empty/")[2]


def test_a_folder_of_this_machine_is_uploaded_without_what_spark_writes_beside_its_data(flow, tmp_path):
    folder = spark(tmp_path / "export")
    found = flow.values("batch", folder)
    assert found["skipped"] == [".part-0.csv.crc", "_SUCCESS"]
    prefix = f"batch/{found['run']}/input/"
    assert flow.keys("batch/") == [f"{prefix}part-0.csv", f"{prefix}weekday=1/part-1.csv"]
    assert flow.values("batch", folder)["run"] == found["run"]
    code, _, err = flow.run("batch", folder, "--out", tmp_path / "out.csv")
    assert code == 2 and "must be used with a FILE on this machine, not with a folder" in err


def test_titles_above_a_header_are_passed_over_and_named(flow, tmp_path):
    file = table(tmp_path / "may.csv", {})
    file.write_text("Flights of May\n" + file.read_text())
    assert flow.values("batch", file)["skipped"] == ["Flights of May"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere.csv", "nowhere.csv: not found"),
        ("s3://lake/none/", "s3://lake/none/: must have a file"),
        (
            "s3://elsewhere/rows.csv",
            (
                "must be in the lake; copy it there first: aws s3 cp --recursive "
                "s3://elsewhere/rows.csv s3://lake/batch/incoming/ "
                "--endpoint-url http://127.0.0.1:"
            ),
        ),
        ("s3:/lake", "its name must end in .csv"),
        ("s3://", "uri = 's3://': must be s3://BUCKET/KEY"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_anything_is_started(flow, source, said):
    code, _, err = flow.run("batch", source)
    assert code == 2 and said in err
    assert executions(flow) == []


def test_a_moment_that_is_none_is_refused(flow, tmp_path):
    code, _, err = flow.run("batch", table(tmp_path / "may.csv", {}), "--as-of", "soon")
    assert code == 2 and "--as-of 'soon': must be an ISO 8601 date or time" in err


def test_a_failed_batch_exits_1_with_the_reason(place, tmp_path):
    place.machine("batch", Failed={"Type": "Fail", "Error": "CountsDoNotAddUp", "Cause": "scored 3, wrote 2"})
    file = table(tmp_path / "may.csv", {})
    code, out, _ = place.run("batch", file, "--json")
    assert code == 1
    reason, _, next_step = json.loads(out)["message"].partition("; ")
    assert reason.endswith("CountsDoNotAddUp: scored 3, wrote 2")
    assert next_step.startswith("`fairway batch ") and next_step.endswith(f"{file}` scores the rest")


def test_a_batch_whose_job_was_stopped_says_so_in_words(place, tmp_path):
    job = {"ProcessingJobName": "flights-score-1", "ProcessingJobStatus": "Stopped", "RoleArn": "arn:aws:iam::1:role/r"}
    place.machine("batch", Failed={"Type": "Fail", "Error": "States.TaskFailed", "Cause": json.dumps(job)})
    code, out, _ = place.run("batch", table(tmp_path / "may.csv", {}), "--json")
    assert code == 1
    assert "States.TaskFailed: the job flights-score-1 ended as Stopped; `fairway batch " in json.loads(out)["message"]
