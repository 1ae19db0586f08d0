"""The three flows: right by the language, patient with AWS, and asking SageMaker only what it understands."""

import json
import re

import botocore.session
import pytest
from botocore.validate import ParamValidator

from infra.parts.flow import QUOTA
from local.asl.machine import problems
from tests.infra import asl
from tests.infra.flows import CONTEXT, INPUTS, PLAN, RUN, VARIABLES, arguments, definition, every_task, flows, path
from tests.infra.reading import of_type, short
from tests.infra.test_permissions import granted

PACKAGE = {
    "ModelApprovalStatus": "Approved",
    "CustomerMetadataProperties": {"release": VARIABLES["release"], "run": RUN},
    "InferenceSpecification": {"Containers": [{"Image": VARIABLES["image"], "ModelDataUrl": PLAN["model_uri"]}]},
}


def test_the_flows_are_those_of_the_drawing(service):
    found = flows(service)
    assert {name: path(machine, skip=("IsInService", "WaitToLook")) for name, machine in found.items()} == {
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
            "Advance",
            "WhereTo",
            "Promote",
            "KeepPrevious",
            "Retire",
        ],
        "watch": [
            "Begin",
            "ChooseWindow",
            "IsAnythingCaptured",
            "Monitor",
            "JudgeWindow",
            "Decide",
            "IsARunOrdered",
            "StartTraining",
            "RecordRun",
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
        prefix = {"lambda": "Lambda.", "sagemaker": "SageMaker.", "dynamodb": "DynamoDB.", "states": "StepFunctions."}[
            caller
        ]
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
        model = session.get_service_model(BOTOCORE.get(called, called))
        shape = model.operation_model(operation[0].upper() + operation[1:]).input_shape
        found = with_real_names(arguments(name, task))
        found = as_started(found) if called == "states" else found
        report = ParamValidator().validate(found, shape)
        assert not report.has_errors(), f"{name}: {report.generate_report()}"
        assert_limits(found, shape, name)
        checked.append(name)
    assert len(checked) > 25


BOTOCORE = {"applicationautoscaling": "application-autoscaling", "states": "stepfunctions"}


def as_started(arguments: dict) -> dict:
    """Step Functions begins its own names in upper case, and takes the input of an execution as an object."""
    lower = {name[0].lower() + name[1:]: value for name, value in arguments.items()}
    return {**lower, "input": json.dumps(lower["input"])}


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
    assert [len(name) for name in jobs] == [62, 60, 59, 61]  # evaluate, replay, score, monitor
    package = asl.evaluate(
        flows(longest)["release"]["States"]["DescribePackage"]["Assign"],
        {},
        input=INPUTS["DescribePackage"],
        result=PACKAGE,
    )
    assert len(package["endpoint"]) <= 63


def test_a_run_is_named_by_what_it_knows_and_when_it_began_unless_it_has_a_name(service):
    begin = flows(service)["train"]["States"]["Begin"]
    scheduled = {"as_of": "2013-04-01T00:00:00Z"}
    named = {"as_of": "2013-04-01", "run": "mine", "window_days": 30}
    assert asl.evaluate(begin["Assign"], {}, input=scheduled, context=CONTEXT) == {"run": RUN}
    assert asl.evaluate(begin["Output"], {}, input=scheduled, context=CONTEXT) == {"run": RUN, **scheduled}
    assert asl.evaluate(begin["Assign"], {}, input=named, context=CONTEXT) == {"run": "mine"}
    assert asl.evaluate(begin["Output"], {}, input=named, context=CONTEXT) == named


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
