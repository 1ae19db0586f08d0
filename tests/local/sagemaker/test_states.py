"""SageMaker in Step Functions and EventBridge: `.sync`, errors by name, stopping, IAM, and state-change events."""

import json

import pytest

from tests.local.sagemaker.conftest import IMAGE, make_role, wait_until
from tests.local.sagemaker.test_training import job


@pytest.fixture(scope="module")
def states(gateway):
    return gateway.client("stepfunctions")


@pytest.fixture(scope="module")
def flow_role(gateway):
    return make_role(gateway, "flow", "sagemaker:*", "iam:PassRole", "events:*", service="states")


@pytest.fixture(scope="module")
def events(gateway):
    """A function that gives the aws.sagemaker events of one resource name, as (detail type, detail)."""
    sqs, bridge = gateway.client("sqs"), gateway.client("events")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={
            "Policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "events.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": arn,
                        }
                    ],
                }
            )
        },
    )
    bridge.put_rule(Name="sagemaker", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    bridge.put_targets(Rule="sagemaker", Targets=[{"Id": "queue", "Arn": arn}])
    seen = []

    def of(name: str) -> list[tuple[str, dict]]:
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                seen.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [(event["detail-type"], event["detail"]) for event in seen if name in json.dumps(event["resources"])]

    return of


def machine(states, role: str, name: str, resource: str, arguments: dict, **more) -> str:
    definition = {
        "StartAt": "Do",
        "QueryLanguage": "JSONata",
        "States": {
            "Do": {
                "Type": "Task",
                "Resource": f"arn:aws:states:::{resource}",
                "Arguments": arguments,
                "End": True,
                **more,
            }
        },
    }
    return states.create_state_machine(name=name, roleArn=role, definition=json.dumps(definition))["stateMachineArn"]


def run(states, role: str, name: str, resource: str, arguments: dict, **more) -> dict:
    return ended(
        states,
        states.start_execution(stateMachineArn=machine(states, role, name, resource, arguments, **more))[
            "executionArn"
        ],
    )


def ended(states, execution: str) -> dict:
    def over():
        found = states.describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    return wait_until(over, what="the end of the execution")


def test_sync_waits_for_the_job_and_returns_what_describe_says(states, flow_role, role, sagemaker):
    done = run(states, flow_role, "train", "sagemaker:createTrainingJob.sync", job("by-flow", role))
    output = json.loads(done["output"])
    assert (done["status"], output["TrainingJobStatus"]) == ("SUCCEEDED", "Completed")
    assert output["ModelArtifacts"] == {"S3ModelArtifacts": "s3://lab/out/by-flow/output/model.tar.gz"}
    created = sagemaker.describe_training_job(TrainingJobName="by-flow")["CreationTime"]
    assert output["CreationTime"] == int(created.timestamp() * 1000)


def test_a_computed_number_is_sent_whole(states, flow_role, role, sagemaker):
    request = job("computed", role)
    request["ResourceConfig"]["InstanceCount"] = "{% 4 / 2 %}"
    done = run(states, flow_role, "computed", "sagemaker:createTrainingJob.sync", request)
    assert json.loads(done["output"])["ResourceConfig"]["InstanceCount"] == 2


def test_without_sync_the_job_is_only_started(states, flow_role, role):
    done = run(states, flow_role, "start", "sagemaker:createTrainingJob", job("started", role))
    assert json.loads(done["output"])["TrainingJobArn"].endswith(":training-job/started")


def test_a_failed_job_fails_the_task_with_the_job_as_its_cause(states, flow_role, role):
    failing = job("flow-fails", role, parameters={"fail": "no"})
    done = run(states, flow_role, "fail", "sagemaker:createTrainingJob.sync", failing)
    assert (done["status"], done["error"]) == ("FAILED", "States.TaskFailed")
    cause = json.loads(done["cause"])
    assert (cause["TrainingJobStatus"], cause["FailureReason"]) == ("Failed", "AlgorithmError: no, exit code: 3")


@pytest.mark.parametrize(
    ("name", "resource", "arguments", "error", "words"),
    [
        (
            "missing",
            "sagemaker:createEndpoint",
            {"EndpointName": "e", "EndpointConfigName": "none"},
            "SageMaker.AmazonSageMakerException",
            "Error Code: ValidationException",
        ),
        (
            "unknown-field",
            "sagemaker:createEndpoint",
            {"EndpointName": "e", "EndpointConfigName": "c", "Colour": "red"},
            "SageMaker.AmazonSageMakerException",
            "Colour",
        ),
        (
            "sdk-missing",
            "aws-sdk:sagemaker:describeEndpoint",
            {"EndpointName": "none"},
            "SageMaker.SageMakerException",
            "Could not find endpoint",
        ),
    ],
)
def test_an_error_of_the_service_has_the_name_that_a_catch_expects(
    states, flow_role, name, resource, arguments, error, words
):
    done = run(states, flow_role, name, resource, arguments)
    assert (done["status"], done["error"]) == ("FAILED", error)
    assert words in done["cause"]


@pytest.mark.parametrize("resource", ["sagemaker:describeEndpoint", "sagemaker:createEndpoint.sync"])
def test_what_is_not_an_integration_of_sagemaker_is_refused_when_the_machine_is_made(states, flow_role, resource):
    with pytest.raises(states.exceptions.InvalidDefinition, match=f"{resource} is not recognized at /States/"):
        run(states, flow_role, "no-integration", resource, {"EndpointName": "none"})


def test_an_existing_job_is_resource_in_use(states, flow_role, role, sagemaker):
    sagemaker.create_training_job(**job("twice", role))
    done = run(states, flow_role, "twice", "sagemaker:createTrainingJob.sync", job("twice", role))
    assert done["error"] == "SageMaker.ResourceInUseException"


def test_the_sdk_integration_returns_the_response(states, flow_role, sagemaker):
    sagemaker.create_model_package_group(ModelPackageGroupName="flow-group")
    done = run(
        states,
        flow_role,
        "package",
        "aws-sdk:sagemaker:createModelPackage",
        {
            "ModelPackageGroupName": "flow-group",
            "ModelApprovalStatus": "Approved",
            "CustomerMetadataProperties": {"release": "r1"},
            "InferenceSpecification": {
                "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://lab/models/model.tar.gz"}]
            },
        },
    )
    assert json.loads(done["output"])["ModelPackageArn"].endswith(":model-package/flow-group/1")
    found = run(
        states,
        flow_role,
        "read",
        "aws-sdk:sagemaker:describeModelPackage",
        {"ModelPackageName": json.loads(done["output"])["ModelPackageArn"]},
    )
    assert json.loads(found["output"])["CustomerMetadataProperties"] == {"release": "r1"}


def test_stopping_an_execution_stops_the_job_that_it_waits_for(states, flow_role, role, sagemaker):
    slow = job("flow-stops", role, parameters={"sleep_s": 60})
    execution = states.start_execution(
        stateMachineArn=machine(
            states,
            flow_role,
            "stop",
            "sagemaker:createTrainingJob.sync",
            slow,
            Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 3, "IntervalSeconds": 1}],
        )
    )["executionArn"]
    wait_until(lambda: sagemaker.list_training_jobs(NameContains="flow-stops")["TrainingJobSummaries"])
    states.stop_execution(executionArn=execution)
    wait_until(lambda: sagemaker.describe_training_job(TrainingJobName="flow-stops")["TrainingJobStatus"] == "Stopped")
    assert states.describe_execution(executionArn=execution)["status"] == "ABORTED"


def test_a_task_over_its_time_stops_the_job(states, flow_role, role, sagemaker):
    done = run(
        states,
        flow_role,
        "slow",
        "sagemaker:createTrainingJob.sync",
        job("flow-slow", role, parameters={"sleep_s": 60}),
        TimeoutSeconds=1,
    )
    assert done["error"] == "States.Timeout"
    wait_until(lambda: sagemaker.describe_training_job(TrainingJobName="flow-slow")["TrainingJobStatus"] == "Stopped")


@pytest.mark.parametrize(
    ("allowed", "missing"),
    [
        (["iam:PassRole", "events:*"], "sagemaker:CreateTrainingJob"),
        (["sagemaker:*", "events:*"], "iam:PassRole"),
        (["sagemaker:CreateTrainingJob", "iam:PassRole", "events:*"], "sagemaker:DescribeTrainingJob"),
        (["sagemaker:*", "iam:PassRole"], "events:PutTargets"),
    ],
)
def test_a_state_machine_may_do_what_its_role_may(states, gateway, role, allowed, missing):
    name = missing.replace(":", "-")
    done = run(
        states,
        make_role(gateway, f"flow-without-{name}", *allowed, service="states"),
        f"denied-{name}",
        "sagemaker:createTrainingJob.sync",
        job(f"denied-{name}", role),
    )
    assert done["error"] == "SageMaker.AmazonSageMakerException"
    assert f"is not authorized to perform: {missing}" in done["cause"] and "AccessDeniedException" in done["cause"]


def test_every_change_of_a_job_is_an_event(events, sagemaker, role):
    sagemaker.create_training_job(**job("told", role, parameters={"depth": 1}))
    wait_until(lambda: any(detail["TrainingJobStatus"] == "Completed" for _, detail in events("training-job/told")))
    told = events("training-job/told")
    assert {kind for kind, _ in told} == {"SageMaker Training Job State Change"}
    assert sorted({detail["SecondaryStatus"] for _, detail in told}) == [
        "Completed",
        "Downloading",
        "Starting",
        "Training",
        "Uploading",
    ]
    last = next(detail for _, detail in told if detail["SecondaryStatus"] == "Completed")
    assert last["HyperParameters"] == {"depth": "1"} and isinstance(last["CreationTime"], int)


def test_creating_and_approving_a_package_are_events_that_a_rule_can_match(events, sagemaker):
    sagemaker.create_model_package_group(ModelPackageGroupName="told-group")
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="told-group", InferenceSpecification={"Containers": [{"Image": IMAGE}]}
    )["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    told = wait_until(lambda: (found := events(arn)) and len(found) == 2 and found)
    assert [
        (kind, detail["ModelPackageGroupName"], detail["ModelApprovalStatus"], detail.get("UpdatedModelPackageFields"))
        for kind, detail in told
    ] == [
        ("SageMaker Model Package State Change", "told-group", "PendingManualApproval", None),
        ("SageMaker Model Package State Change", "told-group", "Approved", ["ModelApprovalStatus"]),
    ]


def test_an_endpoint_tells_its_states_in_capitals(events, sagemaker, role):
    sagemaker.create_model(ModelName="told", ExecutionRoleArn=role, PrimaryContainer={"Image": IMAGE})
    sagemaker.create_endpoint_config(
        EndpointConfigName="told",
        ProductionVariants=[
            {
                "VariantName": "all",
                "ModelName": "told",
                "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1},
            }
        ],
    )
    sagemaker.create_endpoint(EndpointName="told", EndpointConfigName="told")
    wait_until(lambda: sagemaker.describe_endpoint(EndpointName="told")["EndpointStatus"] == "InService")
    sagemaker.delete_endpoint(EndpointName="told")
    told = wait_until(lambda: (found := events("endpoint/told")) and len(found) == 3 and found)
    assert [detail["EndpointStatus"] for _, detail in told] == ["CREATING", "IN_SERVICE", "DELETING"]
    assert {kind for kind, _ in told} == {"SageMaker Endpoint State Change"}
