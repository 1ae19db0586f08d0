import pytest

from domain.timestamps import parse_timestamp
from lambdas.batch.close_batch import CountsDoNotAddUp, close_batch, handler
from tests.lambdas import stage

RUN = "batch-1"


def scored(aws, segment: str, read: int, quarantined: int, *, last: bool = True, **reasons) -> None:
    counts = {"read": read, "scored": read - quarantined, "quarantined": quarantined, "chunks": 1}
    aws.upload(f"batch/{RUN}/summary/{segment}.json", {**counts, "last": last, "reasons": reasons})


def test_a_run_whose_counts_add_up_is_done(aws):
    aws.put(
        stage.RUNS, kind="batch", run=RUN, status="RUNNING", shards=2, started_at="2013-04-01T00:00:00Z", release="r-1"
    )
    scored(aws, "a.csv-000000000001", 70, 2, minimum=2, last=False)
    scored(aws, "a.csv-000000000071", 30, 1, null=1)
    scored(aws, "b.csv-000000000001", 50, 1, null=1)

    reply = handler({"run": RUN, "written": 146}, None)

    assert reply.pop("seconds") > 0
    assert reply == {"run": RUN, "read": 150, "quarantined": 4, "scored": 146, "written": 146}
    record = aws.item(stage.RUNS, kind="batch", run=RUN)
    assert record.pop("seconds") > 0
    assert record.pop("finished_at") > record.pop("started_at")
    assert record == {
        "kind": "batch",
        "run": RUN,
        "status": "SUCCEEDED",
        "shards": 2,
        "release": "r-1",
        "read": 150,
        "quarantined": 4,
        "scored": 146,
        "written": 146,
        "reasons": {"minimum": 2, "null": 2},
    }


def closed(*, written: int, summaries: list[dict], **known) -> dict:
    known = {"started_at": "2013-04-01T00:00:00Z", **known}
    now = parse_timestamp("2013-04-01T00:01:30Z")
    summaries = [{"last": True, **summary} for summary in summaries]
    return close_batch(
        RUN,
        written=written,
        now=now,
        summaries=summaries,
        known=known,
        planned=None,
        keep=pytest.fail,
        record=lambda values: None,
    )


def test_seconds_are_counted_from_the_first_start():
    assert closed(written=1, summaries=[{"read": 1, "scored": 1, "quarantined": 0}])["seconds"] == 90.0


@pytest.mark.parametrize(
    ("written", "summary", "shards", "message"),
    [
        (
            9,
            {"read": 10, "scored": 10, "quarantined": 0},
            1,
            "batch-1: scored 10 rows, but wrote 9; start the run again, it resumes",
        ),
        (
            11,
            {"read": 10, "scored": 10, "quarantined": 0},
            1,
            "batch-1: scored 10 rows, but wrote 11; start the run again, it resumes",
        ),
        (
            9,
            {"read": 10, "scored": 9, "quarantined": 0},
            1,
            "batch-1: read 10 rows, but scored 9 and quarantined 0; score the input as a new run",
        ),
        (
            9,
            {"read": 10, "scored": 9, "quarantined": 1},
            2,
            "batch-1: 1 of 2 shards are scored completely; start the run again, it resumes",
        ),
        (
            9,
            {"read": 10, "scored": 9, "quarantined": 1, "last": False},
            1,
            "batch-1: 0 of 1 shards are scored completely; start the run again, it resumes",
        ),
    ],
)
def test_rows_that_were_lost_or_doubled_fail_the_run(written, summary, shards, message):
    with pytest.raises(CountsDoNotAddUp) as lost:
        closed(written=written, summaries=[summary], shards=shards)
    assert str(lost.value) == message


def test_a_run_without_a_row_to_score_is_done_too():
    reply = closed(written=0, summaries=[{"read": 3, "scored": 0, "quarantined": 3}], shards=1)
    assert reply == {"run": RUN, "read": 3, "quarantined": 3, "scored": 0, "written": 0, "seconds": 90.0}


def test_a_run_that_stores_nothing_writes_nothing():
    summaries = [{"read": 3, "scored": 3, "quarantined": 0}]
    assert closed(written=0, summaries=summaries, shards=1, store=False)["scored"] == 3
    with pytest.raises(CountsDoNotAddUp):
        closed(written=3, summaries=summaries, shards=1, store=False)
