"""A folder that is scored by the clock, day by day: each file once, whatever is killed or started twice."""

import pytest

from lambdas.batch import close_batch, preprocess
from lambdas.batch.input_listing import InputRefused
from tests.lambdas import stage
from tests.lambdas.batch.test_input_files import HEADER

URI = f"s3://{stage.LAKE}"
ROW = HEADER + b"\n"


def planned(aws, day: int, **more) -> list[str]:
    """Shards of the day's scheduled run."""
    run = f"batch-{day}"
    event = {"run": run, "input": "batch/incoming/", "as_of": f"2013-04-{day:02d}", "only_new": True, **more}
    plan = preprocess.handler(event, None)
    return aws.document(f"batch/{run}/settings/shards.manifest")[1:] if plan["shards"] else []


def closed(aws, day: int, shards: list[str]) -> dict:
    """The day's run after its job scored a row of each shard."""
    counts = {"read": 1, "scored": 1, "quarantined": 0, "first_row": 1, "next_row": 2, "last": True, "files": {}}
    for shard in shards:
        aws.upload(f"batch/batch-{day}/summary/{shard}-000000000001.json", {"shard": shard, **counts})
    store = aws.item(stage.RUNS, kind="batch", run=f"batch-{day}")["store"]
    return close_batch.handler({"run": f"batch-{day}", "written": len(shards) if store else 0}, None)


def scored(aws, day: int, **more) -> list[str]:
    shards = planned(aws, day, **more)
    closed(aws, day, shards)
    return shards


def identities(aws, day: int) -> dict:
    return aws.document(f"batch/batch-{day}/settings/run.json")["identities"]


def test_each_day_scores_what_came_since(aws):
    aws.route()
    aws.released()
    aws.upload("batch/incoming/1.csv", ROW)
    aws.upload("batch/incoming/sub/2.csv", ROW)
    assert scored(aws, 1) == ["1.csv", "sub/2.csv"]
    aws.upload("batch/incoming/3.csv", ROW)
    assert scored(aws, 2) == ["3.csv"]
    assert scored(aws, 3) == []
    aws.upload("batch/incoming/1.csv", ROW + b"\n")  # as it is sent again, with other bytes
    assert scored(aws, 4) == ["1.csv"]
    runs = [aws.item(stage.RUNS, kind="batch", run=f"batch-{day}") for day in (1, 2, 3, 4)]
    assert [(run["status"], run["shards"], run["passed_over"], run["written"]) for run in runs] == [
        ("SUCCEEDED", 2, 0, 2),
        ("SUCCEEDED", 1, 2, 1),
        ("SUCCEEDED", 0, 3, 0),
        ("SUCCEEDED", 1, 2, 1),
    ]


def test_a_day_without_a_new_file_starts_no_job_and_writes_nothing(aws):
    aws.upload("batch/incoming/1.csv", ROW)
    scored(aws, 1)
    plan = preprocess.handler({"run": "b", "input": "batch/incoming/", "as_of": "2013-04-02", "only_new": True}, None)
    assert (plan["shards"], plan["shards_manifest"], plan["store"]) == (0, None, False)


def test_another_release_scores_every_file_again(aws):
    aws.upload("batch/incoming/1.csv", ROW)
    assert scored(aws, 1) == ["1.csv"]  # the fallback answered
    aws.route()
    aws.released()
    assert scored(aws, 2) == ["1.csv"]
    assert scored(aws, 3) == []


def test_a_repeat_scores_every_file_under_ids_of_its_own(aws):
    aws.upload("batch/incoming/1.csv", ROW)
    scored(aws, 1)
    assert scored(aws, 2, only_new=False) == ["1.csv"]
    assert identities(aws, 2) == {}


def test_a_file_scored_as_parquet_only_is_still_new_for_a_run_that_stores(aws):
    aws.upload("batch/incoming/1.csv", ROW)
    assert scored(aws, 1, store=False) == ["1.csv"]
    assert scored(aws, 2, store=False) == []
    assert scored(aws, 3) == ["1.csv"]
    assert scored(aws, 4, store=False) == []


def test_files_of_a_run_that_never_ended_are_scored_by_the_next_under_the_same_ids(aws):
    aws.upload("batch/incoming/1.csv", ROW)
    assert planned(aws, 1) == ["1.csv"]
    aws.upload("batch/incoming/2.csv", ROW)
    assert scored(aws, 2) == ["1.csv", "2.csv"]
    assert identities(aws, 1)["1.csv"] == identities(aws, 2)["1.csv"] != identities(aws, 2)["2.csv"]


def test_a_run_started_again_keeps_to_its_files_and_closing_it_twice_counts_once(aws):
    aws.upload("batch/incoming/1.csv", ROW)
    first = planned(aws, 1)
    aws.upload("batch/incoming/2.csv", ROW)
    assert planned(aws, 1) == first == ["1.csv"]
    once, twice = closed(aws, 1, first), closed(aws, 1, first)
    assert {**once, "seconds": 0} == {**twice, "seconds": 0}
    assert scored(aws, 2) == ["2.csv"]


def test_a_run_started_again_over_a_file_that_changed_is_refused(aws):
    aws.upload("batch/incoming/1.csv", ROW)
    planned(aws, 1)
    aws.upload("batch/incoming/1.csv", ROW + b"\n")
    with pytest.raises(InputRefused) as refused:
        planned(aws, 1)
    assert str(refused.value) == f"{URI}/batch/incoming/1.csv: changed since run batch-1 began; start a new run"
