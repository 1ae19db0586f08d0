"""Processing and transform jobs: inputs to containers, outputs back, and how they fail."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.local.sagemaker.conftest import IMAGE, wait_until


def job(name: str, role: str, *, instances: int = 1, inputs=None, mode: str = "EndOfJob", **app) -> dict:
    return {
        "ProcessingJobName": name,
        "RoleArn": role,
        "AppSpecification": {"ImageUri": IMAGE, **app},
        "ProcessingInputs": [given("rows", "s3://lab/rows/")] if inputs is None else inputs,
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "out",
                    "S3Output": {
                        "S3Uri": f"s3://lab/processed/{name}",
                        "S3UploadMode": mode,
                        "LocalPath": "/opt/ml/processing/output",
                    },
                }
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": instances, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "Environment": {"FLAVOUR": "plum"},
    }


def given(name: str, uri: str, kind: str = "S3Prefix", **more) -> dict:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"/opt/ml/processing/input/{name}",
            "S3DataType": kind,
            "S3InputMode": "File",
            **more,
        },
    }


def finish(sagemaker, name: str) -> dict:
    def ended():
        found = sagemaker.describe_processing_job(ProcessingJobName=name)
        return found if found["ProcessingJobStatus"] in ("Completed", "Failed", "Stopped") else None

    return wait_until(ended, what=f"the end of {name}")


def process(sagemaker, request: dict) -> dict:
    sagemaker.create_processing_job(**request)
    return finish(sagemaker, request["ProcessingJobName"])


def read_outputs(s3, name: str) -> dict:
    listed = s3.list_objects_v2(Bucket="lab", Prefix=f"processed/{name}/").get("Contents", [])
    return {
        item["Key"].rpartition("/")[2]: json.loads(s3.get_object(Bucket="lab", Key=item["Key"])["Body"].read())
        for item in listed
    }


def test_every_instance_gets_its_share_and_all_outputs_come_back(sagemaker, s3, role):
    shared = [
        given("rows", "s3://lab/rows/", S3DataDistributionType="ShardedByS3Key"),
        given("one", "s3://lab/rows/part-4.csv"),
    ]
    done = process(sagemaker, job("shared", role, instances=2, inputs=shared, ContainerArguments=["score", "--fast"]))
    assert done["ProcessingJobStatus"] == "Completed" and done["ProcessingStartTime"] <= done["ProcessingEndTime"]
    same = {"job": "shared", "arguments": ["score", "--fast"], "flavour": "plum"}
    assert read_outputs(s3, "shared") == {
        "algo-1.json": {**same, "files": ["one/part-4.csv", "rows/part-0.csv", "rows/part-2.csv", "rows/part-4.csv"]},
        "algo-2.json": {**same, "files": ["one/part-4.csv", "rows/part-1.csv", "rows/part-3.csv"]},
    }


def test_a_manifest_input_shared_out_by_key(sagemaker, s3, role):
    s3.put_object(
        Bucket="lab",
        Key="manifests/three.json",
        Body=json.dumps([{"prefix": "s3://lab/rows/"}, "part-0.csv", "part-1.csv", "part-2.csv"]),
    )
    inputs = [given("rows", "s3://lab/manifests/three.json", "ManifestFile", S3DataDistributionType="ShardedByS3Key")]
    process(sagemaker, job("by-manifest", role, instances=2, inputs=inputs))
    assert {host: found["files"] for host, found in read_outputs(s3, "by-manifest").items()} == {
        "algo-1.json": ["rows/part-0.csv", "rows/part-2.csv"],
        "algo-2.json": ["rows/part-1.csv"],
    }


def test_an_own_entrypoint_and_the_logs(sagemaker, gateway, s3, role):
    process(
        sagemaker,
        job("own-entrypoint", role, ContainerEntrypoint=["python3", "process"], ContainerArguments=["a", "b"]),
    )
    assert read_outputs(s3, "own-entrypoint")["algo-1.json"]["arguments"] == ["a", "b"]
    logs = gateway.client("logs")
    [stream] = logs.describe_log_streams(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix="own-entrypoint/"
    )["logStreams"]
    [event] = logs.get_log_events(logGroupName="/aws/sagemaker/ProcessingJobs", logStreamName=stream["logStreamName"])[
        "events"
    ]
    assert event["message"] == "processing on algo-1"


def test_a_failing_container_fails_the_job_with_its_message_and_uploads_nothing(sagemaker, s3, role):
    done = process(sagemaker, job("failing", role, ContainerArguments=["fail"]))
    assert (done["ProcessingJobStatus"], done["ExitMessage"]) == ("Failed", "the message")
    assert done["FailureReason"] == "AlgorithmError: processing on algo-1 | cannot go on, exit code: 4"
    assert read_outputs(s3, "failing") == {}


def test_continuous_outputs_are_there_while_the_job_runs_and_a_stop_ends_it(sagemaker, s3, role):
    sagemaker.create_processing_job(**job("continuous", role, mode="Continuous", ContainerArguments=["sleep", "60"]))
    wait_until(lambda: read_outputs(s3, "continuous"), what="the first output")
    assert sagemaker.describe_processing_job(ProcessingJobName="continuous")["ProcessingJobStatus"] == "InProgress"
    sagemaker.stop_processing_job(ProcessingJobName="continuous")
    assert finish(sagemaker, "continuous")["ProcessingJobStatus"] == "Stopped"


def test_what_is_not_simulated_is_refused(sagemaker, role):
    wrong = job("refused", role, inputs=[given("rows", "s3://lab/rows", S3CompressionType="Gzip")])
    with pytest.raises(ClientError, match="S3CompressionType of processing input rows is not simulated"):
        sagemaker.create_processing_job(**wrong)
    outside = job(
        "refused",
        role,
        inputs=[
            {
                **given("rows", "s3://lab/rows"),
                "S3Input": {"S3Uri": "s3://lab/rows", "LocalPath": "/tmp/rows", "S3DataType": "S3Prefix"},
            }
        ],
    )
    with pytest.raises(ClientError, match="/opt/ml/processing or a folder below it"):
        sagemaker.create_processing_job(**outside)


def test_a_transform_job_posts_every_object_in_parts_and_writes_the_answers(sagemaker, gateway, s3, role):
    s3.put_object(Bucket="lab", Key="lines/a.csv", Body=b"1\n2\n3\n")
    s3.put_object(Bucket="lab", Key="lines/below/b.csv", Body=b"4\n")
    sagemaker.create_model(
        ModelName="for-transform",
        ExecutionRoleArn=role,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://lab/models/model.tar.gz"},
    )
    sagemaker.create_transform_job(
        TransformJobName="transform",
        ModelName="for-transform",
        BatchStrategy="SingleRecord",
        MaxConcurrentTransforms=2,
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lab/lines/"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        TransformOutput={"S3OutputPath": "s3://lab/transformed", "AssembleWith": "Line", "Accept": "text/csv"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    done = wait_until(
        lambda: (
            (found := sagemaker.describe_transform_job(TransformJobName="transform"))["TransformJobStatus"]
            != "InProgress"
            and found
        )
    )
    assert done["TransformJobStatus"] == "Completed"
    assert s3.get_object(Bucket="lab", Key="transformed/a.csv.out")["Body"].read() == b"1,scored\n2,scored\n3,scored\n"
    assert s3.get_object(Bucket="lab", Key="transformed/below/b.csv.out")["Body"].read() == b"4,scored\n"
    [listed] = sagemaker.list_transform_jobs(NameContains="transform")["TransformJobSummaries"]
    assert listed["TransformJobStatus"] == "Completed"
