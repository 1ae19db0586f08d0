"""What follows from a window: decided by the rule, kept beside the window, ordered once, and told to people."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pytest

from lambdas.watch import decide as module
from lambdas.watch.decide import handler
from tests.lambdas import stage
from tests.lambdas.moto_server import FOR_MOTO

RELEASED = "2013-04-01T12:00:00Z"
AT_RELEASE = {"true_positive": 700, "false_positive": 300, "true_negative": 3700, "false_negative": 300}
BAD = {"true_positive": 20, "false_positive": 200, "true_negative": 600, "false_negative": 180}
GOOD = {"true_positive": 140, "false_positive": 60, "true_negative": 740, "false_negative": 60}
DECLINE = {"kind": "decline", "release": "r-1", "text": "", "window": "2013-04-08", "since": "2013-04-08"}


class Stacks:
    """CloudFormation, as far as it is asked: a flow that trains."""

    def get_template(self, *, StackName):  # noqa: N803 as AWS names it
        job = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync"}
        flow = {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"StateMachineName": "flights-local-train"}}
        flow["Properties"]["DefinitionString"] = json.dumps({"States": {"TrainCandidate": job}})
        return {"TemplateBody": {"Resources": {"Flow": flow} if StackName.endswith("service") else {}}}


@pytest.fixture
def looked(aws, monkeypatch):
    """A champion whose answers of the eighth of April were bad, and rows that it never saw."""
    monkeypatch.setattr("lambdas.aws.deployed.cloudformation", Stacks)
    states = boto3.client("stepfunctions", config=FOR_MOTO)
    role = "arn:aws:iam::123456789012:role/any"
    states.create_state_machine(name="flights-local-train", definition="{}", roleArn=role)
    topic = boto3.client("sns", config=FOR_MOTO).create_topic(Name="flights-local-alarms")["TopicArn"]
    queue = aws.sqs.create_queue(QueueName="mail")["QueueUrl"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    boto3.client("sns", config=FOR_MOTO).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    aws.route(since=RELEASED)
    aws.put(stage.ROUTING, item="release#r-1", release="r-1", state="champion", decisions=AT_RELEASE)
    trained = {"kind": "train", "run": "train-1", "status": "SUCCEEDED", "train_rows": 900, "release": "r-1"}
    aws.put(stage.RUNS, **trained, started_at="2013-04-01T10:00:00Z", as_of="2013-04-01T00:00:00Z")
    load(aws, "l-1", 1_000, first="2013-01-15T00:00:00Z", last="2013-03-31T00:00:00Z", at="2013-03-31T12:00:00Z")
    load(aws, "l-2", 500, first="2013-04-01T00:00:00Z", last="2013-04-08T00:00:00Z", at="2013-04-08T12:00:00Z")
    window(aws, 7, cells=GOOD)
    window(aws, 8, cells=BAD, state="declined", findings=[DECLINE])
    window(aws, 9)
    return aws


def load(aws, run: str, rows: int, *, first: str, last: str, at: str) -> None:
    parts = json.dumps([{"key": f"rows/{run}", "rows": rows, "first": first, "last": last}])
    aws.put(stage.RUNS, kind="load", run=run, status="SUCCEEDED", loaded_at=at, parts=parts)


def window(aws, day: int, *, cells: dict | None = None, **values) -> None:
    known = {}
    if cells:
        wrong = cells["false_positive"] + cells["false_negative"]
        known = {"r-1": {"outcomes": 1000, "wrong": wrong, "decisions": cells, "metrics": {}, "is_open": False}}
    start, end = f"2013-04-{day:02d}T00:00:00Z", f"2013-04-{day + 1:02d}T00:00:00Z"
    item = {"state": "ok", "rows": 1000, "releases": {}, "outcomes": known, "findings": [], "as_of": end}
    aws.put(stage.RUNS, kind="window", run=start[:10], start=start, end=end, **{**item, **values})


def look(day: int = 9, **values) -> dict:
    following = f"2013-04-{day + 1:02d}T00:30:00Z"
    return handler({"run": f"watch-{day}", "window": f"2013-04-{day:02d}", "as_of": following, **values}, None)


def kept(aws, day: int = 9) -> dict:
    return aws.item(stage.RUNS, kind="window", run=f"2013-04-{day:02d}").get("decision")


def mails(aws) -> list[str]:
    queue = aws.sqs.get_queue_url(QueueName="mail")["QueueUrl"]
    found = aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for each in found:
        aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
    return [json.loads(each["Body"])["Message"] for each in found]


def test_a_window_that_lost_more_than_a_run_costs_orders_one_and_keeps_its_numbers(looked):
    answer = look()
    order = {"run": "retrain-2013-04-09", "as_of": "2013-04-10T00:30:00Z", "only_evaluate": False}
    assert answer["order"] == order
    decision = answer["decision"]
    numbers = {name: decision.pop(name) for name in ("loss", "loss_low", "gain_usd", "run_usd", "rows_ahead")}
    assert decision == {
        "action": "retrain",
        "reason": "loss",
        "champion": "r-1",
        "unit": "usd",
        "since": "2013-04-08",
        "outcomes": 1000,
        "new_rows": 500,
        "needed_rows": 150,
        "rejected": 0,
        "as_of": "2013-04-10T00:30:00Z",
        "carried": "started",
        "run": "retrain-2013-04-09",
    }
    assert numbers["loss"] == pytest.approx(0.2 * 65 * (0.7 - 0.1) + 0.8 * 12 * (0.925 - 0.75))
    assert 0 < numbers["loss_low"] < numbers["loss"] and 0 < numbers["run_usd"] < 1
    assert numbers["rows_ahead"] == pytest.approx(1000 * (7 - 2 - 30 / 1440), abs=0.1)
    assert numbers["gain_usd"] == pytest.approx(numbers["loss_low"] * numbers["rows_ahead"], rel=1e-4)
    assert kept(looked) == {**decision, **numbers}
    (mail,) = mails(looked)
    assert mail.startswith("flights-local, window 2013-04-09: retrain: since 2013-04-08 an answer is worth $")
    assert mail.endswith(
        "retrain-2013-04-09 was started, and its candidate has to pass the gate like any other. `fairway rollback "
        "--stage local` undoes its release; `fairway watch pause --stage local` stops the loop."
    )


def test_the_same_window_decided_again_is_the_same_and_orders_no_second_run(looked):
    first = look()
    assert look() == first, "as long as the run has not begun, whoever was killed may ask for it again"
    looked.put(stage.RUNS, kind="train", run="retrain-2013-04-09", status="RUNNING", started_at="2013-04-10T00:31:00Z")
    before = looked.items(stage.RUNS)
    assert look(as_of="2013-05-01T00:00:00Z") == {"decision": first["decision"], "order": None}
    assert (looked.items(stage.RUNS), len(mails(looked))) == (before, 1)


def test_the_window_after_a_run_starts_none_within_the_cooldown(looked):
    look()
    begun = {"kind": "train", "run": "retrain-2013-04-09", "train_rows": 900, "as_of": "2013-04-10T00:30:00Z"}
    looked.put(stage.RUNS, **begun, status="FAILED", started_at="2013-04-10T00:31:00Z")
    load(looked, "l-3", 500, first="2013-04-10T01:00:00Z", last="2013-04-10T23:00:00Z", at="2013-04-10T23:30:00Z")
    window(looked, 10)
    answer = look(10)
    assert (answer["decision"]["reason"], answer["order"], answer["decision"]["rejected"]) == ("cooldown", None, 1)
    window(looked, 11)
    answer = look(11)
    assert (answer["decision"]["action"], answer["order"]["run"]) == ("retrain", "retrain-2013-04-11")


def test_a_run_that_is_in_progress_holds_the_loop_whoever_started_it(looked):
    states = boto3.client("stepfunctions", config=FOR_MOTO)
    run = states.start_execution(stateMachineArn=module.TRAIN_FLOW, name="by-hand", input="{}")["executionArn"]
    assert (look()["decision"]["reason"], kept(looked)["action"]) == ("run in progress", "nothing")
    states.stop_execution(executionArn=run)
    assert look()["order"]["run"] == "retrain-2013-04-09", "a window that ordered nothing is decided anew"


def test_after_two_rejected_candidates_a_person_is_told_once_until_the_loop_is_resumed(looked):
    for day, run in ((5, "retrain-2013-04-05"), (6, "retrain-2013-04-06")):
        window(looked, day, decision={"action": "retrain", "run": run})
        began = f"2013-04-{day + 1:02d}T01:00:00Z"
        looked.put(stage.RUNS, kind="train", run=run, status="SUCCEEDED", verdict="rejected", started_at=began)
    stopped = look()
    assert (stopped["decision"]["action"], stopped["decision"]["rejected"], stopped["order"]) == ("stopped", 2, None)
    (mail,) = mails(looked)
    assert "but 2 candidates in a row were rejected, so a person has to look. `fairway releases --stage local`" in mail
    look()
    window(looked, 10)
    assert (look(10)["decision"]["action"], mails(looked)) == ("stopped", [])
    looked.put(stage.ROUTING, item="loop", resumed_at="2013-04-11T12:00:00Z")
    window(looked, 11)
    assert look(11)["decision"]["action"] == "retrain"


def test_a_paused_loop_decides_and_starts_nothing(looked):
    looked.put(stage.ROUTING, item="loop", paused_at="2013-04-09T12:00:00Z")
    answer = look()
    assert (answer["decision"]["action"], answer["decision"]["carried"], answer["order"]) == ("retrain", "paused", None)
    assert ("run" in kept(looked), mails(looked)) == (False, [])
    looked.put(stage.ROUTING, item="loop", paused_at="2013-04-09T12:00:00Z", resumed_at="2013-04-09T13:00:00Z")
    assert look()["order"]["run"] == "retrain-2013-04-09"


def test_a_person_starts_it_where_settings_say_so(looked, monkeypatch):
    manual = replace(stage.CONFIG.monitoring, retrain="manual")
    monkeypatch.setattr(module, "CONFIG", replace(stage.CONFIG, monitoring=manual))
    assert (look()["order"], kept(looked)["carried"]) == (None, "manual")
    (mail,) = mails(looked)
    assert mail.endswith("`fairway train --stage local` starts it.")
    look()
    assert mails(looked) == []


def test_drift_that_begins_orders_an_evaluation_and_no_training(looked):
    drift = {"kind": "feature", "column": "distance", "text": "", "window": "2013-04-08", "since": "2013-04-08"}
    window(looked, 8, cells=GOOD, state="drifted", findings=[drift])
    answer = look(8)
    assert answer["decision"]["drifted"] == ["distance"]
    order = {"run": "evaluate-2013-04-08", "as_of": "2013-04-09T00:30:00Z", "only_evaluate": True}
    assert (answer["order"], mails(looked)) == (order, [])
    window(looked, 9, state="drifted", findings=[{**drift, "window": "2013-04-09"}])
    assert look()["decision"]["reason"] == "no loss", "it went on drifting, and was looked at"


def test_a_window_that_is_watched_again_after_later_ones_keeps_its_decision(looked):
    window(looked, 8, cells=GOOD)
    before = look(8)
    look(9)
    items = looked.items(stage.RUNS)
    assert look(8, as_of="2013-05-01T00:00:00Z") == {"decision": before["decision"], "order": None}
    assert look(7) == {"decision": None, "order": None}
    assert looked.items(stage.RUNS) == items


def test_before_the_first_release_there_is_nobody_to_retrain(looked):
    looked.routing(version=2)
    assert (look()["decision"]["reason"], look()["order"]) == ("no champion", None)


def test_without_values_a_decline_is_reason_enough(looked, monkeypatch):
    monkeypatch.setattr(module, "CONFIG", replace(stage.CONFIG, business=type(stage.CONFIG.business)()))
    decision = look()["decision"]
    assert (decision["reason"], decision["unit"], decision["loss"]) == ("decline", "wrong answers", 0.26)


def test_where_no_outcomes_come_the_newest_evaluation_tells_the_loss(looked):
    """Drift ordered it: labelled rows in the lake say what became of the answers."""
    for day in (7, 8):
        window(looked, day)
    newest = {"release": "r-1", "run": "evaluate-2013-04-08", "evaluate_start": "2013-03-12T00:00:00Z"}
    release = {"item": "release#r-1", "release": "r-1", "state": "champion", "decisions": AT_RELEASE}
    looked.put(stage.ROUTING, **release, newest={**newest, "decisions": GOOD})
    assert look()["decision"]["reason"] == "no loss"
    looked.put(stage.ROUTING, **release, newest={**newest, "decisions": BAD})
    decision = look()["decision"]
    assert (decision["action"], decision["since"], decision["outcomes"]) == ("retrain", "2013-03-12", 1000)


def test_a_run_that_the_budget_would_refuse_is_not_ordered(looked):
    """Its failure would count as a candidate that brought no release."""
    spent = {"month": f"{datetime.now(UTC):%Y-%m}", "actions": ["stop_training"], "spent_usd": 9, "budget_usd": 10}
    looked.put(stage.ROUTING, item="guard", **spent, at="2013-04-09T00:00:00Z")
    assert (look()["decision"]["reason"], look()["order"]) == ("budget spent", None)
    looked.put(stage.ROUTING, item="guard", **spent, at="2013-04-09T00:00:00Z", undone=["stop_training"])
    assert look()["order"]["run"] == "retrain-2013-04-09"
