"""Training jobs: the container contract, and every way a job can end."""

import io
import json
import tarfile

import pytest
from botocore.exceptions import ClientError

from local.sagemaker.container import isolation
from tests.local.sagemaker.conftest import IMAGE, make_role, wait_until

OVER = ("Completed", "Failed", "Stopped")


def job(name: str, role: str, *, instances: int = 1, channels=None, **more) -> dict:
    parameters = {key: str(value) for key, value in more.pop("parameters", {}).items()}
    algorithm = {
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "validation:accuracy", "Regex": "validation:accuracy=([0-9.]+);"}],
        **more.pop("algorithm", {}),
    }
    return {
        "TrainingJobName": name,
        "RoleArn": role,
        "HyperParameters": parameters,
        "AlgorithmSpecification": algorithm,
        "InputDataConfig": channels or [channel("rows", "s3://lab/rows/")],
        "OutputDataConfig": {"S3OutputPath": "s3://lab/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": instances, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **more,
    }


def channel(name: str, uri: str, kind: str = "S3Prefix", **more) -> dict:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": uri, **more}}}


def finish(sagemaker, name: str) -> dict:
    def ended():
        found = sagemaker.describe_training_job(TrainingJobName=name)
        return found if found["TrainingJobStatus"] in OVER else None

    return wait_until(ended, what=f"the end of {name}")


def train(sagemaker, **request) -> dict:
    sagemaker.create_training_job(**request)
    return finish(sagemaker, request["TrainingJobName"])


def model_of(s3, described: dict) -> dict:
    """file name -> content of a job's model.tar.gz"""
    return unpack(s3, described["ModelArtifacts"]["S3ModelArtifacts"])


def unpack(s3, uri: str) -> dict:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    with tarfile.open(fileobj=io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read())) as tar:
        return {member.name: tar.extractfile(member).read().decode() for member in tar if member.isfile()}


@pytest.fixture(scope="module")
def trained(sagemaker, role):
    return train(
        sagemaker,
        **job(
            "contract",
            role,
            parameters={"depth": 3, "output": "hello"},
            Environment={"FLAVOUR": "plum"},
            Tags=[{"Key": "team", "Value": "ml"}],
        ),
    )


def test_a_job_ends_completed_with_its_stages_times_and_last_metrics(trained):
    assert trained["TrainingJobStatus"] == trained["SecondaryStatus"] == "Completed"
    assert [stage["Status"] for stage in trained["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert trained["CreationTime"] <= trained["TrainingStartTime"] <= trained["TrainingEndTime"]
    assert [(metric["MetricName"], metric["Value"]) for metric in trained["FinalMetricDataList"]] == [
        ("validation:accuracy", 0.75)
    ]
    assert trained["ModelArtifacts"] == {"S3ModelArtifacts": "s3://lab/out/contract/output/model.tar.gz"}
    assert trained["BillableTimeInSeconds"] == trained["TrainingTimeInSeconds"] >= 1


def test_the_container_finds_its_configuration_data_and_variables(s3, trained):
    seen = json.loads(model_of(s3, trained)["algo-1.json"])
    assert seen["config"] == {
        "hyperparameters": {"depth": "3", "output": "hello"},
        "inputdataconfig": {
            "rows": {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
        },
        "resourceconfig": {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "network_interface_name": "lo",
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "instance_groups": [
                {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
            ],
        },
    }
    assert seen["contents"] == {f"rows/part-{number}.csv": f"{number}\n" for number in range(5)}
    base = "/opt/ml" if isolation() != "plain" else seen["environment"]["SM_MODEL_DIR"].removesuffix("/model")
    variables = {
        "SM_CHANNEL_ROWS": f"{base}/input/data/rows",
        "SM_MODEL_DIR": f"{base}/model",
        "SM_HP_DEPTH": "3",
        "SM_CURRENT_HOST": "algo-1",
        "SM_HOSTS": '["algo-1"]',
        "TRAINING_JOB_NAME": "contract",
        "FLAVOUR": "plum",
    }
    assert {name: seen["environment"][name] for name in variables} == variables


def test_output_data_is_uploaded_beside_the_model(s3, trained):
    assert unpack(s3, "s3://lab/out/contract/output/output.tar.gz") == {"notes.txt": "hello"}


def test_output_lines_reach_cloudwatch_logs_and_metrics_cloudwatch(gateway, trained):
    assert logged(gateway, "contract") == ["host=algo-1 files=5 validation:accuracy=0.5;", "validation:accuracy=0.75;"]
    [metric] = gateway.client("cloudwatch").list_metrics(
        Namespace="/aws/sagemaker/TrainingJobs", Dimensions=[{"Name": "TrainingJobName", "Value": "contract"}]
    )["Metrics"]
    assert metric["MetricName"] == "validation:accuracy"


def logged(gateway, name: str) -> list[str]:
    """The lines of a job's first instance so far."""
    logs, group = gateway.client("logs"), "/aws/sagemaker/TrainingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/algo-1-")["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]


def test_tags_given_at_creation_are_listed_changed_and_removed(sagemaker, trained):
    arn = trained["TrainingJobArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "ml"}]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "dev"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "dev"}]


def test_objects_are_shared_out_over_the_instances_or_given_to_all(sagemaker, s3, role):
    done = train(
        sagemaker,
        **job(
            "sharded",
            role,
            instances=2,
            channels=[
                channel("rows", "s3://lab/rows", S3DataDistributionType="ShardedByS3Key"),
                channel("all", "s3://lab/rows/part-4"),
            ],
        ),
    )
    hosts = {name: json.loads(text) for name, text in model_of(s3, done).items()}
    assert {name: seen["files"] for name, seen in hosts.items()} == {
        "algo-1.json": ["all/part-4.csv", "rows/part-0.csv", "rows/part-2.csv", "rows/part-4.csv"],
        "algo-2.json": ["all/part-4.csv", "rows/part-1.csv", "rows/part-3.csv"],
    }
    assert [seen["config"]["resourceconfig"]["hosts"] for seen in hosts.values()] == [["algo-1", "algo-2"]] * 2


def test_a_manifest_names_the_objects_of_a_channel(sagemaker, s3, role):
    s3.put_object(
        Bucket="lab",
        Key="manifests/two.json",
        Body=json.dumps([{"prefix": "s3://lab/rows/"}, "part-1.csv", "part-3.csv"]),
    )
    done = train(
        sagemaker, **job("manifest", role, channels=[channel("rows", "s3://lab/manifests/two.json", "ManifestFile")])
    )
    assert json.loads(model_of(s3, done)["algo-1.json"])["files"] == ["rows/part-1.csv", "rows/part-3.csv"]


def test_a_manifest_of_another_shape_fails_the_job_with_its_uri(sagemaker, s3, role):
    s3.put_object(Bucket="lab", Key="manifests/wrong.json", Body=b'{"rows": []}')
    done = train(
        sagemaker,
        **job("bad-manifest", role, channels=[channel("rows", "s3://lab/manifests/wrong.json", "ManifestFile")]),
    )
    assert done["TrainingJobStatus"] == "Failed"
    assert "s3://lab/manifests/wrong.json" in done["FailureReason"]


def test_an_own_entrypoint_runs_with_its_arguments(sagemaker, s3, role):
    done = train(
        sagemaker,
        **job(
            "entrypoint",
            role,
            algorithm={"ContainerEntrypoint": ["python3", "train"], "ContainerArguments": ["--fast", "1"]},
        ),
    )
    assert json.loads(model_of(s3, done)["algo-1.json"])["arguments"] == ["--fast", "1"]


def test_a_spot_job_goes_on_from_the_checkpoints_of_an_earlier_one(sagemaker, s3, role):
    spot = {
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": "s3://lab/checkpoints/one"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
    }
    first = train(sagemaker, **job("spot-1", role, parameters={"checkpoint": "epoch-1"}, **spot))
    second = train(sagemaker, **job("spot-2", role, **spot))
    assert json.loads(model_of(s3, first)["algo-1.json"])["checkpoints"] == []
    assert json.loads(model_of(s3, second)["algo-1.json"])["checkpoints"] == ["epoch-1"]


def test_the_failure_file_and_exit_code_become_the_failure_reason(sagemaker, role):
    done = train(sagemaker, **job("failing", role, parameters={"fail": "no rows in range"}))
    assert (done["TrainingJobStatus"], done["FailureReason"]) == (
        "Failed",
        "AlgorithmError: no rows in range, exit code: 3",
    )


def test_an_empty_channel_is_refused_with_the_uri_and_the_role(sagemaker, role):
    empty = job("no-data", role, channels=[channel("rows", "s3://lab/nothing/")])
    with pytest.raises(ClientError, match='No S3 objects found under S3 URL "s3://lab/nothing/"') as refused:
        sagemaker.create_training_job(**empty)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert role in str(refused.value)


def test_a_job_acts_as_its_role_and_fails_without_its_rights(gateway, sagemaker):
    blind = make_role(gateway, "no-s3", "logs:*")
    done = train(sagemaker, **job("denied", blind))
    assert done["TrainingJobStatus"] == "Failed" and "AccessDenied" in done["FailureReason"]


def test_a_stopped_job_is_asked_to_end_and_what_it_saved_is_kept(gateway, sagemaker, s3, role):
    sagemaker.create_training_job(**job("stopped", role, parameters={"sleep_s": 60}))
    wait_until(lambda: logged(gateway, "stopped"), what="its first line in the log, while it runs")
    sagemaker.stop_training_job(TrainingJobName="stopped")
    done = finish(sagemaker, "stopped")
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert model_of(s3, done) == {"stopped": "SIGTERM"}


def test_a_job_over_its_time_is_stopped(sagemaker, role):
    done = train(
        sagemaker, **job("overdue", role, parameters={"sleep_s": 60}, StoppingCondition={"MaxRuntimeInSeconds": 1})
    )
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"TrainingJobName": "contract"}, "ResourceInUse", "a training job with this name already exists"),
        ({"TrainingJobName": "no spaces"}, "ValidationException", "regular expression"),
        ({"RoleArn": "arn:aws:iam::000000000000:role/nobody"}, "ValidationException", "Could not assume role"),
        (
            {"AlgorithmSpecification": {"TrainingImage": "x/y:v9", "TrainingInputMode": "File"}},
            "ValidationException",
            "Requested image x/y:v9 not found",
        ),
        (
            {"AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "Pipe"}},
            "ValidationException",
            "Pipe mode",
        ),
        (
            {
                "InputDataConfig": [
                    {
                        "ChannelName": "rows",
                        "DataSource": {"S3DataSource": {"S3DataType": "Folder", "S3Uri": "s3://lab/rows"}},
                    }
                ]
            },
            "ValidationException",
            "enum value set",
        ),
        ({"EnableManagedSpotTraining": True}, "ValidationException", "MaxWaitTimeInSeconds"),
        ({"DebugHookConfig": {"S3OutputPath": "s3://lab/x"}}, "ValidationException", "DebugHookConfig"),
        (
            {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 0, "VolumeSizeInGB": 1}},
            "ValidationException",
            "positive InstanceCount",
        ),
    ],
)
def test_a_wrong_request_is_refused_before_anything_runs(sagemaker, gateway, role, trained, change, code, words):
    unchecked = gateway.unchecked_client("sagemaker")
    with pytest.raises(ClientError, match=words) as refused:
        unchecked.create_training_job(**{**job("refused", role), **change})
    assert refused.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError, match="Requested resource not found"):
        sagemaker.describe_training_job(TrainingJobName="refused")


def test_an_unknown_parameter_or_operation_is_refused_by_name(gateway):
    answer = gateway.post_json("SageMaker.DescribeTrainingJob", {"TrainingJobName": "contract", "Colour": "red"})
    assert answer["__type"] == "ValidationException" and "Colour" in answer["message"]
    answer = gateway.post_json("SageMaker.CreateAutoMLJob", {})
    assert answer["__type"] == "UnknownOperationException" and "CreateAutoMLJob is not simulated" in answer["message"]


def test_jobs_are_listed_oldest_first_by_pages_and_filters(sagemaker, role, trained):
    for number in range(3):
        train(sagemaker, **job(f"listed-{number}", role))
    first = sagemaker.list_training_jobs(NameContains="listed", MaxResults=2)
    assert names(first) == ["listed-0", "listed-1"]
    second = sagemaker.list_training_jobs(NameContains="listed", MaxResults=2, NextToken=first["NextToken"])
    assert names(second) == ["listed-2"] and "NextToken" not in second
    assert sagemaker.list_training_jobs(NameContains="listed", StatusEquals="Failed")["TrainingJobSummaries"] == []
    turned = sagemaker.list_training_jobs(NameContains="listed", SortBy="Name", SortOrder="Descending")
    assert names(turned) == ["listed-2", "listed-1", "listed-0"]


def names(page: dict) -> list[str]:
    return [item["TrainingJobName"] for item in page["TrainingJobSummaries"]]
