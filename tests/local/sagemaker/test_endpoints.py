"""Models, endpoint configurations, endpoints and InvokeEndpoint, with the limits and errors of the real service."""

import json
import os
import signal
import sys
import threading
import time
from collections import Counter

import pytest
from botocore.exceptions import ClientError

from tests.local.sagemaker.conftest import IMAGE, make_role, wait_until


def make_model(sagemaker, role: str, name: str, **environment: str) -> str:
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=role,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://lab/models/model.tar.gz", "Environment": environment},
    )
    return name


def instance(model: str, *, variant: str = "all", weight: float = 1, count: int = 1) -> dict:
    return {
        "VariantName": variant,
        "ModelName": model,
        "InitialInstanceCount": count,
        "InstanceType": "ml.m5.large",
        "InitialVariantWeight": weight,
    }


def serverless(model: str, *, memory: int = 2048, concurrency: int = 5) -> dict:
    return {
        "VariantName": "all",
        "ModelName": model,
        "ServerlessConfig": {"MemorySizeInMB": memory, "MaxConcurrency": concurrency},
    }


def make_endpoint(sagemaker, name: str, *variants: dict) -> dict:
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=list(variants))
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    return settled(sagemaker, name)


def settled(sagemaker, name: str) -> dict:
    return wait_until(
        lambda: (
            (found := sagemaker.describe_endpoint(EndpointName=name))["EndpointStatus"] in ("InService", "Failed")
            and found
        ),
        what=f"endpoint {name}",
    )


def ask(runtime, endpoint: str, body: str = "hello", **more) -> dict:
    answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="application/json", Body=body, **more)
    return json.loads(answer["Body"].read())


@pytest.fixture(scope="module")
def runtime(gateway):
    return gateway.client("sagemaker-runtime")


@pytest.fixture(scope="module")
def split(sagemaker, role):
    """Two variants, nine to one."""
    variants = [
        instance(make_model(sagemaker, role, name, FLAVOUR=name), variant=name, weight=weight)
        for name, weight in (("plum", 9), ("pear", 1))
    ]
    return make_endpoint(sagemaker, "split", *variants)


@pytest.fixture(scope="module")
def small(sagemaker, role):
    """A serverless endpoint that answers two at a time."""
    return make_endpoint(sagemaker, "small", serverless(make_model(sagemaker, role, "small-model"), concurrency=2))


def test_an_endpoint_serves_its_variants_by_weight(split, runtime):
    assert split["EndpointStatus"] == "InService"
    assert [
        (shown["VariantName"], shown["CurrentWeight"], shown["CurrentInstanceCount"])
        for shown in split["ProductionVariants"]
    ] == [("plum", 9.0, 1), ("pear", 1.0, 1)]
    counts = Counter(ask(runtime, "split")["flavour"] for _ in range(100))
    assert counts["plum"] > counts["pear"] > 0


def test_the_model_data_is_unpacked_and_what_the_caller_adds_is_passed_on(split, runtime):
    answer = runtime.invoke_endpoint(
        EndpointName="split",
        ContentType="application/json",
        Body="hello",
        Accept="*/*",
        TargetVariant="pear",
        InferenceId="abc",
        CustomAttributes="colour=red",
    )
    found = json.loads(answer["Body"].read())
    assert (answer["ContentType"], answer["InvokedProductionVariant"], answer["CustomAttributes"]) == (
        "application/json",
        "pear",
        "colour=red",
    )
    assert {**found, "process": 0} == {
        "flavour": "pear",
        "model": ["weights"],
        "body": "hello",
        "process": 0,
        "inference_id": "abc",
    }


def test_weights_and_instance_counts_change_without_an_outage(split, sagemaker, runtime):
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="split",
        DesiredWeightsAndCapacities=[
            {"VariantName": "plum", "DesiredWeight": 0},
            {"VariantName": "pear", "DesiredWeight": 1, "DesiredInstanceCount": 2},
        ],
    )
    assert ask(runtime, "split")
    shown = settled(sagemaker, "split")["ProductionVariants"]
    assert [(item["CurrentWeight"], item["CurrentInstanceCount"]) for item in shown] == [(0.0, 1), (1.0, 2)]
    answers = [ask(runtime, "split") for _ in range(8)]
    assert {answer["flavour"] for answer in answers} == {"pear"} and len({answer["process"] for answer in answers}) == 2


def test_an_update_moves_to_the_new_configuration_and_a_broken_one_leaves_the_old_serving(sagemaker, role, runtime):
    make_endpoint(sagemaker, "moving", instance(make_model(sagemaker, role, "old", FLAVOUR="old")))
    sagemaker.create_endpoint_config(
        EndpointConfigName="moving-2",
        ProductionVariants=[serverless(make_model(sagemaker, role, "new", FLAVOUR="new"))],
    )
    sagemaker.update_endpoint(EndpointName="moving", EndpointConfigName="moving-2")
    assert ask(runtime, "moving")["flavour"] == "old"
    assert settled(sagemaker, "moving")["EndpointConfigName"] == "moving-2"
    assert ask(runtime, "moving")["flavour"] == "new"
    broken = instance(make_model(sagemaker, role, "sick", SICK="yes"))
    with pytest.raises(ClientError, match="in-progress endpoint"):  # noqa: PT012 - the answer is read inside too
        sagemaker.create_endpoint_config(EndpointConfigName="moving-3", ProductionVariants=[broken])
        sagemaker.update_endpoint(EndpointName="moving", EndpointConfigName="moving-3")
        sagemaker.update_endpoint(EndpointName="moving", EndpointConfigName="moving-2")
    assert ask(runtime, "moving")["flavour"] == "new"


def test_a_container_that_exits_fails_the_endpoint_with_the_reason(sagemaker, role):
    sagemaker.create_model(
        ModelName="broken",
        ExecutionRoleArn=role,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://lab/models/none.tar.gz"},
    )
    failed = make_endpoint(sagemaker, "broken", instance("broken"))
    assert failed["EndpointStatus"] == "Failed"
    assert "production variant all did not pass the ping health check" in failed["FailureReason"]
    assert "s3://lab/models/none.tar.gz" in failed["FailureReason"]


def test_an_image_with_a_manifest_of_oci_is_not_hosted(gateway, sagemaker, role):
    ecr = gateway.client("ecr")
    ecr.create_repository(repositoryName="pushed")
    for tag, kind in (("oci", "oci.image.manifest.v1"), ("docker", "docker.distribution.manifest.v2")):
        media_type = f"application/vnd.{kind}+json"
        ecr.put_image(
            repositoryName="pushed",
            imageTag=tag,
            imageManifestMediaType=media_type,
            imageManifest=f'{{"tag": "{tag}"}}',
        )
    model = {"ModelName": "pushed", "ExecutionRoleArn": role}
    for tag, why in (("oci", "Unsupported manifest media type application/vnd.oci.image"), ("docker", "not found")):
        with pytest.raises(ClientError, match=why):
            sagemaker.create_model(**model, PrimaryContainer={"Image": IMAGE.replace("probe:v1", f"pushed:{tag}")})


def test_an_endpoint_that_is_still_made_is_not_deleted(sagemaker, role):
    sick = instance(make_model(sagemaker, role, "never-well", SICK="yes"))
    sagemaker.create_endpoint_config(EndpointConfigName="unready", ProductionVariants=[sick])
    sagemaker.create_endpoint(EndpointName="unready", EndpointConfigName="unready")
    with pytest.raises(ClientError, match="ValidationException.*Cannot update in-progress endpoint .arn:aws:sagemaker"):
        sagemaker.delete_endpoint(EndpointName="unready")
    assert sagemaker.describe_endpoint(EndpointName="unready")["EndpointStatus"] == "Creating"


def test_a_deleted_endpoint_stops_answering_and_its_process_ends(sagemaker, role, runtime):
    make_endpoint(sagemaker, "gone", serverless(make_model(sagemaker, role, "gone-model")))
    process = ask(runtime, "gone")["process"]
    sagemaker.delete_endpoint(EndpointName="gone")
    with pytest.raises(ClientError) as missing:
        ask(runtime, "gone")
    assert (missing.value.response["Error"]["Code"], missing.value.response["Error"]["Message"]) == (
        "ValidationError",
        "Endpoint gone of account 000000000000 not found.",
    )
    wait_until(lambda: not alive(process), what="the end of the server")
    with pytest.raises(ClientError, match='Could not find endpoint "arn:aws:sagemaker:.*:endpoint/gone"'):
        wait_until(lambda: not sagemaker.describe_endpoint(EndpointName="gone"))


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        return True
    except ProcessLookupError:
        return False


@pytest.mark.parametrize(("asked", "side"), [(400, "client"), (500, "server")])
def test_an_error_of_the_model_is_a_model_error_with_its_status_and_text(small, runtime, asked, side):
    with pytest.raises(ClientError) as failed:
        ask(runtime, "small", f"status {asked}")
    response = failed.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == ("ModelError", 424)
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (asked, "as asked")
    assert response["Error"]["Message"].startswith(f'Received {side} error ({asked}) from all with message "as asked".')


def test_more_requests_than_the_maximum_concurrency_are_throttled(small, gateway):
    outcomes = []

    def one():
        try:
            outcomes.append(ask(gateway.client("sagemaker-runtime"), "small", "sleep 1")["body"])
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(outcomes) == {"sleep 1": 2, "ThrottlingException": 2}


def test_a_body_over_the_limit_is_refused(small, split, runtime):
    with pytest.raises(ClientError, match="HTTP content length exceeded 4194304 bytes") as large:
        ask(runtime, "small", "x" * (4 * 2**20 + 1))
    assert large.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    with pytest.raises(ClientError, match="HTTP content length exceeded 6291456 bytes"):
        ask(runtime, "split", "x" * 6_291_457)


def test_a_server_that_dies_is_a_model_error_once_and_is_replaced(sagemaker, role, runtime):
    make_endpoint(sagemaker, "mortal", serverless(make_model(sagemaker, role, "mortal-model")))
    before = ask(runtime, "mortal")["process"]
    with pytest.raises(ClientError, match="connection to the container was lost"):
        ask(runtime, "mortal", "die now")
    after = wait_until(lambda: try_ask(runtime, "mortal"), what="the replacement")["process"]
    assert after != before


def try_ask(runtime, endpoint: str):
    try:
        return ask(runtime, endpoint)
    except ClientError:
        return None


def test_the_gateway_answers_others_while_a_model_takes_its_time(small, sagemaker, runtime):
    slow = threading.Thread(target=ask, args=(runtime, "small", "sleep 1"))
    slow.start()
    started = time.monotonic()
    sagemaker.describe_endpoint(EndpointName="small")
    assert time.monotonic() - started < 0.5
    slow.join()


def test_invocations_are_measured_and_output_is_logged(split, gateway, runtime):
    ask(runtime, "split", "count me", TargetVariant="pear")
    names = {
        metric["MetricName"]
        for metric in gateway.client("cloudwatch").list_metrics(
            Namespace="AWS/SageMaker", Dimensions=[{"Name": "EndpointName", "Value": "split"}]
        )["Metrics"]
    }
    assert names == {
        "Invocations",
        "ModelLatency",
        "Invocation4XXErrors",
        "Invocation5XXErrors",
        "InvocationModelErrors",
    }
    logs = gateway.client("logs")

    def logged():
        streams = logs.describe_log_streams(logGroupName="/aws/sagemaker/Endpoints/split")["logStreams"]
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName="/aws/sagemaker/Endpoints/split", logStreamName=stream["logStreamName"]
            )["events"]
        ]

    wait_until(lambda: "answering count" in logged(), what="the line in the log")


@pytest.mark.parametrize(
    ("variants", "words"),
    [
        ([serverless("plum", memory=1500)], "MemorySizeInMB 1500 is not one of"),
        ([serverless("plum", memory=7168)], "MemorySizeInMB"),
        ([serverless("plum", concurrency=0)], "MaxConcurrency"),
        ([serverless("plum", concurrency=201)], "MaxConcurrency"),
        ([serverless("plum"), {**serverless("plum"), "VariantName": "other"}], "exactly one production variant"),
        ([{**instance("plum"), **serverless("plum")}], "takes no InstanceType"),
        ([{"VariantName": "all", "ModelName": "plum"}], "needs InstanceType and InitialInstanceCount"),
        ([instance("nothing")], "Could not find model"),
        ([instance("plum"), instance("plum")], "must differ"),
    ],
)
def test_a_wrong_endpoint_configuration_is_refused(split, gateway, variants, words):
    with pytest.raises(ClientError, match=words):
        gateway.unchecked_client("sagemaker").create_endpoint_config(
            EndpointConfigName="wrong", ProductionVariants=variants
        )


def test_missing_and_existing_resources_are_told_as_sagemaker_tells_them(split, sagemaker):
    with pytest.raises(ClientError, match='Could not find endpoint configuration "arn:.*:endpoint-config/none"'):
        sagemaker.create_endpoint(EndpointName="none", EndpointConfigName="none")
    with pytest.raises(ClientError, match='Cannot create already existing endpoint "arn:.*:endpoint/split"'):
        sagemaker.create_endpoint(EndpointName="split", EndpointConfigName="split")
    with pytest.raises(ClientError, match='Could not find model "arn:.*:model/none"'):
        sagemaker.describe_model(ModelName="none")


def test_only_who_may_invoke_an_endpoint_does(split, small, gateway):
    role = make_role(
        gateway,
        "caller",
        "sagemaker:InvokeEndpoint",
        service="lambda",
        resource="arn:aws:sagemaker:us-east-1:000000000000:endpoint/spl*",
    )
    session = gateway.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    as_role = {"key": session["AccessKeyId"], "secret": session["SecretAccessKey"], "token": session["SessionToken"]}
    assert ask(gateway.client("sagemaker-runtime", **as_role), "split")["body"] == "hello"
    with pytest.raises(ClientError) as denied:
        ask(gateway.client("sagemaker-runtime", **as_role), "small")
    assert denied.value.response["Error"]["Code"].startswith("AccessDenied")
    with pytest.raises(ClientError) as denied:
        gateway.client("sagemaker", **as_role).describe_endpoint(EndpointName="split")
    assert denied.value.response["Error"]["Code"].startswith("AccessDenied")


def test_a_policy_may_ask_for_a_tag(split, gateway, sagemaker):
    ours = {"StringEquals": {"aws:ResourceTag/owner": "us"}}
    role = make_role(gateway, "by-tag", "sagemaker:DescribeEndpoint", service="lambda", Condition=ours)
    session = gateway.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    client = gateway.client(
        "sagemaker", key=session["AccessKeyId"], secret=session["SecretAccessKey"], token=session["SessionToken"]
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        client.describe_endpoint(EndpointName="split")
    arn = sagemaker.describe_endpoint(EndpointName="split")["EndpointArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "us"}])
    assert client.describe_endpoint(EndpointName="split")["EndpointArn"] == arn


def test_who_creates_a_model_must_be_allowed_to_pass_its_role(gateway, role):
    maker = make_role(gateway, "maker", "sagemaker:*", service="lambda")
    session = gateway.client("sts").assume_role(RoleArn=maker, RoleSessionName="test")["Credentials"]
    client = gateway.client(
        "sagemaker", key=session["AccessKeyId"], secret=session["SecretAccessKey"], token=session["SessionToken"]
    )
    with pytest.raises(ClientError, match="is not authorized to perform: iam:PassRole on resource: " + role):
        make_model(client, role, "passed")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_the_end_of_a_keeper_ends_the_server_it_keeps(sagemaker, role, runtime):
    make_endpoint(sagemaker, "kept", instance(make_model(sagemaker, role, "kept-model")))
    process = ask(runtime, "kept")["process"]
    os.kill(int(open(f"/proc/{process}/stat").read().rpartition(")")[2].split()[1]), signal.SIGKILL)  # noqa: SIM115 - open for as long as the process writes
    wait_until(lambda: not alive(process), what="the end of the server")


def test_of_a_server_whose_model_cannot_be_fetched_no_folder_is_left(gateway, sagemaker, role):
    sagemaker.create_model(
        ModelName="lost",
        ExecutionRoleArn=role,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://lab/models/lost.tar.gz"},
    )
    failed = make_endpoint(sagemaker, "lost", instance("lost"))
    assert failed["EndpointStatus"] == "Failed" and "lost.tar.gz" in failed["FailureReason"]
    [servers] = (gateway.state / "sagemaker").glob("*/servers/lost")
    assert list(servers.iterdir()) == []
