"""The Release flow: endpoints made and removed, and the way to champion."""

import pytest

from domain.release.state import REPLAYING
from infra.parts.flow import QUOTA
from tests.infra import asl
from tests.infra.flows import CONTEXT, MOMENT, REPLAY, VARIABLES, arguments, chosen, every_task, flows


@pytest.mark.parametrize(
    ("status", "looks", "next"),
    [
        ("InService", 3, "TryEndpoint"),
        ("Creating", 3, "WaitForEndpoint"),
        ("Creating", 70, "Undo"),
        ("Failed", 3, "Undo"),
    ],
)
def test_a_new_endpoint_is_waited_for_but_not_for_ever(service, status, looks, next):
    states = flows(service)["release"]["States"]
    assert chosen(states["IsInService"], status=status, looks=looks) == next
    waits = [asl.evaluate(states["WaitForEndpoint"]["Seconds"], {"looks": look}) for look in range(70)]
    assert (waits[0], max(waits), sum(waits)) == (1, 30, 1665)


@pytest.mark.parametrize(
    ("endpoints", "next"),
    [
        ([], "CreateModel"),
        ([{"EndpointName": "flights-prod-r-20130401-1fbd9a70-other", "EndpointStatus": "InService"}], "CreateModel"),
        ([{"EndpointName": "flights-prod-r-20130401-1fbd9a70", "EndpointStatus": "Creating"}], "IsInService"),
    ],
)
def test_an_endpoint_that_is_there_already_is_taken_up(service, endpoints, next):
    states = flows(service)["release"]["States"]
    found = asl.evaluate(states["FindEndpoint"]["Assign"], VARIABLES, result={"Endpoints": endpoints})
    assert chosen(states["IsThereAlready"], **found) == next


def test_one_execution_deploys_a_release_at_a_time_and_one_that_was_killed_blocks_nobody_for_long(service):
    mark = flows(service)["release"]["States"]["MarkDeploying"]
    asked = asl.evaluate(mark["Arguments"], VARIABLES, context=CONTEXT)
    assert asked["ConditionExpression"] == (
        "attribute_not_exists(#state) OR NOT #state IN (:deploying, :canary, :challenger, :rolled_back) "
        "OR (#state = :deploying AND deploying_since < :stuck)"
    )
    assert asked["ExpressionAttributeValues"] == {
        ":deploying": {"S": "deploying"},
        ":canary": {"S": "canary"},
        ":challenger": {"S": "challenger"},
        ":rolled_back": {"S": "rolled back"},
        ":now": {"S": MOMENT},
        ":stuck": {"S": "2026-11-22T05:45:00.123Z"},
    }
    assert mark["Catch"][0]["ErrorEquals"] == ["DynamoDB.ConditionalCheckFailedException"]
    assert mark["Catch"][0]["Next"] == "DoneByAnother"


ASKED = {
    "rollout": f"r-20130401-1fbd9a70/{MOMENT}",
    "release": "r-20130401-1fbd9a70",
    "endpoint": "flights-prod-r-20130401-1fbd9a70",
    "asked_at": MOMENT,
    "experiment": {},
}


EXPERIMENT = {"share": 0.5, "metric": "value", "users": 10_000, "days": 14.0, "by": "a person", "before": "waiting"}


@pytest.mark.parametrize(
    ("approval", "experiment", "next"),
    [
        ("Approved", {}, "MarkDeploying"),
        ("Approved", EXPERIMENT, "MarkDeploying"),
        ("PendingManualApproval", EXPERIMENT, "MarkDeploying"),
        ("PendingManualApproval", {}, "NotApproved"),
        ("Rejected", EXPERIMENT, "NotApproved"),
    ],
)
def test_a_release_that_waits_for_its_approval_may_be_compared_and_not_promoted(service, approval, experiment, next):
    states = flows(service)["release"]["States"]
    assert chosen(states["IsApproved"], approval=approval, experiment=experiment) == next


def test_an_experiment_goes_with_every_look_and_one_that_fails_to_begin_leaves_the_release_as_it_was(service):
    states = flows(service)["release"]["States"]
    variables = {**VARIABLES, "experiment": EXPERIMENT}
    asked = asl.evaluate(states["Advance"]["Arguments"]["Payload"], variables, context=CONTEXT)
    assert asked == {**ASKED, "experiment": EXPERIMENT}
    for given, state in ((EXPERIMENT, "waiting"), ({}, "failed")):
        record = states["RecordError"]["Arguments"]
        values = asl.evaluate(record["ExpressionAttributeValues"], {**VARIABLES, "experiment": given})
        assert values[":failed"] == {"S": state}


def test_a_release_is_replayed_before_its_rollout_and_ends_there_where_the_replay_stops_it(always_on):
    states = flows(always_on["service"])["release"]["States"]
    assert states["TryEndpoint"]["Next"] == "PlanReplay"
    planned = asl.evaluate(states["PlanReplay"]["Arguments"]["Payload"], VARIABLES, context=CONTEXT)
    assert planned == {
        "release": "r-20130401-1fbd9a70",
        "run": VARIABLES["run"],
        "artefact_sha256": "ab" * 32,
        "at": MOMENT,
    }
    replay = {**REPLAY, "why": "it was champion before"}
    assert [chosen(states["IsReplayed"], replay=one) for one in (REPLAY, replay)] == ["Replay", "JudgeReplay"]
    asked = asl.evaluate(states["JudgeReplay"]["Arguments"]["Payload"], {**VARIABLES, "replay": replay})
    assert asked == {"release": "r-20130401-1fbd9a70", "run": VARIABLES["run"], "why": "it was champion before"}
    for go_on, next in ((True, "Advance"), (False, "Undo")):
        answer = {"go_on": go_on, "reason": "flips: 40 %"}
        ended = asl.evaluate(states["JudgeReplay"]["Assign"], VARIABLES, result={"Payload": answer})
        assert ended == {"ended": not go_on, "error": {"Error": "replay", "Cause": "flips: 40 %"}}
        assert chosen(states["MayGoOn"], **ended) == next
    assert (states["Replay"]["Next"], states["PaceReplay"]["Next"]) == ("PaceReplay", "JudgeReplay")
    asked = asl.evaluate(states["PaceReplay"]["Arguments"]["Payload"], VARIABLES)
    assert asked == {"release": VARIABLES["release"], "endpoint": VARIABLES["endpoint"], "run": VARIABLES["run"]}
    for name in ("PlanReplay", "Replay", "PaceReplay", "JudgeReplay"):
        assert states[name]["Catch"][-1]["Next"] == "Undo"


def test_the_replays_job_reads_both_artefacts_and_the_rows_without_a_network(always_on):
    (task,) = [task for name, task, _ in every_task(always_on["service"]) if name == "release/Replay"]
    job = asl.evaluate(task["Arguments"], {**VARIABLES, "replay": REPLAY}, context=CONTEXT)
    assert {one["InputName"]: one["S3Input"]["S3Uri"] for one in job["ProcessingInputs"]} == {
        "contract": REPLAY["settings_uri"],
        "rows": REPLAY["rows_manifest"],
        "champion": REPLAY["champion_uri"],
        "release": VARIABLES["artefact"],
    }
    outputs = {one["OutputName"]: one["S3Output"]["S3Uri"] for one in job["ProcessingOutputConfig"]["Outputs"]}
    assert outputs == {"replay": REPLAY["output_uri"], "paced": REPLAY["paced_uri"]}
    assert job["AppSpecification"]["ContainerArguments"] == ["replay"]
    assert job["NetworkConfig"] == {"EnableNetworkIsolation": True}
    assert len(job["ProcessingJobName"]) <= 63


@pytest.mark.parametrize("shares", ["none", "three"])
def test_a_release_is_looked_at_until_it_is_champion_or_has_ended(service, always_on, shares):
    states = flows(service if shares == "none" else always_on["service"])["release"]["States"]
    assert states["TryEndpoint"]["Next"] == ("Advance" if shares == "none" else "PlanReplay")
    look = states["Advance"]
    assert asl.evaluate(look["Arguments"]["Payload"], VARIABLES, context=CONTEXT) == ASKED
    answer = {"next": "wait", "seconds": 60, "state": "canary", "reason": "holds at 5 %: 9 answers of 1,000"}
    assigned = asl.evaluate(look["Assign"], VARIABLES, result={"Payload": answer})
    assert assigned == {
        "next": "wait",
        "seconds": 60,
        "ended": False,
        "error": {"Error": "canary", "Cause": "holds at 5 %: 9 answers of 1,000"},
    }
    assert [chosen(states["WhereTo"], next=next) for next in ("wait", "promote", "end")] == [
        "WaitToLook",
        "Promote",
        "LetGo",
    ]
    assert asl.evaluate(states["WaitToLook"]["Seconds"], {"seconds": 60}) == 60
    assert (states["WaitToLook"]["Next"], states["LetGo"]["Seconds"], states["LetGo"]["Next"]) == (
        "Advance",
        10,
        "Undo",
    )
    assert [chosen(states["HowItEnded"], ended=ended) for ended in (True, False)] == ["GaveWay", "RecordFailure"]


def test_a_flow_that_fails_in_a_rollout_gives_its_share_back_before_its_endpoint_goes(always_on):
    states = flows(always_on["service"])["release"]["States"]
    for name in ("Advance", "Promote"):
        assert states[name]["Catch"][-1]["Next"] == "StepBack"
    back = states["StepBack"]
    failed = "States.TaskFailed: no capacity"
    assert asl.evaluate(back["Arguments"]["Payload"], VARIABLES, context=CONTEXT) == {**ASKED, "failed": failed}
    assert (back["Next"], back["Catch"]) == ("WhereTo", [{"ErrorEquals": ["States.ALL"], "Next": "RecordFailure"}])


@pytest.mark.parametrize(("made_here", "next"), [(True, "FindWhatIsLeft"), (False, "HowItEnded")])
def test_a_failed_release_removes_only_what_it_made(service, made_here, next):
    assert chosen(flows(service)["release"]["States"]["Undo"], made_here=made_here) == next


@pytest.mark.parametrize(
    ("status", "looks", "next"),
    [
        ("none", 0, "DeleteEndpointConfig"),
        ("Failed", 0, "DeleteEndpoint"),
        ("InService", 0, "DeleteEndpoint"),
        ("Creating", 119, "WaitToUndo"),
        ("Creating", 120, "HowItEnded"),
    ],
)
def test_an_endpoint_that_is_still_made_is_removed_later_or_left_to_reap(service, status, looks, next):
    states = flows(service)["release"]["States"]
    assert chosen(states["MayItGo"], status=status, undo_looks=looks) == next
    assert states["WaitToUndo"]["Seconds"] * 120 < flows(service)["release"]["TimeoutSeconds"]


def test_hosting_is_serverless_or_instances_that_follow_the_requests(service, always_on):
    def config(template):
        (task,) = [task for name, task, _ in every_task(template) if name == "release/CreateEndpointConfig"]
        return arguments("release/CreateEndpointConfig", task)["ProductionVariants"]

    name = VARIABLES["endpoint"]
    assert config(service) == [
        {"VariantName": "model", "ModelName": name, "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}
    ]
    assert config(always_on["service"]) == [
        {
            "VariantName": "model",
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 2,
            "InitialVariantWeight": 1,
        }
    ]
    (task,) = [task for name, task, _ in every_task(always_on["service"]) if name == "release/FollowTheRequests"]
    assert arguments("release/FollowTheRequests", task) == {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/model",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": 2,
        "MaxCapacity": 8,
    }


@pytest.mark.parametrize(
    ("approval", "experiment", "next"),
    [
        ("Approved", {}, "MarkDeploying"),
        ("PendingManualApproval", {}, "NotApproved"),
        ("PendingManualApproval", {"share": 0.5, "before": "waiting"}, "MarkDeploying"),
        ("Approved", {"share": 0.5, "before": "champion", "threshold": 0.4}, "Advance"),
    ],
)
def test_the_champion_at_another_threshold_is_neither_marked_nor_deployed_again(service, approval, experiment, next):
    states = flows(service)["release"]["States"]
    assert chosen(states["IsApproved"], approval=approval, experiment=experiment) == next


def test_what_an_experiment_compared_is_what_is_promoted(service):
    promote = flows(service)["release"]["States"]["Promote"]
    for experiment in ({}, {"threshold": 0.4}):
        assert arguments("release/Promote", promote, experiment=experiment)["Payload"]["experiment"] == experiment


def test_a_replay_that_waits_for_its_machine_ends_before_its_release_counts_as_stuck(always_on):
    states = flows(always_on["service"])["release"]["States"]
    replay = states["Replay"]
    (quota,) = [one for one in replay["Retry"] if QUOTA in one["ErrorEquals"]]
    around = [states[name]["TimeoutSeconds"] * 4 for name in ("PlanReplay", "PaceReplay", "JudgeReplay")]
    longest_s = replay["TimeoutSeconds"] + quota["IntervalSeconds"] * quota["MaxAttempts"] + sum(around)
    assert longest_s < REPLAYING.total_seconds()
    asked = asl.evaluate(states["MarkDeploying"]["Arguments"], VARIABLES, context=CONTEXT)
    assert asked["ExpressionAttributeValues"][":stuck"] == {"S": "2026-11-22T01:45:00.123Z"}
