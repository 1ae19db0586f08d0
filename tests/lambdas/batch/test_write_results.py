import gzip
import itertools
import json
import threading
import time

import pytest

from lambdas.aws.tables import TableBusy
from lambdas.batch.write_results import ResultsUnreadable, handler, write_results
from tests.lambdas import stage

KEY = "batch/run-1/results/april.csv-000000000001.jsonl.gz"
EVENT = {"bucket": stage.LAKE, "key": KEY}


SHARED = {
    "event_time": None,
    "made_at": "2013-04-01T00:00:00Z",
    "run": "run-1",
    "release": "r-1",
    "role": "champion",
    "source": "model",
    "prediction": True,
}


ABOUT = {"all_rows": SHARED, "each_row": ["row_number", "entity_id", "reason", "probability"], "shard_id": "5" * 20}


def result(number: int) -> dict:
    reason = "no answer" if number % 10 == 0 else None
    return {
        **SHARED,
        "id": f"{'5' * 20}{number:012d}",
        "entity_id": f"flight {number}",
        "reason": reason,
        "probability": number / 10_000,
    }


def lines(rows: int) -> list[bytes]:
    own = ([number, *(result(number)[name] for name in ABOUT["each_row"][1:])] for number in range(rows))
    return [json.dumps(line).encode() + b"\n" for line in (ABOUT, *own)]


def upload(aws, rows: int) -> None:
    aws.upload(KEY, gzip.compress(b"".join(lines(rows))))


def stored(aws) -> list[dict]:
    return sorted(
        ({k: v for k, v in item.items() if k != "expires_at"} for item in aws.items(stage.PREDICTIONS)),
        key=lambda item: item["id"],
    )


def without_nothing(record: dict) -> dict:
    return {name: value for name, value in record.items() if value is not None}


def test_every_row_is_written_once_however_often_the_file_is(aws):
    upload(aws, 333)
    assert handler(EVENT, None) == {"written": 333}
    once = stored(aws)
    assert handler(EVENT, None) == {"written": 333}
    assert once == stored(aws) == [without_nothing(result(number)) for number in range(333)]


def test_a_batch_of_a_year_long_gone_expires_from_today_on(aws):
    upload(aws, 1)
    handler(EVENT, None)
    (item,) = aws.items(stage.PREDICTIONS)
    assert item["expires_at"] == pytest.approx(time.time() + 400 * 86400, abs=60)


def test_an_empty_file_writes_nothing(aws):
    aws.upload(KEY, gzip.compress(b""))
    assert handler(EVENT, None) == {"written": 0}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not gzip",
        gzip.compress(b"".join(lines(100)))[:-20],
        gzip.compress(b"nonsense\n"),
        gzip.compress(b"[]\n7\n"),
        gzip.compress(lines(0)[0] + b"7\n"),
        gzip.compress(lines(0)[0] + b'[1,"a"]\n'),
        gzip.compress(b"".join(lines(9)[1:])),
    ],
)
def test_a_file_that_the_score_job_did_not_write_is_refused(aws, body):
    aws.upload(KEY, body)
    if body == b"":
        assert handler(EVENT, None) == {"written": 0}
    else:
        with pytest.raises(ResultsUnreadable):
            handler(EVENT, None)


def test_a_file_is_read_only_as_fast_as_it_is_written():
    read, go = itertools.count(), threading.Event()

    def counted():
        for line in lines(10_000):
            next(read)
            yield line

    def put(records):
        assert go.wait(10)

    writing = threading.Thread(target=lambda: write_results(counted(), expires_at=0, put=put, threads=2))
    writing.start()
    time.sleep(0.3)
    held = next(read)
    go.set()
    writing.join()
    assert held <= 6 * 25


def test_a_write_that_fails_fails_the_file_soon():
    read = itertools.count()

    def counted():
        for line in lines(100_000):
            next(read)
            yield line

    def put(records):
        raise TableBusy("no room")

    with pytest.raises(TableBusy):
        write_results(counted(), expires_at=0, put=put, threads=4)
    assert next(read) < 1000
