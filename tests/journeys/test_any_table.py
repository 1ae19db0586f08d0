"""From somebody's table to predictions: `fairway init` drafts the project, and the same commands run it."""

import io
import json
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow.parquet as pq
import pytest

from domain.lake import split_uri
from model_code.artefact.archive import pack, unpack
from model_code.artefact.folder import MANIFEST
from tests.journeys.conftest import FAIRWAY, Journey, drafted, eventually, write_csv

ROWS = 1000


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A project drafted from a table with odd column names, a text target, and neither key nor event time."""
    table = write_table(tmp_path_factory.mktemp("any") / "Customers & Churn.csv", rows=ROWS)
    with drafted(table, target="Left us?", name="shop") as journey:
        journey.fairway("up", "--enforce-iam")
        yield journey, table


def write_table(file, rows: int):
    return write_csv(file, ["Größe (cm)", "1st.order", "select", "plan", "empty", "Left us?"], customers(rows))


def customers(count: int) -> Iterator[list]:
    draw = random.Random(5)
    for _ in range(count):
        size, plan = draw.gauss(170, 10), draw.choice(["free", "pro", "été", "日本"])
        orders = draw.randint(0, 40)
        leaves = draw.random() < 1 / (1 + 2.718 ** ((orders - 15) / 4 + (plan == "pro")))
        yield [f"{size:.1f}", orders, draw.choice(["", "x", "y"]), plan, "", "Yes" if leaves else "No"]


def test_the_draft_is_valid_and_takes_its_own_table_whole(shop):
    journey, table = shop
    assert journey.run("check").returncode == 0
    loaded = journey.fairway("load", table)
    assert (loaded["accepted"], loaded["quarantined"]) == (ROWS, 0)


def test_a_model_is_trained_released_and_answers(shop):
    journey, table = shop
    journey.fairway("load", table)
    trained = journey.fairway("train")
    assert trained["verdict"] == "approved", trained["reason"]
    likely, unlikely = journey.predict(row(orders=0, plan="free"), row(orders=40, plan="pro"))
    assert likely["source"] == unlikely["source"] == "model"
    assert likely["probability"] > 0.8 > 0.2 > unlikely["probability"]


def test_a_batch_of_the_table_is_scored(shop):
    journey, table = shop
    batch = journey.fairway("batch", table)
    assert (batch["read"], batch["scored"], batch["written"], batch["quarantined"]) == (ROWS, ROWS, ROWS, 0)


def test_a_batch_that_is_not_stored_is_where_the_summary_says_and_nowhere_else(shop):
    """The same probabilities as the run that was stored, from the same release, and not a row more in the table."""
    journey, table = shop
    stored, before = journey.fairway("batch", table), count_of(journey, "predictions")
    batch = journey.fairway("batch", table, "--no-store")
    assert batch["run"] != stored["run"]
    assert (batch["read"], batch["scored"], batch["written"], batch["quarantined"]) == (ROWS, ROWS, 0, 0)
    assert count_of(journey, "predictions") == before
    one, other = (probabilities(journey, each["predictions"]) for each in (stored, batch))
    assert one == other and len(one) == ROWS


def test_a_batch_job_that_is_stopped_keeps_what_it_has_scored_and_the_same_command_goes_on_behind_it(shop, tmp_path):
    journey, table = shop
    many = repeated(table, tmp_path / "many.csv", times=1800)
    words = [FAIRWAY, "batch", many, "--no-store", "--json", "--project", journey.project]
    batch = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begun = (journey.project / ".fairway/local").rglob
    eventually(lambda: list(begun("unfinished/many.csv-*/predictions")) or batch.poll(), within_s=120, pause_s=0.05)
    sagemaker = journey.aws("sagemaker")
    (job,) = sagemaker.list_processing_jobs(StatusEquals="InProgress")["ProcessingJobSummaries"]
    sagemaker.stop_processing_job(ProcessingJobName=job["ProcessingJobName"])
    said, _ = batch.communicate(timeout=60)
    assert batch.returncode == 1
    assert "ended as Stopped; `fairway batch" in json.loads(said)["message"]
    kept = segments_of(journey, many.name)

    done = journey.fairway("batch", many, "--no-store")

    assert (done["read"], done["scored"], done["quarantined"]) == (1_800_000, 1_800_000, 0)
    assert kept.items() < segments_of(journey, many.name).items()


def repeated(table, file, *, times: int):
    header, _, rows = table.read_bytes().partition(b"\n")
    with file.open("wb") as out:
        out.write(header + b"\n")
        for _ in range(times):
            out.write(rows)
    return file


def segments_of(journey, shard: str) -> dict:
    """{key of a segment's summary: when it came} of the runs that score the file."""
    pages = (
        journey.aws("s3").get_paginator("list_objects_v2").paginate(Bucket=journey.address()["lake"], Prefix="batch/")
    )
    found = (one for page in pages for one in page.get("Contents", []))
    return {one["Key"]: one["LastModified"] for one in found if f"/summary/{shard}-" in one["Key"]}


def count_of(journey, table: str) -> int:
    pages = journey.aws("dynamodb").get_paginator("scan").paginate(TableName=journey.address()[table], Select="COUNT")
    return sum(page["Count"] for page in pages)


def probabilities(journey, uri: str) -> list[float]:
    """Of the Parquet files below the URI, in order."""
    bucket, prefix = split_uri(uri)
    s3 = journey.aws("s3")
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]]
    files = [io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]
    return sorted(value for file in files for value in pq.read_table(file)["probability"].to_pylist())


def test_nothing_is_scored_with_a_release_that_somebody_changed(shop, tmp_path):
    journey, _ = shop
    item = champion(journey)

    journey.aws("dynamodb").put_item(
        TableName=journey.address()["routing"], Item={**item, "artefact_sha256": {"S": "0" * 64}}
    )
    said = refused(journey, "batch", write_table(tmp_path / "one.csv", rows=20))
    assert (
        "SignatureRefused: release "
        + item["release"]["S"]
        + " with artefact 000000000000... is not what shop-local signed"
        in said
    )

    journey.aws("dynamodb").put_item(TableName=journey.address()["routing"], Item=item)
    with changed_manifest(journey, item["model_uri"]["S"], tmp_path):
        said = refused(journey, "batch", write_table(tmp_path / "two.csv", rows=30))
    assert "manifest.json is not the one that was signed" in said

    assert journey.fairway("batch", write_table(tmp_path / "three.csv", rows=40))["scored"] == 40


def test_a_release_that_somebody_changed_is_not_deployed_again(shop, tmp_path):
    """Its endpoint is gone and its item says that it may be deployed; only the signature speaks against it."""
    journey, _ = shop
    item = champion(journey)
    package = {
        "model_package_arn": journey.aws("sagemaker").list_model_packages(
            ModelPackageGroupName=journey.address()["model_package_group"]
        )["ModelPackageSummaryList"][0]["ModelPackageArn"]
    }
    journey.aws("dynamodb").put_item(TableName=journey.address()["routing"], Item={**item, "state": {"S": "approved"}})
    with changed_manifest(journey, item["model_uri"]["S"], tmp_path):
        execution = journey.aws("stepfunctions").start_execution(
            stateMachineArn=journey.address()["release"], input=json.dumps(package)
        )
        ended = end_of(journey, execution["executionArn"])
    assert (ended["status"], ended["error"]) == ("FAILED", "SignatureRefused")
    assert "manifest.json in " + item["model_uri"]["S"] + " has the sha256 " in ended["cause"]
    assert champion(journey)["state"] == {"S": "failed"}


def champion(journey) -> dict:
    """The release item, in DynamoDB's notation; the stage has one release."""
    items = journey.aws("dynamodb").scan(TableName=journey.address()["routing"])["Items"]
    return next(item for item in items if item["item"]["S"].startswith("release#"))


def refused(journey, *words) -> str:
    done = journey.run(*words, "--json")
    assert done.returncode == 1, done.stdout
    return json.loads(done.stdout)["message"]


@contextmanager
def changed_manifest(journey, model_uri: str, folder):
    """The archive in the lake with one space more at the end of its manifest, for a while."""
    bucket, _, key = model_uri.removeprefix("s3://").partition("/")
    s3 = journey.aws("s3")
    original = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    (folder / "original.tar.gz").write_bytes(original)
    artefact = unpack(folder / "original.tar.gz", folder / "artefact")
    (artefact / MANIFEST).write_bytes((artefact / MANIFEST).read_bytes() + b" ")
    pack(artefact, folder / "changed.tar.gz")
    s3.put_object(Bucket=bucket, Key=key, Body=(folder / "changed.tar.gz").read_bytes())
    try:
        yield
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=original)


def end_of(journey, execution: str) -> dict:
    def ended() -> dict | None:
        found = journey.aws("stepfunctions").describe_execution(executionArn=execution)
        return None if found["status"] == "RUNNING" else found

    return eventually(ended, within_s=60)


def row(*, orders: int, plan: str) -> dict:
    return {"Größe (cm)": 171.0, "1st.order": orders, "select": "x", "plan": plan, "empty": None}


def test_commands_name_what_is_missing_before_anything_is_up(tmp_path):
    journey = Journey(tmp_path, tmp_path)
    done = journey.run("status", "--json")
    assert done.returncode == 2
    assert "fairway init" in json.loads(done.stdout)["message"]
