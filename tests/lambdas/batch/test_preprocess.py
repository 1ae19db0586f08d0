import itertools

import pytest

from domain.config import sections as config
from domain.contract import schema as contract
from domain.release.signature import SignatureRefused
from domain.train.windows import RunRefused
from lambdas.aws.objects import Listed
from lambdas.batch.input_listing import InputRefused, checked_files
from lambdas.batch.preprocess import handler
from tests.lambdas import stage
from tests.lambdas.batch.test_input_files import HEADER, PARQUET
from tests.lambdas.conftest import SHA256

RUN = "batch-20130401-1"
URI = f"s3://{stage.LAKE}"
EVENT = {"run": RUN, "input": f"{URI}/batch/incoming/", "as_of": "2013-04-01"}
CSV = HEADER + b"\n"


def test_every_file_becomes_a_shard_for_the_champion(aws):
    aws.route()
    released = aws.released()
    aws.upload("batch/incoming/", b"")
    aws.upload("batch/incoming/a.csv", CSV)
    aws.upload("batch/incoming/sub/b.parquet", PARQUET)
    for aside in ("_SUCCESS", ".a.csv.crc", "sub/_temporary/c.csv", "a.csv.crc"):  # what Spark writes beside its data
        aws.upload(f"batch/incoming/{aside}", b"")

    reply = handler(EVENT, None)

    assert reply == {
        "run": RUN,
        "as_of": "2013-04-01T00:00:00Z",
        "release": "r-1",
        "model_uri": "s3://lake/model.tar.gz",
        "settings_uri": f"{URI}/batch/{RUN}/settings/",
        "shards_manifest": f"{URI}/batch/{RUN}/settings/shards.manifest",
        "shards": 2,
        "instances": 1,
        "output_uri": f"{URI}/batch/{RUN}/",
        "store": True,
    }
    assert aws.document(f"batch/{RUN}/settings/shards.manifest") == [
        {"prefix": f"{URI}/batch/incoming/"},
        "a.csv",
        "sub/b.parquet",
    ]
    assert aws.document(f"batch/{RUN}/settings/run.json") == {
        "run": RUN,
        "as_of": "2013-04-01T00:00:00Z",
        "release": "r-1",
        "model_uri": "s3://lake/model.tar.gz",
        "artefact_sha256": SHA256,
        "signature": released["signature"],
        "code_version": "image-1",
        "input": f"{URI}/batch/incoming/",
        "store": True,
        "only_new": False,
        "identities": {},
    }
    assert config.from_dict(aws.document(f"batch/{RUN}/settings/config.json")) == stage.CONFIG
    assert contract.from_dict(aws.document(f"batch/{RUN}/settings/contract.json")) == stage.CONTRACT
    record = aws.item(stage.RUNS, kind="batch", run=RUN)
    assert record.pop("started_at")
    assert record == {
        "kind": "batch",
        "run": RUN,
        "status": "RUNNING",
        "as_of": "2013-04-01T00:00:00Z",
        "input": f"{URI}/batch/incoming/",
        "release": "r-1",
        "store": True,
        "shards": 2,
        "passed_over": 0,
    }


def test_before_the_first_release_there_is_no_model_and_the_batch_goes_on(aws):
    aws.upload("batch/incoming/a.csv", CSV)
    reply = handler(EVENT, None)
    assert (reply["release"], reply["model_uri"], reply["shards"]) == (None, None, 1)


@pytest.mark.parametrize("place", [f"{URI}/batch/incoming/a.csv", "batch/incoming/a.csv", "/batch/incoming/a.csv"])
def test_one_file_is_a_batch_too(aws, place):
    aws.upload("batch/incoming/a.csv", CSV)
    aws.upload("batch/incoming/b.csv", CSV)
    handler({**EVENT, "input": place}, None)
    assert aws.document(f"batch/{RUN}/settings/shards.manifest") == [{"prefix": f"{URI}/batch/incoming/"}, "a.csv"]


@pytest.mark.parametrize("beside", ["a.csv.gz", "a.csv/more.csv"])
def test_a_file_does_not_bring_those_along_whose_names_go_on(aws, beside):
    aws.upload("batch/incoming/a.csv", CSV)
    aws.upload(f"batch/incoming/{beside}", CSV)
    assert handler({**EVENT, "input": "batch/incoming/a.csv"}, None)["shards"] == 1


def test_a_folder_without_its_slash_is_no_file(aws):
    aws.upload("batch/incoming/a.csv", CSV)
    with pytest.raises(
        InputRefused, match="batch/incoming: must be a file, or a folder that ends in /; no such file exists"
    ):
        handler({**EVENT, "input": "batch/incoming"}, None)


def test_no_more_files_are_listed_than_make_a_batch():
    listed = itertools.count()
    endless = (Listed(f"batch/incoming/{number}.csv", 1, "e") for number in listed)
    with pytest.raises(InputRefused, match="must be at most 2000 files"):
        checked_files(stage.LAKE, "batch/incoming/", lambda bucket, prefix: endless, pytest.fail)
    assert next(listed) <= 2002


def test_files_whose_results_would_have_one_name_are_refused(aws):
    for name in ("a/b.csv", "a~b.csv", "c.csv"):
        aws.upload(f"batch/incoming/{name}", CSV)
    with pytest.raises(InputRefused) as refused:
        handler(EVENT, None)
    both = "batch/incoming/a/b.csv and batch/incoming/a~b.csv"
    assert str(refused.value) == f"{both}: their results would have the same name, a~b.csv; rename one"


def test_a_run_started_again_with_another_input_is_refused(aws):
    aws.upload("batch/incoming/a.csv", CSV)
    aws.upload("batch/other/b.csv", CSV)
    handler(EVENT, None)
    with pytest.raises(InputRefused) as refused:
        handler({**EVENT, "input": "batch/other/"}, None)
    began = f"run {RUN} began with {URI}/batch/incoming/; start a new run for another input"
    assert str(refused.value) == f"{URI}/batch/other/: {began}"


def scored(aws, shard: str, first_row: int, next_row: int, *, last: bool = False) -> None:
    """A segment as the Score job leaves it."""
    name = f"{shard.replace('/', '~')}-{first_row:012d}"
    files = {f"predictions/{name}.parquet": b"predictions", f"results/{name}.jsonl.gz": b"results"}
    for file, content in files.items():
        aws.upload(f"batch/{RUN}/{file}", content)
    sizes = {file: len(content) for file, content in files.items()}
    summary = {"shard": shard, "first_row": first_row, "next_row": next_row, "last": last, "files": sizes}
    aws.upload(f"batch/{RUN}/summary/{name}.json", summary)


def test_a_run_started_again_keeps_its_release_and_scores_only_what_is_not_scored(aws):
    aws.route()
    aws.released()
    for file in ("sub/a.csv", "b.csv", "c.csv"):
        aws.upload(f"batch/incoming/{file}", CSV)
    first = handler(EVENT, None)
    assert aws.document(f"batch/{RUN}/settings/progress.json") == {}
    scored(aws, "sub/a.csv", 1, 1001)
    scored(aws, "sub/a.csv", 1001, 1501, last=True)
    scored(aws, "c.csv", 1, 1001)
    aws.route(release="r-2")

    again = handler({**EVENT, "as_of": "2013-04-02"}, None)

    assert again == {**first, "shards": 2}
    assert aws.document(f"batch/{RUN}/settings/shards.manifest")[1:] == ["b.csv", "c.csv"]
    assert aws.document(f"batch/{RUN}/settings/progress.json") == {"c.csv": 1001}
    assert aws.item(stage.RUNS, kind="batch", run=RUN)["shards"] == 3


@pytest.mark.parametrize("there", [None, b"resul"])
def test_a_segment_that_did_not_come_whole_is_scored_again_and_so_is_what_is_behind_it(aws, there):
    """A job's files go up in any order, and whoever stopped it may have stopped that too."""
    aws.upload("batch/incoming/a.csv", CSV)
    scored(aws, "a.csv", 1, 1001)
    scored(aws, "a.csv", 1001, 2001)
    scored(aws, "a.csv", 2001, 2401, last=True)
    file = f"batch/{RUN}/results/a.csv-000000001001.jsonl.gz"
    aws.s3.delete_object(Bucket=stage.LAKE, Key=file) if there is None else aws.upload(file, there)
    assert handler(EVENT, None)["shards"] == 1
    assert aws.document(f"batch/{RUN}/settings/progress.json") == {"a.csv": 1001}


def test_a_run_that_is_scored_whole_has_no_shards_left(aws):
    aws.upload("batch/incoming/a.csv", CSV)
    scored(aws, "a.csv", 1, 2, last=True)
    reply = handler(EVENT, None)
    assert (reply["shards_manifest"], reply["shards"], reply["instances"]) == (None, 0, 1)


def test_every_bad_file_is_named_before_anything_is_written(aws):
    aws.upload("batch/incoming/a.csv", CSV)
    aws.upload("batch/incoming/b.csv", b"")
    aws.upload("batch/incoming/c.xlsx", b"PK")
    with pytest.raises(InputRefused) as refused:
        handler(EVENT, None)
    assert str(refused.value) == (
        "batch/incoming/b.csv: is empty; batch/incoming/c.xlsx: must be one of "
        ".csv, .csv.gz, .tsv, .tsv.gz, .jsonl, .json, .jsonl.gz, .json.gz, .parquet"
    )
    assert aws.items(stage.RUNS) == []
    assert aws.s3.list_objects_v2(Bucket=stage.LAKE, Prefix=f"batch/{RUN}/")["KeyCount"] == 0


def test_of_many_bad_files_the_first_are_named(aws):
    for number in range(30):
        aws.upload(f"batch/incoming/{number:02d}.txt", b"x")
    with pytest.raises(InputRefused) as refused:
        handler(EVENT, None)
    assert str(refused.value).count(".txt: ") == 20
    assert str(refused.value).endswith("; and 10 more")


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, f"{URI}/batch/incoming/: must be a file, or a folder that ends in /; no such file exists"),
        ({"input": "s3://lake"}, "uri = 's3://lake': must be s3://BUCKET/KEY"),
        ({"input": "https://x/y"}, "uri = 'https://x/y': must be s3://BUCKET/KEY"),
        ({"as_of": "today"}, "as_of = 'today': must be an ISO 8601 date or time such as 2013-04-01T00:00:00Z"),
    ],
)
def test_an_input_that_is_not_there_is_refused(aws, event, message):
    with pytest.raises(InputRefused) as refused:
        handler({**EVENT, **event}, None)
    assert str(refused.value) == message


@pytest.mark.parametrize("run", ["", "a/b", "..", "x" * 81, "run 1", None])
def test_a_run_whose_name_would_be_no_part_of_a_key_is_refused(aws, run):
    aws.upload("batch/incoming/a.csv", CSV)
    with pytest.raises(RunRefused, match="must have 1 to 80 letters, digits, dots, dashes and underscores"):
        handler({**EVENT, "run": run}, None)


@pytest.mark.parametrize("changed", [{"artefact_sha256": "0" * 64}, {"signature": None}])
def test_nothing_is_scored_with_a_release_that_was_not_signed_as_it_is(aws, changed):
    aws.route()
    aws.released(**changed)
    aws.upload("batch/incoming/a.csv", CSV)
    with pytest.raises(SignatureRefused, match="release r-1"):
        handler(EVENT, None)
    assert aws.item(stage.RUNS, kind="batch", run=RUN) is None


def test_a_run_started_again_checks_the_release_that_it_began_with(aws):
    aws.route()
    aws.released()
    aws.upload("batch/incoming/a.csv", CSV)
    handler(EVENT, None)
    settings = f"batch/{RUN}/settings/run.json"
    aws.upload(settings, {**aws.document(settings), "artefact_sha256": "0" * 64})
    with pytest.raises(SignatureRefused, match="release r-1 with artefact 000000000000"):
        handler(EVENT, None)


def test_a_run_may_ask_for_parquet_only_and_keeps_to_it(aws):
    aws.released()
    aws.upload("batch/incoming/a.csv", CSV)
    handler({**EVENT, "store": False}, None)
    handler(EVENT, None)
    assert aws.document(f"batch/{RUN}/settings/run.json")["store"] is False
    assert aws.item(stage.RUNS, kind="batch", run=RUN)["store"] is False
    with pytest.raises(InputRefused, match="store = 'no': must be true or false$"):
        handler({**EVENT, "run": "another", "store": "no"}, None)
