"""The three flows: right by the language, patient with AWS, and asking SageMaker only what it understands."""

import json
import re

import botocore.session
import pytest
from botocore.validate import ParamValidator

from infra.parts.flow import QUOTA
from local.asl.machine import problems
from tests.infra import asl
from tests.infra.reading import of_type, short, text
from tests.infra.test_permissions import granted

MOMENT = "2026-11-22T07:45:00.123Z"
CONTEXT = {"Execution": {"StartTime": MOMENT}, "State": {"EnteredTime": MOMENT, "RetryCount": 1}}
RUN = "train-20130401-20261122T074500Z"
WINDOW = {
    "settings_uri": f"s3://lake/runs/{RUN}/settings/",
    "train_manifest": f"s3://lake/runs/{RUN}/train.manifest",
    "evaluate_manifest": f"s3://lake/runs/{RUN}/evaluate.manifest",
    "artefacts_uri": f"s3://lake/artefacts/{RUN}/",
    "champion": {
        "release": "r-20130301-aaaaaaaa",
        "model_uri": "s3://lake/artefacts/earlier/prior/job/output/model.tar.gz",
    },
}
CANDIDATE = {
    "name": "prior",
    "job": f"flights-prod-{RUN}-prior",
    "hyperparameters": {"candidate": "prior", "seed": "7"},
    "output_uri": f"s3://lake/artefacts/{RUN}/prior",
    "checkpoint_uri": f"s3://lake/scratch/checkpoints/{RUN}/prior/",
}
PLAN = {
    "settings_uri": "s3://lake/batch/b1/settings/",
    "shards_manifest": "s3://lake/batch/b1/settings/shards.manifest",
    "model_uri": "s3://lake/artefacts/a/b/c/output/model.tar.gz",
    "instances": 2,
    "output_uri": "s3://lake/batch/b1/",
}
VARIABLES = {
    "run": RUN,
    "window": WINDOW,
    "plan": PLAN,
    "written": 5,
    "reason": "good",
    "release": "r-20130401-1fbd9a70",
    "endpoint": "flights-prod-r-20130401-1fbd9a70",
    "status": "InService",
    "looks": 3,
    "why": "",
    "made_here": True,
    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/flights-prod:0123456789ab",
    "artefact": PLAN["model_uri"],
    "artefact_sha256": "ab" * 32,
    "signed": {"artefact_sha256": "ab" * 32, "signature": "c2lnbmVk"},
    "model_package_arn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights-prod/1",
    "error": {"Error": "States.TaskFailed", "Cause": "no capacity"},
    "verdict": {
        "verdict": "approved",
        "candidate": "prior",
        "release": "r-20130401-1fbd9a70",
        "reason": "better",
        "model_uri": PLAN["model_uri"],
        "approval_status": "Approved",
        "metadata": {"release": "r-20130401-1fbd9a70", "run": RUN},
    },
}
PACKAGE = {
    "ModelApprovalStatus": "Approved",
    "CustomerMetadataProperties": {"release": VARIABLES["release"], "run": RUN},
    "InferenceSpecification": {"Containers": [{"Image": VARIABLES["image"], "ModelDataUrl": PLAN["model_uri"]}]},
}
INPUTS = {
    "TrainCandidate": CANDIDATE,
    "WriteFile": {"bucket": "lake", "key": "batch/b1/results/0.jsonl.gz"},
    "DescribePackage": {"model_package_arn": VARIABLES["model_package_arn"]},
}


def flows(service: dict) -> dict[str, dict]:
    """{id: definition}, with what refers to other resources put in words."""
    machines = of_type(service, "AWS::StepFunctions::StateMachine")
    return {
        properties["StateMachineName"].rpartition("-")[2]: definition(properties) for properties in machines.values()
    }


def definition(properties: dict) -> dict:
    return json.loads(text(properties["DefinitionString"]))


def every_task(service: dict):
    return [
        (f"{flow}/{name}", task, around)
        for flow, machine in flows(service).items()
        for name, task, around in asl.tasks(machine)
    ]


def arguments(name: str, task: dict, **variables) -> dict:
    given = INPUTS.get(name.rpartition("/")[2], {"run": RUN, "as_of": "2013-04-01"})
    return asl.evaluate(task["Arguments"], {**VARIABLES, **variables}, input=given, context=CONTEXT)


def path(machine: dict, *, skip: tuple = ()) -> list[str]:
    """The states on the way where all goes well: a Choice's first way, except those to skip."""
    name, found = machine["StartAt"], []
    while name:
        found.append(name)
        state = machine["States"][name]
        ways = [choice["Next"] for choice in state.get("Choices", []) if choice["Next"] not in (*skip, *found)]
        name = (ways or [state.get("Next") or state.get("Default")])[0]
    return found


def test_the_flows_are_those_of_the_drawing(service):
    found = flows(service)
    assert {name: path(machine, skip=("IsInService",)) for name, machine in found.items()} == {
        "train": ["Begin", "SelectWindow", "TrainCandidates", "Evaluate", "Judge", "RegisterVerdict", "RecordRun"],
        "release": [
            "DescribePackage",
            "IsApproved",
            "MarkDeploying",
            "VerifyRelease",
            "FindEndpoint",
            "IsThereAlready",
            "CreateModel",
            "CreateEndpointConfig",
            "CreateEndpoint",
            "WaitForEndpoint",
            "DescribeEndpoint",
            "IsInService",
            "TryEndpoint",
            "Promote",
            "KeepPrevious",
            "Retire",
        ],
        "batch": ["Begin", "Preprocess", "IsAnythingLeft", "Score", "IsAnythingStored", "WriteResults", "CloseBatch"],
    }


def test_the_flows_are_right_by_the_language(service, always_on):
    for name, machine in [*flows(service).items(), *flows(always_on["service"]).items()]:
        assert problems(machine) == [], name
        assert (machine["QueryLanguage"], machine["TimeoutSeconds"] > 0) == ("JSONata", True), name


def test_every_task_has_a_limit_a_patient_retry_and_a_catch(service, always_on):
    for name, task, around in [*every_task(service), *every_task(always_on["service"])]:
        assert 0 < task["TimeoutSeconds"] <= 26 * 3600, name
        assert task.get("Catch") or around["Catch"], name
        for retry in task["Retry"]:
            backoff = 1 if retry["ErrorEquals"] == [QUOTA] else 2
            assert retry["JitterStrategy"] == "FULL" and retry["MaxAttempts"] and retry["BackoffRate"] == backoff, name
            assert "States.ALL" not in retry["ErrorEquals"] and "States.TaskFailed" not in retry["ErrorEquals"], name
        last = (task.get("Catch") or around["Catch"])[-1]
        assert last["ErrorEquals"] == ["States.ALL"], name


def test_a_job_beyond_the_account_s_quota_is_tried_again_for_an_hour(service):
    jobs = {name: task for name, task, _ in every_task(service) if task["Resource"].endswith(".sync")}
    assert {name.rpartition("/")[2] for name in jobs} == {"TrainCandidate", "Evaluate", "Score"}
    for name, task in jobs.items():
        retry = task["Retry"][0]
        assert retry["ErrorEquals"] == ["SageMaker.ResourceLimitExceededException"], name
        assert retry["IntervalSeconds"] * retry["MaxAttempts"] == 3600, name


def test_no_more_candidates_are_trained_at_a_time_than_set(service):
    assert flows(service)["train"]["States"]["TrainCandidates"]["MaxConcurrency"] == 3


READABLE = {"Error": "SageMaker.SomeException", "Cause": "it is gone"}
UNREADABLE = {"Error": "SageMaker.SomeException", "Cause": "{cut off"}


@pytest.mark.parametrize("flow", ["train", "batch", "release"])
def test_a_cause_that_cannot_be_read_is_recorded_by_its_error(service, flow):
    states = flows(service)[flow]["States"]
    known = {"error": UNREADABLE, "run": RUN, "release": "r"}
    asl.evaluate(states["RecordFailure"]["Arguments"], {**known, "error": READABLE}, context=CONTEXT)
    with pytest.raises(json.JSONDecodeError):
        asl.evaluate(states["RecordFailure"]["Arguments"], known, context=CONTEXT)
    assert states["RecordFailure"]["Catch"][-1] == {"ErrorEquals": ["States.ALL"], "Next": "RecordError"}
    arguments = asl.evaluate(states["RecordError"]["Arguments"], known, context=CONTEXT)
    assert arguments["ExpressionAttributeValues"][":reason"] == {"S": UNREADABLE["Error"]}


def test_a_flow_outlasts_its_tasks_or_it_would_end_without_a_record_of_why(service, longest):
    for template in (service, longest):
        for name, machine in flows(template).items():
            asked = sum(task["TimeoutSeconds"] for _, task, _ in asl.tasks(machine))
            waited = sum(
                state["Seconds"] for state in machine["States"].values() if isinstance(state.get("Seconds"), int)
            )
            assert machine["TimeoutSeconds"] >= asked + waited, name


def test_a_retry_waits_for_the_errors_of_the_service_that_is_called(service):
    for name, task, _ in every_task(service):
        caller = re.match(r"arn:aws:states:::(?:aws-sdk:)?(\w+):", task["Resource"])[1]
        prefix = {"lambda": "Lambda.", "sagemaker": "SageMaker.", "dynamodb": "DynamoDB."}[caller]
        assert all(error.startswith(prefix) for error in task["Retry"][-1]["ErrorEquals"]), name


def test_errors_that_our_functions_raise_to_be_asked_again_are_retried(service):
    found = {
        name: [error for retry in task["Retry"] for error in retry["ErrorEquals"]]
        for name, task, _ in every_task(service)
    }
    for name, error in {
        "release/TryEndpoint": "EndpointNotReady",
        "release/Promote": "RoutingChanged",
        "batch/WriteFile": "TableBusy",
        "train/SelectWindow": "ClientError",
        "batch/CloseBatch": "EndpointConnectionError",
    }.items():
        assert error in found[name], name


def test_results_wait_ten_minutes_for_a_table_that_is_busy_or_slow(service):
    """Before the three short tries that every function gets: nobody waits for a batch as for an answer."""
    (write,) = (task for name, task, _ in every_task(service) if name == "batch/WriteFile")
    first = write["Retry"][0]
    assert {"TableBusy", "TimedOut", "Unreachable"} == set(first["ErrorEquals"])
    assert sum(first["IntervalSeconds"] * first["BackoffRate"] ** n for n in range(first["MaxAttempts"])) == 630


def test_a_flow_may_call_what_its_tasks_call(service, always_on):
    """IAM names an action as the integration does, and `.sync` needs more, which test_roles.py lists."""
    for template, prefix in ((service, "flights-prod"), (always_on["service"], "flights-test")):
        roles = granted(template)
        for id, properties in of_type(template, "AWS::StepFunctions::StateMachine").items():
            allowed = {line.split()[0] for line in roles[f"{short(id)}Role"]}
            for name, task, _ in asl.tasks(definition(properties)):
                service_, action = re.match(r"arn:aws:states:::(?:aws-sdk:)?(\w+):(\w+)", task["Resource"]).groups()
                service_ = {"applicationautoscaling": "application-autoscaling"}.get(service_, service_)
                action = {"invoke": "InvokeFunction"}.get(action, action[0].upper() + action[1:])
                assert f"{service_}:{action}" in allowed, (prefix, name)


def test_what_is_asked_of_aws_is_what_its_api_takes(service, always_on):
    """Every task's arguments, with real values in place of the expressions, against botocore's own shapes."""
    session = botocore.session.get_session()
    checked = []
    for name, task, _ in [*every_task(service), *every_task(always_on["service"])]:
        called, operation = re.match(r"arn:aws:states:::(?:aws-sdk:)?(\w+):(\w+)", task["Resource"]).groups()
        if called == "lambda":
            continue
        model = session.get_service_model({"applicationautoscaling": "application-autoscaling"}.get(called, called))
        shape = model.operation_model(operation[0].upper() + operation[1:]).input_shape
        found = with_real_names(arguments(name, task))
        report = ParamValidator().validate(found, shape)
        assert not report.has_errors(), f"{name}: {report.generate_report()}"
        assert_limits(found, shape, name)
        checked.append(name)
    assert len(checked) > 25


def with_real_names(arguments: dict) -> dict:
    """What refers to something that exists only once deployed, as it may look then."""
    said = json.dumps(arguments).replace("ACCOUNT", "123456789012").replace("REGION", "us-east-1")
    said = re.sub(r"<\w+Role>", "arn:aws:iam::123456789012:role/flights-prod-role", said)
    return json.loads(re.sub(r"<(\w+)>", r"\1", said))


def assert_limits(value, shape, path: str) -> None:
    """What botocore leaves to the service: lengths, patterns and choices. Java's own classes in patterns are not
    Python's.
    """
    if shape.type_name == "structure":
        for name, inner in value.items():
            assert_limits(inner, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for item in value:
            assert_limits(item, shape.member, f"{path}[]")
    elif shape.type_name == "string":
        assert not shape.enum or value in shape.enum, f"{path}: {value}"
        assert len(value) <= shape.metadata.get("max", 10**6), f"{path}: {value}"
        pattern = shape.metadata.get("pattern", "")
        known = not re.search(r"\\[pu]", pattern)
        assert not (pattern and known) or re.fullmatch(pattern, value), f"{path}: {value} against {pattern}"


def test_the_longest_names_are_not_too_long_for_a_job_or_an_endpoint(longest):
    """Others are cut by whoever makes them: a training job by select_window, roles and queues by CloudFormation."""
    found = {name: arguments(name, task) for name, task, _ in every_task(longest)}
    jobs = [asked["ProcessingJobName"] for asked in found.values() if "ProcessingJobName" in asked]
    assert [len(name) for name in jobs] == [62, 59]  # evaluate, score
    package = asl.evaluate(
        flows(longest)["release"]["States"]["DescribePackage"]["Assign"],
        {},
        input=INPUTS["DescribePackage"],
        result=PACKAGE,
    )
    assert len(package["endpoint"]) <= 63


def test_a_training_job_is_interruptible_isolated_and_bounded(service, always_on):
    (task,) = [task for name, task, _ in every_task(service) if name == "train/TrainCandidate"]
    job = arguments("train/TrainCandidate", task)
    assert job.pop("RoleArn") == "<TrainingJobsRole>"
    assert job.pop("AlgorithmSpecification") == {
        "TrainingImage": "ACCOUNT.dkr.ecr.REGION.amazonaws.com/flights-prod:0123456789ab",
        "TrainingInputMode": "File",
    }
    assert job == {
        "TrainingJobName": f"flights-prod-{RUN}-prior",
        "HyperParameters": {"candidate": "prior", "seed": "7"},
        "InputDataConfig": [
            channel("contract", "S3Prefix", WINDOW["settings_uri"]),
            channel("rows", "ManifestFile", WINDOW["train_manifest"]),
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://lake/artefacts/{RUN}/prior"},
        "CheckpointConfig": {"S3Uri": f"s3://lake/scratch/checkpoints/{RUN}/prior/"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
        "EnableNetworkIsolation": True,
        "Tags": [{"Key": "fairway", "Value": "flights-prod"}],
    }
    (task,) = [task for name, task, _ in every_task(always_on["service"]) if name == "train/TrainCandidate"]
    job = arguments("train/TrainCandidate", task)
    assert (job["EnableManagedSpotTraining"], job["StoppingCondition"]) == (False, {"MaxRuntimeInSeconds": 3600})


def channel(name: str, kind: str, uri: str) -> dict:
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "InputMode": "File", "DataSource": {"S3DataSource": source}}


@pytest.mark.parametrize(
    ("champion", "names"),
    [
        (WINDOW["champion"], ["contract", "rows", "models", "champion"]),
        (None, ["contract", "rows", "models"]),
    ],
)
def test_evaluate_gets_the_champion_where_there_is_one(service, champion, names):
    (task,) = [task for name, task, _ in every_task(service) if name == "train/Evaluate"]
    job = arguments("train/Evaluate", task, window={**WINDOW, "champion": champion})
    assert [given["InputName"] for given in job["ProcessingInputs"]] == names
    assert job["ProcessingInputs"][1]["S3Input"] == {
        "S3Uri": WINDOW["evaluate_manifest"],
        "LocalPath": "/opt/ml/processing/input/rows",
        "S3DataType": "ManifestFile",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    assert job["ProcessingJobName"] == "flights-prod-evaluate-261122T074500-1"
    assert job["AppSpecification"]["ContainerArguments"] == ["evaluate"]
    assert job["NetworkConfig"] == {"EnableNetworkIsolation": True}


@pytest.mark.parametrize(
    ("model", "names"), [(PLAN["model_uri"], ["contract", "rows", "model"]), (None, ["contract", "rows"])]
)
def test_score_shares_the_files_and_needs_no_model_before_the_first_release(service, model, names):
    (task,) = [task for name, task, _ in every_task(service) if name == "batch/Score"]
    job = arguments("batch/Score", task, plan={**PLAN, "model_uri": model})
    assert [given["InputName"] for given in job["ProcessingInputs"]] == names
    assert job["ProcessingInputs"][1]["S3Input"]["S3DataDistributionType"] == "ShardedByS3Key"
    assert job["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
    assert {out["OutputName"]: out["S3Output"]["S3UploadMode"] for out in job["ProcessingOutputConfig"]["Outputs"]} == {
        "predictions": "Continuous",
        "quarantine": "Continuous",
        "results": "Continuous",
        "summary": "Continuous",
    }


def test_a_run_is_named_by_what_it_knows_and_when_it_began_unless_it_has_a_name(service):
    begin = flows(service)["train"]["States"]["Begin"]
    scheduled = {"as_of": "2013-04-01T00:00:00Z"}
    named = {"as_of": "2013-04-01", "run": "mine", "window_days": 30}
    assert asl.evaluate(begin["Assign"], {}, input=scheduled, context=CONTEXT) == {"run": RUN}
    assert asl.evaluate(begin["Output"], {}, input=scheduled, context=CONTEXT) == {"run": RUN, **scheduled}
    assert asl.evaluate(begin["Assign"], {}, input=named, context=CONTEXT) == {"run": "mine"}
    assert asl.evaluate(begin["Output"], {}, input=named, context=CONTEXT) == named


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
        "attribute_not_exists(#state) OR NOT #state IN (:deploying, :canary, :rolled_back) "
        "OR (#state = :deploying AND deploying_since < :stuck)"
    )
    assert asked["ExpressionAttributeValues"] == {
        ":deploying": {"S": "deploying"},
        ":canary": {"S": "canary"},
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
}


def test_a_release_is_champion_at_once_where_no_shares_are_set(service):
    states = flows(service)["release"]["States"]
    assert states["TryEndpoint"]["Next"] == "Promote"
    assert not states.keys() & {"Advance", "WaitToLook", "StepBack"}


def test_a_release_is_looked_at_until_it_is_champion_or_has_ended(always_on):
    states = flows(always_on["service"])["release"]["States"]
    assert states["TryEndpoint"]["Next"] == "Advance"
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


@pytest.mark.parametrize(("left", "next"), [(PLAN["shards_manifest"], "Score"), (None, "IsAnythingStored")])
def test_a_batch_that_is_scored_already_is_only_written(service, left, next):
    assert chosen(flows(service)["batch"]["States"]["IsAnythingLeft"], plan={**PLAN, "shards_manifest": left}) == next


@pytest.mark.parametrize(("store", "next"), [(True, "WriteResults"), (False, "CloseBatch")])
def test_a_batch_that_stores_nothing_is_not_handed_to_the_map(service, store, next):
    state = flows(service)["batch"]["States"]["IsAnythingStored"]
    assert chosen(state, plan={**PLAN, "store": store}) == next
    assert state["Assign"] == {"written": 0}


@pytest.mark.parametrize(
    ("results", "written"), [([], 0), ([{"written": 5}], 5), ([{"written": 5}, {"written": 2}], 7)]
)
def test_what_was_written_is_added_up(service, results, written):
    assign = flows(service)["batch"]["States"]["WriteResults"]["Assign"]
    assert asl.evaluate(assign, {}, result=results) == {"written": written}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            {"Error": "NoRows", "Cause": '{"errorMessage": "no rows to train on", "errorType": "NoRows"}'},
            "NoRows: no rows to train on",
        ),
        (
            {"Error": "States.TaskFailed", "Cause": '{"TrainingJobName": "a", "FailureReason": "ClientError: 2"}'},
            "States.TaskFailed: ClientError: 2",
        ),
        (
            {"Error": "States.TaskFailed", "Cause": '{"TrainingJobStatus": "Stopped"}'},
            'States.TaskFailed: {"TrainingJobStatus": "Stopped"}',
        ),
        ({"Error": "States.Timeout", "Cause": ""}, "States.Timeout: "),
        (
            {
                "Error": "States.TaskFailed",
                "Cause": '{"ProcessingJobName": "score-1", "ProcessingJobStatus": "Stopped"}',
            },
            "States.TaskFailed: the job score-1 ended as Stopped",
        ),
        (
            {"Error": "States.TaskFailed", "Cause": '{"TrainingJobName": "train-1", "TrainingJobStatus": "Stopped"}'},
            "States.TaskFailed: the job train-1 ended as Stopped",
        ),
    ],
)
def test_why_a_run_failed_is_recorded_in_words(service, error, reason):
    for flow in ("train", "batch", "release"):
        values = flows(service)[flow]["States"]["RecordFailure"]["Arguments"]["ExpressionAttributeValues"]
        assert asl.evaluate(values, {**VARIABLES, "error": error}, context=CONTEXT)[":reason"] == {"S": reason}


def chosen(choice: dict, **variables) -> str:
    ways = [way["Next"] for way in choice["Choices"] if asl.evaluate(way["Condition"], {**VARIABLES, **variables})]
    return [*ways, choice["Default"]][0]


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
