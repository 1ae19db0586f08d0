"""The Train flow: what its jobs are asked."""

import pytest

from tests.infra.flows import RUN, WINDOW, arguments, every_task, flows


def test_a_job_beyond_the_account_s_quota_is_tried_again_for_an_hour(service):
    jobs = {name: task for name, task, _ in every_task(service) if task["Resource"].endswith(".sync")}
    assert {name.rpartition("/")[2] for name in jobs} == {"TrainCandidate", "Evaluate", "Score", "Monitor"}
    for name, task in jobs.items():
        retry = task["Retry"][0]
        assert retry["ErrorEquals"] == ["SageMaker.ResourceLimitExceededException"], name
        assert retry["IntervalSeconds"] * retry["MaxAttempts"] == 3600, name


def test_no_more_candidates_are_trained_at_a_time_than_set(service):
    assert flows(service)["train"]["States"]["TrainCandidates"]["MaxConcurrency"] == 3


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
