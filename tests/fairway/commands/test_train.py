"""A training run, from the command to its verdict."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from domain.contract.file import read_contract
from fairway.commands.train import lines, started
from fairway.stage.aws import connect
from tests.fairway.conftest import given, waits_for, writes

FAIRWAY = Path(sys.executable).with_name("fairway")
RELEASE = {
    "item": "release#r-20130401-aaaaaaaa",
    "release": "r-20130401-aaaaaaaa",
    "state": "approved",
    "reason": "good",
    "run": given("run"),
    "candidate": "gradient_boosting",
    "metrics": {"roc_auc": 0.7},
    "artefact_sha256": "a" * 64,
    "as_of": given("as_of"),
}
WAITS = {"Type": "Wait", "Seconds": 60}


def judged(verdict: str, **more) -> dict:
    """The record of a run that ended with this verdict."""
    window = {"train_start": "2013-01-01T00:00:00Z", "evaluate_start": "2013-03-04T00:00:00Z", "as_of": given("as_of")}
    found = {
        "verdict": verdict,
        "release": "r-20130401-aaaaaaaa",
        "reason": "good",
        "model_package_arn": "arn:package/1",
    }
    return writes("runs", kind="train", run=given("run"), status="SUCCEEDED", **window, **found, **more)


@pytest.fixture
def loaded(place):
    for load, last in {"a": "2013-03-31T21:00:00Z", "b": "2013-04-01T03:59:00Z"}.items():
        contract = read_contract(place.folder / "flights/contract.toml", "binary")
        place.put(
            "runs",
            kind="load",
            run=load,
            file=f"{load}.csv",
            contract_hash=contract.hash,
            accepted=10,
            last=last,
            loaded_at="2026-01-01T00:00:00Z",
            parts=json.dumps([{"key": "rows/a", "rows": 10, "first": "2013-03-01T00:00:00Z", "last": last}]),
        )
    return place


def test_a_rejected_release_is_a_judgement_and_not_a_failure(loaded):
    loaded.machine(
        "train",
        SelectWindow={"Type": "Pass"},
        RememberRelease=writes("routing", **RELEASE),
        RecordRun=judged("rejected"),
    )
    trained = loaded.values("train")
    assert trained == {
        "run": trained["run"],
        "verdict": "rejected",
        "state": "approved",
        "release": "r-20130401-aaaaaaaa",
        "reason": "good",
        "why": None,
        "answers": None,
        "decisions": None,
        "rates": None,
        "threshold": None,
        "candidate": "gradient_boosting",
        "metrics": {"roc_auc": 0.7},
        "rows": None,
        "coverage": None,
        "data_window": {
            "train_start": "2013-01-01T00:00:00Z",
            "evaluate_start": "2013-03-04T00:00:00Z",
            "as_of": "2013-04-01T03:59:01Z",
        },
        "artefact_sha256": "a" * 64,
    }
    assert trained["run"].startswith("train-20130401-")


def test_the_rows_that_there_were_are_named_and_the_days_without_any():
    values = {
        "run": "train-1",
        "verdict": "rejected",
        "state": "rejected",
        "reason": "old",
        "why": "it was the only candidate",
        "answers": "80 of 159 rows are right",
        "release": "r-1",
        "rows": 159,
        "coverage": {
            "first": "2026-11-08T00:00:00Z",
            "last": "2026-11-14T15:00:00Z",
            "age_days": 43.375,
            "days": 50,
            "missing": [["2026-11-15", "2026-12-27"]],
        },
        "data_window": {
            "train_start": "2026-09-29T00:00:00Z",
            "evaluate_start": "2026-11-08T00:00:00Z",
            "as_of": "2026-12-28T00:00:00Z",
        },
    }
    assert lines(values, role=None)[1] == (
        "release r-1 of train-1, trained on rows from 2026-09-29T00:00:00Z on, "
        "judged on 159 rows of 2026-11-08 to 2026-11-14; "
        "no row on 43 of 50 days: 2026-11-15 to 2026-12-27"
    )
    assert lines(values, role=None)[2:] == ["answers: 80 of 159 rows are right", "why: it was the only candidate"]
    assert lines({**values, "coverage": None}, role=None)[1] == (
        "release r-1 of train-1, trained on the others, judged on 159 rows held out at random"
    )


def test_each_state_is_told_on_standard_error_and_the_verdict_on_standard_output(loaded):
    loaded.machine(
        "train",
        SelectWindow={"Type": "Pass"},
        RememberRelease=writes("routing", **RELEASE),
        RecordRun=judged("rejected"),
    )
    code, out, err = loaded.run("train", "--as-of", "2013-04-01", "--window", "60")
    assert code == 0
    assert out.splitlines()[0] == "rejected: good"
    told = err.splitlines()
    assert told[0].startswith("Starting train-20130401-") and told[1:4] == [
        "Select window",
        "Remember release",
        "Record run",
    ]
    assert told[-1].startswith("next: ")


def test_a_state_that_takes_long_says_for_how_long(loaded, monkeypatch):
    monkeypatch.setattr("fairway.terminal.progress.PLAIN_EVERY_S", 1.0)
    loaded.machine(
        "train",
        SelectWindow={"Type": "Wait", "Seconds": 2},
        RememberRelease=writes("routing", **RELEASE),
        RecordRun=judged("rejected"),
    )
    _, _, err = loaded.run("train")
    told = err.splitlines()
    assert told[told.index("Select window") + 1] == "  for 1 s"


def test_an_approved_release_is_followed_until_it_is_champion(loaded):
    champion = {"release": "r-20130401-aaaaaaaa", "endpoint": "e", "since": "2026-01-01T00:00:00Z"}
    routing = {
        "item": "routing",
        "version": 1,
        "reason": "approved",
        "changed_at": "2026-01-01T00:00:00Z",
        "champion": champion,
        "claims": [],
        "previous": [],
    }
    loaded.machine(
        "release",
        CreateEndpoint={"Type": "Wait", "Seconds": 2},
        Promote=writes("routing", **routing),
        WaitToRetire=WAITS,
    )
    begin = {"StateMachineArn": addresses(loaded)["release"], "Input": {"model_package_arn": "arn:package/1"}}
    begins = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "Arguments": begin}
    loaded.machine("train", RememberRelease=writes("routing", **RELEASE), RecordRun=judged("approved"), Event=begins)
    code, out, err = loaded.run("train")
    assert (code, out.splitlines()[-1]) == (
        0,
        "r-20130401-aaaaaaaa is champion: it answers within 5 s, as each function reads the routing anew",
    )
    assert "Releasing r-20130401-aaaaaaaa\nCreate endpoint\n" in err  # it may be champion before "Promote" is read


def addresses(place) -> dict:
    return json.loads(place.aws("ssm").get_parameter(Name="/fairway/flights/local")["Parameter"]["Value"])


def test_a_release_that_begins_its_rollout_is_not_waited_for(loaded):
    """It answers a share for hours or days; its flow goes on meanwhile."""
    mark = {
        "TableName": "flights-local-routing",
        "Key": {"item": {"S": RELEASE["item"]}},
        "UpdateExpression": "SET #state = :canary",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {":canary": {"S": "canary"}},
    }
    marks = {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "Arguments": mark}
    loaded.machine("release", MarkCanary=marks, WaitForTraffic=WAITS)
    begin = {"StateMachineArn": addresses(loaded)["release"], "Input": {"model_package_arn": "arn:package/1"}}
    begins = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "Arguments": begin}
    loaded.machine("train", RememberRelease=writes("routing", **RELEASE), RecordRun=judged("approved"), Event=begins)
    code, out, err = loaded.run("train")
    assert (code, out.splitlines()[-1]) == (
        0,
        "r-20130401-aaaaaaaa is canary: it answers within 5 s, as each function reads the routing anew",
    )
    assert "`fairway rollout status" in err.splitlines()[-1]


def test_a_failed_run_exits_1_with_the_state_and_the_reason(loaded):
    cause = json.dumps({"errorMessage": "no rows to train on from 2012 to 2013", "errorType": "NoRows"})
    refused = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": "lake", "Key": "none"},
    }
    refused["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}]
    loaded.machine("train", SelectWindow=refused, Failed={"Type": "Fail", "Error": "NoRows", "Cause": cause})
    code, out, _ = loaded.run("train", "--json")
    failure = json.loads(out)
    assert (code, failure["error"]) == (1, "run_failed")
    assert failure["message"].endswith(" failed in SelectWindow: NoRows: no rows to train on from 2012 to 2013")


def test_rows_that_another_contract_let_in_are_pointed_out(loaded):
    loaded.machine("train", RememberRelease=writes("routing", **RELEASE), RecordRun=judged("rejected"))
    loaded.put(
        "runs", kind="load", run="c", file="old.csv", contract_hash="0", loaded_at="2026-01-01T00:00:00Z", parts="[]"
    )
    _, _, err = loaded.run("train")
    assert (
        err.splitlines()[0]
        == "Note: 1 of 3 files, such as old.csv, were loaded under another contract; this one checks their rows again"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--as-of", "yesterday"], "as_of = 'yesterday': must be an ISO 8601"),
        (["--window", "28"], "--window 28: must be more than data.evaluate_days = 28"),
    ],
)
def test_what_cannot_be_is_refused_before_a_run_is_started(loaded, words, said):
    code, _, err = loaded.run("train", *words)
    assert code == 2 and said in err


def test_without_rows_there_is_nothing_to_train_on(place):
    code, _, err = place.run("train")
    assert (code, err) == (
        2,
        f"error: no rows are loaded yet; load some with `fairway load --project {place.folder} FILE...`\n",
    )


@pytest.fixture
def waiting(loaded):
    """A training run that takes three seconds, so that commands of one second meet it under way."""
    loaded.machine(
        "train",
        SelectWindow={"Type": "Wait", "Seconds": 3},
        RememberRelease=writes("routing", **RELEASE),
        RecordRun=judged("rejected"),
    )
    return connect(loaded.folder, "local")


NAME, AS_OF = "train-20130401-20130401T000000Z", {"as_of": "2013-04-01T00:00:00Z"}


def test_the_same_command_twice_in_a_second_is_one_run(waiting):
    said = []
    (begun,) = {started(waiting, NAME, AS_OF, said.append) for _ in range(3)}
    assert begun[0] == NAME
    assert said == [f"Starting {NAME}"] * 3


def test_two_commands_in_a_second_that_ask_for_different_runs_both_run(waiting):
    said = []
    windows = [{}, {"window_days": 60}, {"window_days": 90}, {"window_days": 60}]
    begun = [started(waiting, NAME, {**AS_OF, **window}, said.append) for window in windows]
    assert [run for run, _ in begun] == [NAME, f"{NAME}-2", f"{NAME}-3", f"{NAME}-2"]
    assert begun[1] == begun[3]
    assert said[1:3] == [f"{NAME} was started in the same second with other settings", f"Starting {NAME}-2"]


def test_ctrl_c_says_what_goes_on_and_the_same_command_attaches_to_it(loaded):
    loaded.machine(
        "train",
        SelectWindow=waits_for("runs", kind="test", run="open"),
        RememberRelease=writes("routing", **RELEASE),
        RecordRun=judged("rejected"),
    )
    words = [FAIRWAY, "train", "--project", loaded.folder, "--window", "60"]
    with subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as command:
        told = [command.stderr.readline(), command.stderr.readline()]
        command.send_signal(signal.SIGINT)
        rest = command.stderr.read()
    run = told[0].split()[1]
    assert (command.returncode, told[1]) == (130, "Select window\n")
    again = f"fairway train --project {loaded.folder} --as-of 2013-04-01T03:59:01Z --window 60"
    assert rest == f"error: stopped watching; {run} continues in stage 'local'; `{again}` attaches to it\n"
    with subprocess.Popen([*words, "--as-of", "2013-04-01T03:59:01Z"], stderr=subprocess.PIPE, text=True) as command:
        assert command.stderr.readline() == f"Attaching to {run}, which is in progress\n"
        loaded.put("runs", kind="test", run="open")
        command.stderr.read()
    assert command.returncode == 0


def test_a_row_that_is_still_to_come_does_not_move_the_window(loaded):
    part = {"key": "rows/b", "rows": 1, "first": "2099-01-01T00:00:00Z", "last": "2099-01-01T00:00:00Z"}
    loaded.put(
        "runs",
        kind="load",
        run="c",
        file="c.csv",
        accepted=1,
        loaded_at="2026-01-01T00:00:00Z",
        parts=json.dumps([part]),
    )
    loaded.machine(
        "train",
        SelectWindow={"Type": "Pass"},
        RememberRelease=writes("routing", **RELEASE),
        RecordRun=judged("rejected"),
    )
    assert loaded.values("train")["data_window"]["as_of"] == "2013-04-01T03:59:01Z"
