"""What survives a restart and a hard kill, and that neither leaves a process behind."""

import os
import signal
import subprocess

import pytest

from tests.local.sagemaker.conftest import IMAGE, Gateway, make_archive, make_role, wait_until
from tests.local.sagemaker.test_endpoints import ask, make_endpoint, make_model, serverless, settled
from tests.local.sagemaker.test_training import job


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A gateway that may be stopped, with a bucket and a role."""
    gateway = Gateway(tmp_path_factory.mktemp("own"))
    gateway.start()
    gateway.client("s3").create_bucket(Bucket="lab")
    gateway.client("s3").put_object(Bucket="lab", Key="models/model.tar.gz", Body=make_archive(weights="1"))
    gateway.client("s3").put_object(Bucket="lab", Key="rows/a.csv", Body=b"1\n")
    yield gateway, make_role(gateway, "jobs", "s3:*", "logs:*")
    gateway.stop()


def processes_below(folder) -> list[str]:
    """Command lines of every process that was started for this state folder."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid,command"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "keeper.py" in line and str(folder) in line]


def test_a_restart_brings_endpoints_back_and_fails_the_job_that_was_running(own):
    gateway, role = own
    sagemaker = gateway.client("sagemaker")
    make_endpoint(sagemaker, "lasting", serverless(make_model(sagemaker, role, "lasting-model", FLAVOUR="plum")))
    first = ask(gateway.client("sagemaker-runtime"), "lasting")["process"]
    sagemaker.create_model_package_group(ModelPackageGroupName="lasting")
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="lasting", InferenceSpecification={"Containers": [{"Image": IMAGE}]}
    )["ModelPackageArn"]
    sagemaker.create_training_job(**job("cut-off", role, parameters={"sleep_s": 60}))
    wait_until(lambda: len(processes_below(gateway.state)) == 2, what="two containers")

    gateway.stop()
    wait_until(lambda: not processes_below(gateway.state), what="the end of every container")
    gateway.start()

    status = sagemaker.describe_endpoint(EndpointName="lasting")["EndpointStatus"]
    assert status == "Updating" or ask(gateway.client("sagemaker-runtime"), "lasting"), "in service without servers"
    cut_off = wait_until(
        lambda: (
            (found := sagemaker.describe_training_job(TrainingJobName="cut-off"))["TrainingJobStatus"] != "InProgress"
            and found
        )
    )
    assert cut_off["TrainingJobStatus"] == "Failed"
    assert "the local AWS stopped while this job was running" in cut_off["FailureReason"]
    assert settled(sagemaker, "lasting")["EndpointStatus"] == "InService"
    again = ask(gateway.client("sagemaker-runtime"), "lasting")
    assert again["flavour"] == "plum" and again["process"] != first
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelPackageVersion"] == 1


def test_a_hard_kill_leaves_no_process_behind(own):
    gateway, role = own
    sagemaker = gateway.client("sagemaker")
    make_endpoint(sagemaker, "orphan", serverless(make_model(sagemaker, role, "orphan-model")))
    server = ask(gateway.client("sagemaker-runtime"), "orphan")["process"]
    sagemaker.create_training_job(**job("orphan", role, instances=2, parameters={"sleep_s": 60}))
    wait_until(lambda: len(processes_below(gateway.state)) >= 3, what="three containers")

    gateway.stop(signal.SIGKILL)
    wait_until(lambda: not processes_below(gateway.state), what="the end of every container")
    wait_until(lambda: not os.path.exists(f"/proc/{server}"), what="the end of the server")
    gateway.start()
