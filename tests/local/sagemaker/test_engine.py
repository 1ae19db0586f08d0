"""The engine by itself: its containers in every kind of isolation, and the limits that take long to reach."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.sagemaker import api, container, endpoints, quotas, runtime
from local.sagemaker.engine import Cloud, Engine, sweep
from local.sagemaker.errors import SageMakerError
from local.sagemaker.images import find_image
from local.sagemaker.logs import LogStream
from local.sagemaker.training import Metrics
from local.sagemaker.training_folder import write_hosts
from tests.local.sagemaker.conftest import IMAGE, IMAGES, ROOT, wait_until
from tests.local.sagemaker.test_processing import finish as finish_processing
from tests.local.sagemaker.test_processing import job as processing_job
from tests.local.sagemaker.test_training import job, train, unpack

OURS = "000000000000.dkr.ecr.us-east-1.amazonaws.com/ours:v1"


def test_the_engine_knows_nothing_of_the_gateway():
    program = (
        "import sys, local.sagemaker.api, local.sagemaker.runtime; "
        "print([name for name in sys.modules if 'ministack' in name])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def isolated(monkeypatch, request):
    """The rest of the test in one kind of isolation, if this machine can give it."""
    if request.param != "plain" and not (sys.platform == "linux" and container.can_enter(request.param)):
        pytest.skip(f"this machine gives no {request.param} namespace")
    monkeypatch.setenv("FAIRWAY_CONTAINER_MODE", request.param)
    container.isolation.cache_clear()
    yield request.param
    container.isolation.cache_clear()


@pytest.mark.parametrize("isolated", ["mount", "user", "plain"], indirect=True)
def test_a_container_finds_its_folder_and_only_the_environment_that_it_is_given(isolated, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_MACHINE", "x")
    folder = tmp_path / "ml"
    folder.mkdir()
    (folder / "given").write_text("word")
    lines = []
    program = 'cat "${SAGEMAKER_BASE_DIR:-/opt/ml}/given"; echo; echo "[$SECRET_OF_THE_MACHINE] $GIVEN"; exit 7'
    started = container.start(
        ["sh", "-c", program], folder=folder, work=tmp_path, environment={"GIVEN": "yes"}, on_line=lines.append
    )
    assert started.wait(10) == 7
    assert lines == ["word", "[] yes"]


@pytest.mark.parametrize("isolated", ["mount", "user"], indirect=True)
def test_the_hosts_of_a_job_resolve_inside_its_containers_and_nowhere_else(isolated, tmp_path):
    folder, lines = tmp_path / "ml", []
    folder.mkdir()
    write_hosts(tmp_path, ["algo-1", "algo-2"])
    program = "import socket; print(socket.gethostbyname('algo-2'))"
    started = container.start(
        [sys.executable, "-c", program], folder=folder, work=tmp_path, environment={}, on_line=lines.append
    )
    assert (started.wait(10), lines) == (0, ["127.0.0.1"])
    assert "algo-2" not in Path("/etc/hosts").read_text()


def test_output_is_read_on_whatever_its_reader_makes_of_it(tmp_path):
    """Unread, the pipe would fill and the container wait for ever."""
    (tmp_path / "ml").mkdir()
    lines = []

    def fails_at_first(line: str) -> None:
        lines.append(line)
        if len(lines) == 1:
            raise ValueError(line)

    program = "import sys; print('odd'); print('x' * 3_000_000); print('last')"
    started = container.start(
        [sys.executable, "-c", program], folder=tmp_path / "ml", work=tmp_path, environment={}, on_line=fails_at_first
    )
    assert started.wait(20) == 0
    assert (lines[0], lines[-1], max(map(len, lines))) == ("odd", "last", container.LINE_BYTES)


def test_logs_that_cannot_be_delivered_are_not_kept():
    class Refuses:
        class exceptions:  # noqa: N801 - botocore calls it so
            ResourceAlreadyExistsException = KeyError

        def create_log_group(self, **_):
            raise OSError("no network")

    stream = LogStream(Refuses(), "group", "stream")
    stream.write("first")
    wait_until(lambda: not stream._thread.is_alive())
    stream.write("second")
    assert stream._lines == []


def test_a_metric_that_is_no_number_is_none():
    definition = {"Name": "accuracy", "Regex": "accuracy=([0-9.]+)"}
    metrics = Metrics(None, {"TrainingJobName": "job", "AlgorithmSpecification": {"MetricDefinitions": [definition]}})
    metrics.read("accuracy=1.2.3")
    assert metrics.final == []


def test_of_a_fleet_that_cannot_be_whole_no_server_is_left(monkeypatch):
    stopped, servers = [], iter(["first"])

    def serve(*_):
        server = next(servers, None)
        if server is None:
            raise SageMakerError("ValidationException", "Requested image not found")
        return server

    monkeypatch.setattr(endpoints, "serve", serve)
    monkeypatch.setattr(endpoints, "stop_server", lambda engine, server: stopped.append(server))
    monkeypatch.setattr(endpoints.resources, "need", lambda *_: {})
    with pytest.raises(SageMakerError, match="image not found"):
        endpoints.start_variant(None, "e", {"VariantName": "all", "ModelName": "m", "InitialInstanceCount": 2})
    assert stopped == ["first"]


def test_a_program_that_is_not_there_is_named(tmp_path):
    (tmp_path / "ml").mkdir()
    started = container.start(
        ["no-such-program"], folder=tmp_path / "ml", work=tmp_path, environment={}, on_line=lambda line: None
    )
    assert started.wait(10) == 127
    assert list(started.tail) == ["cannot run no-such-program: No such file or directory"]


def test_what_a_command_leaves_running_ends_with_it(tmp_path):
    (tmp_path / "ml").mkdir()
    started = container.start(
        ["sh", "-c", "sleep 300 & echo $!"],
        folder=tmp_path / "ml",
        work=tmp_path,
        environment={},
        on_line=lambda line: None,
    )
    assert started.wait(10) == 0
    wait_until(lambda: gone(int(started.tail[0])), what="the end of the process left behind")


def test_a_start_ends_the_containers_of_an_engine_that_could_not(tmp_path):
    (tmp_path / "ml").mkdir()
    started = container.start(["sleep", "300"], folder=tmp_path / "ml", work=tmp_path, environment={}, on_line=print)
    (tmp_path / "engine/running").mkdir(parents=True)
    (tmp_path / f"engine/running/{started.process.pid}").touch()
    (tmp_path / f"engine/running/{os.getpid()}").touch()  # a number that is another program's by now
    sweep(tmp_path / "engine")
    assert started.wait(10) == -9
    assert list((tmp_path / "engine").iterdir()) == []


def gone(process: int) -> bool:
    """Ended, if perhaps not yet buried by whoever inherits it."""
    try:
        return open(f"/proc/{process}/stat").read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("000000000000.dkr.ecr.us-east-1.amazonaws.com/probe:v1", "probe/v1"),
        ("localhost:5000/probe:v1", "probe/v1"),
        ("probe:v1", "probe/v1"),
    ],
)
def test_an_image_is_a_folder_by_repository_and_tag(uri, folder):
    assert find_image(uri, images=IMAGES, python="python3").folder == IMAGES / folder


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("probe:v2", "Requested image probe:v2 not found"),
        ("probe", "not found"),
        ("probe@sha256:" + "0" * 64, "digests are not simulated"),
    ],
)
def test_an_image_that_is_not_there_is_refused(uri, words):
    with pytest.raises(SageMakerError, match=words):
        find_image(uri, images=IMAGES, python="python3")


def test_an_image_of_our_own_layout_runs_its_verb_or_its_arguments(sagemaker, s3, role):
    request = job("ours", role)
    request["AlgorithmSpecification"] |= {"TrainingImage": OURS}
    trained = train(sagemaker, **request)
    assert unpack(s3, trained["ModelArtifacts"]["S3ModelArtifacts"]) == {"said.txt": "hello train"}
    processing = processing_job("ours", role, ContainerArguments=["score", "--fast"])
    processing["AppSpecification"] |= {"ImageUri": OURS}
    sagemaker.create_processing_job(**processing)
    assert finish_processing(sagemaker, "ours")["ProcessingJobStatus"] == "Completed"
    assert s3.get_object(Bucket="lab", Key="processed/ours/said.txt")["Body"].read() == b"hello score --fast"


@pytest.fixture
def engine(gateway, role, tmp_path):
    """An engine in this process, whose S3 and logs are the gateway's."""
    cloud = Cloud(
        account="000000000000",
        region="us-east-1",
        endpoint_url=gateway.url,
        credentials=lambda *_: {"AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "root"},
        role_problem=lambda role_arn: None,
        emit=lambda *_: None,
        metric=lambda *_: None,
    )
    engine = Engine(cloud, work=tmp_path / "work", images=IMAGES, python=sys.executable)
    api.start(engine)
    yield engine
    api.shut_down(engine)


def host(engine, role, name: str, **environment: str) -> dict:
    api.call(
        engine,
        "CreateModel",
        {"ModelName": name, "ExecutionRoleArn": role, "PrimaryContainer": {"Image": IMAGE, "Environment": environment}},
    )
    api.call(
        engine,
        "CreateEndpointConfig",
        {
            "EndpointConfigName": name,
            "ProductionVariants": [
                {"VariantName": "all", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
            ],
        },
    )
    api.call(engine, "CreateEndpoint", {"EndpointName": name, "EndpointConfigName": name})
    return wait_until(
        lambda: (
            (found := api.call(engine, "DescribeEndpoint", {"EndpointName": name}))["EndpointStatus"] != "Creating"
            and found
        )
    )


@pytest.mark.parametrize("isolated", ["user", "plain"], indirect=True)
def test_a_job_and_an_endpoint_run_in_every_isolation(isolated, engine, role, s3):
    name = f"in-{isolated}"
    api.call(engine, "CreateTrainingJob", job(name, role))
    done = wait_until(
        lambda: (
            (found := api.call(engine, "DescribeTrainingJob", {"TrainingJobName": name}))["TrainingJobStatus"]
            in ("Completed", "Failed")
            and found
        )
    )
    assert done["TrainingJobStatus"] == "Completed"
    assert sorted(unpack(s3, done["ModelArtifacts"]["S3ModelArtifacts"])) == ["algo-1.json"]
    assert host(engine, role, name)["EndpointStatus"] == "InService"
    assert b'"body": "hi"' in runtime.invoke(engine, name, {"content-type": "application/json"}, b"hi")[1]


def test_a_model_that_takes_more_than_the_time_is_a_model_error(engine, role, monkeypatch):
    assert host(engine, role, "slow")["EndpointStatus"] == "InService"
    assert runtime.TIMEOUT_S == 60
    monkeypatch.setattr(runtime, "TIMEOUT_S", 0.3)
    started = time.monotonic()
    with pytest.raises(
        SageMakerError, match="Your invocation timed out while waiting for a response from container all"
    ) as late:
        runtime.invoke(engine, "slow", {"content-type": "application/json"}, b"sleep 5")
    assert time.monotonic() - started < 2
    assert (late.value.code, late.value.status, late.value.members["OriginalStatusCode"]) == ("ModelError", 424, 0)


def test_a_container_that_never_is_healthy_fails_the_endpoint_in_time(engine, role, monkeypatch):
    assert endpoints.HEALTH_TIMEOUT_S == 240
    monkeypatch.setattr(endpoints, "HEALTH_TIMEOUT_S", 1)
    failed = host(engine, role, "sick", SICK="yes")
    assert failed["EndpointStatus"] == "Failed"
    assert failed["FailureReason"].startswith(
        "The primary container for production variant all did not pass the ping health check."
    )


def test_a_response_that_the_api_does_not_have_is_our_fault_and_said_so(engine, monkeypatch):
    monkeypatch.setitem(api.OPERATIONS, "ListModels", lambda engine, request: {"Models": [], "Colour": "red"})
    with pytest.raises(SageMakerError, match="wrong ListModels response") as wrong:
        api.call(engine, "ListModels", {})
    assert (wrong.value.code, wrong.value.status) == ("InternalFailure", 500)


CONFIG = {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 6}, "VariantName": "all"}


def test_a_new_accounts_serverless_endpoints_share_their_concurrency(engine, role, monkeypatch):
    monkeypatch.setenv("FAIRWAY_QUOTAS", "new-account")
    host(engine, role, "first-of-account")
    for name in ("one", "two"):
        variant = {**CONFIG, "ModelName": "first-of-account"}
        api.call(engine, "CreateEndpointConfig", {"EndpointConfigName": name, "ProductionVariants": [variant]})
    api.call(engine, "CreateEndpoint", {"EndpointName": "one", "EndpointConfigName": "one"})
    with pytest.raises(
        SageMakerError, match="is 10, with current utilization of 6 and a request delta of 6"
    ) as refused:
        api.call(engine, "CreateEndpoint", {"EndpointName": "two", "EndpointConfigName": "two"})
    assert refused.value.code == "ResourceLimitExceeded"


def test_the_machines_of_jobs_are_counted_by_their_type(engine, monkeypatch):
    running = {"TrainingJobStatus": "InProgress", "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}
    engine.store.add("TrainingJob", "running", {**running, "TrainingJobArn": "arn:running"})
    engine.store.add(
        "TrainingJob", "ended", {**running, "TrainingJobStatus": "Completed", "TrainingJobArn": "arn:ended"}
    )
    monkeypatch.setenv("FAIRWAY_QUOTAS", '{"training_instances": 3}')
    quotas.check_instances(engine, "TrainingJob", {"InstanceType": "ml.m5.large", "InstanceCount": 1})
    quotas.check_instances(engine, "TrainingJob", {"InstanceType": "ml.m5.xlarge", "InstanceCount": 3})
    with pytest.raises(
        SageMakerError, match="'ml.m5.large for training job usage' is 3, with current utilization of 2"
    ):
        quotas.check_instances(engine, "TrainingJob", {"InstanceType": "ml.m5.large", "InstanceCount": 2})


def test_only_an_idle_endpoint_is_cold(monkeypatch):
    waited = []
    monkeypatch.setattr(quotas.time, "sleep", waited.append)
    quotas.wait_for_container(last_used=0, now=1000)
    monkeypatch.setenv("FAIRWAY_COLD_START_S", "8.5")
    quotas.wait_for_container(last_used=0, now=1000)
    quotas.wait_for_container(last_used=990, now=1000)
    assert waited == [8.5]
