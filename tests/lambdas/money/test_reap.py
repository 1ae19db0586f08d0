import json
import os
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto.sagemaker.models import sagemaker_backends

from domain.timestamps import iso
from lambdas.money.billed import Billed, Kind
from lambdas.money.reap import NotEnded, handler, monthly_usd, reap
from tests.lambdas import stage

NOW = datetime(2013, 4, 1, 12, tzinfo=UTC)
AN_HOUR_AGO = NOW - timedelta(hours=1)


def reaped(*things, runs=()):
    told, ended = [], []
    reply = reap(
        list(things), now=NOW, runs=set(runs), end=ended.append, announce=lambda thing, usd: told.append(thing)
    )
    assert told == ended
    assert reply["ended"] == [thing.name for thing in ended]
    return [thing.name for thing in ended]


def test_a_forgotten_endpoint_goes_and_what_it_saves_is_told():
    forgotten = Billed(Kind.ENDPOINT, "flights-local-by-hand", AN_HOUR_AGO, "Host:ml.m5.large", 2)
    reply = reap([forgotten], now=NOW, runs=set(), end=lambda thing: None, announce=lambda thing, usd: None)
    assert reply == {"ended": ["flights-local-by-hand"], "saves_usd_per_month": pytest.approx(2 * 730 * 0.115)}


def test_what_answers_or_belongs_to_a_release_is_left_to_retire():
    assert reaped(Billed(Kind.ENDPOINT, "flights-local-r-1", AN_HOUR_AGO, used=True)) == []


def test_a_job_is_known_by_the_run_that_it_writes_for():
    job = Billed(
        Kind.TRAINING_JOB,
        "flights-local-cut-short",
        AN_HOUR_AGO,
        "Train:ml.m5.xlarge",
        1,
        "s3://lake/artefacts/train-1/prior/",
    )
    assert reaped(job, runs=["train-1"]) == []
    assert reaped(job, runs=["train-2", "train"]) == ["flights-local-cut-short"]


def test_what_is_young_may_not_be_written_down_yet():
    assert reaped(Billed(Kind.NOTEBOOK, "mine", NOW - timedelta(minutes=14))) == []
    assert reaped(Billed(Kind.NOTEBOOK, "mine", NOW - timedelta(minutes=15))) == ["mine"]


def test_nothing_is_ended_that_could_not_be_announced():
    ended = []
    with pytest.raises(RuntimeError):
        reap([Billed(Kind.NOTEBOOK, "mine", AN_HOUR_AGO)], now=NOW, runs=set(), end=ended.append, announce=refuse)
    assert ended == []


def test_what_cannot_be_ended_keeps_no_other_going():
    ended = []

    def end(thing):
        if thing.name == "stuck":
            raise RuntimeError("AccessDenied")
        ended.append(thing.name)

    things = [Billed(Kind.NOTEBOOK, name, AN_HOUR_AGO) for name in ("a", "stuck", "b")]
    with pytest.raises(NotEnded, match="^notebook stuck: AccessDenied$"):
        reap(things, now=NOW, runs=set(), end=end, announce=lambda thing, usd: None)
    assert ended == ["a", "b"]


def refuse(thing, usd):
    raise RuntimeError("no way to tell anybody")


def test_what_idles_for_free_saves_nothing():
    assert monthly_usd(Billed(Kind.ENDPOINT, "serverless", AN_HOUR_AGO)) == 0.0


# ---- on SageMaker


@pytest.fixture
def grown():
    """An hour later: nothing is too young."""
    return {"time": iso(datetime.now(UTC) + timedelta(hours=1))}


@pytest.fixture(autouse=True)
def announcements(aws):
    """What the alarms topic was told: `read()` gives it, and forgets it."""
    topic = boto3.client("sns").create_topic(Name="flights-local-alarms")["TopicArn"]
    assert topic == os.environ["ALARMS"]
    queue = boto3.client("sqs").create_queue(QueueName="operator")["QueueUrl"]
    boto3.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:operator"
    )

    def read():
        messages = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"])["Message"] for message in messages]

    return read


def host(aws, name, tag="flights-local"):
    role = "arn:aws:iam::000000000000:role/any"
    aws.sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"Image": "image", "ModelDataUrl": "s3://lake/m"}
    )
    variant = {"VariantName": "all", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    aws.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    tags = [{"Key": "fairway", "Value": tag}]
    aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=tags)


def test_only_the_endpoint_of_ours_that_nothing_knows_goes_and_the_saving_is_announced(aws, grown, announcements):
    for name in ("forgotten", "flights-local-r-1", "flights-local-r-2"):
        host(aws, name)
    host(aws, "flights-local-eu-r-1", tag="flights-local-eu")  # of a project called flights-local
    aws.route(release="r-1", endpoint="flights-local-r-1")
    aws.put(stage.ROUTING, item="release#r-2", release="r-2", state="approved")
    assert handler(grown, None) == {"ended": ["forgotten"], "saves_usd_per_month": pytest.approx(83.95)}
    left = ["flights-local-eu-r-1", "flights-local-r-1", "flights-local-r-2"]
    assert sorted(one["EndpointName"] for one in aws.sagemaker.list_endpoints()["Endpoints"]) == left
    (said,) = announcements()
    assert said.startswith("endpoint forgotten, created ")
    assert said.endswith("belongs to no routing entry, release or run; ending it saves $83.95 a month")
    assert handler(grown, None) == {"ended": [], "saves_usd_per_month": 0}
    assert announcements() == []


def test_an_endpoint_whose_configuration_was_deleted_goes_too(aws, grown):
    host(aws, "forgotten")
    aws.sagemaker.delete_endpoint_config(EndpointConfigName="forgotten")
    assert handler(grown, None) == {"ended": ["forgotten"], "saves_usd_per_month": 0}


def test_the_endpoint_of_a_release_that_failed_goes_since_undo_could_not_remove_it_while_it_was_made(aws, grown):
    for name, state in (("r-1", "failed"), ("r-2", "deploying")):
        host(aws, f"flights-local-{name}")
        aws.put(stage.ROUTING, item=f"release#{name}", release=name, state=state)
    assert handler(grown, None)["ended"] == ["flights-local-r-1"]


def test_once_the_model_is_stopped_its_endpoint_is_kept_for_a_rollback_and_no_longer(aws, grown):
    for name, state in (("r-1", "champion"), ("r-2", "deploying")):
        host(aws, f"flights-local-{name}")
        aws.put(stage.ROUTING, item=f"release#{name}", release=name, state=state)
    routing = aws.route(release="r-1", endpoint="flights-local-r-1")
    stopped = {"version": 2, "previous": [routing["champion"]]}
    now = datetime.now(UTC)
    aws.routing(**stopped, changed_at=iso(now + timedelta(minutes=30)))
    assert handler(grown, None)["ended"] == []
    aws.routing(**stopped, changed_at=iso(now - timedelta(minutes=1)))
    assert handler(grown, None)["ended"] == ["flights-local-r-1"]


def test_a_notebook_is_ours_by_its_tag(aws, grown):
    for name, value in (("ours", "flights-local"), ("theirs", "flights-prod")):
        aws.sagemaker.create_notebook_instance(
            NotebookInstanceName=name,
            InstanceType="ml.t3.medium",
            RoleArn="arn:aws:iam::000000000000:role/any",
            Tags=[{"Key": "fairway", "Value": value}],
        )
    assert handler(grown, None)["ended"] == ["ours"]
    states = {
        one["NotebookInstanceName"]: one["NotebookInstanceStatus"]
        for one in aws.sagemaker.list_notebook_instances()["NotebookInstances"]
    }
    assert states == {"ours": "Stopped", "theirs": "InService"}


MACHINES = {"ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}}


def processing(aws, name: str, writes_to: str):
    """A processing job of ours that goes on, as moto keeps it."""
    aws.sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn="arn:aws:iam::000000000000:role/any",
        AppSpecification={"ImageUri": "image"},
        ProcessingResources=MACHINES,
        Tags=[{"Key": "fairway", "Value": "flights-local"}],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "o",
                    "S3Output": {
                        "S3Uri": writes_to,
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    )
    job = sagemaker_backends["123456789012"]["us-east-1"].processing_jobs[name]
    job.processing_job_status, job.processing_resources = "InProgress", MACHINES  # in moto it is done at once
    return job


@pytest.mark.parametrize(("status", "ended"), [("RUNNING", []), ("FAILED", ["flights-local-score-x"])])
def test_a_processing_job_lives_as_long_as_its_run(aws, grown, status, ended):
    job = processing(aws, "flights-local-score-x", "s3://lake/batch/batch-1/predictions")
    aws.put(stage.RUNS, kind="batch", run="batch-1", status=status)
    assert handler(grown, None)["ended"] == ended
    assert job.processing_job_status == ("Stopped" if ended else "InProgress")


@pytest.mark.parametrize(("state", "ended"), [("deploying", []), ("rolled back", ["flights-local-replay-x"])])
def test_the_replay_of_a_run_that_has_ended_lives_as_long_as_its_release_is_on_its_way(aws, grown, state, ended):
    processing(aws, "flights-local-replay-x", "s3://lake/runs/train-1/replay/")
    aws.put(stage.RUNS, kind="train", run="train-1", status="SUCCEEDED", release="r-2")
    aws.put(stage.ROUTING, item="release#r-2", release="r-2", state=state)
    assert handler(grown, None)["ended"] == ended
