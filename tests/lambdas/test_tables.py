import itertools

import pytest

from domain.records import run_key
from lambdas import tables
from lambdas.tables import TableBusy, send_all
from tests.lambdas import stage


def test_what_dynamodb_hands_back_is_sent_again_ever_later():
    sent, slept, back = [], [], iter([[3, 4, 5], [5], []])

    def send(items):
        sent.append(items)
        return next(back)

    send_all(send, [1, 2, 3, 4, 5], tries=6, sleep=slept.append)
    assert sent == [[1, 2, 3, 4, 5], [3, 4, 5], [5]]
    assert [0 <= pause <= most for pause, most in zip(slept, (0.05, 0.1), strict=True)] == [True, True]


def test_a_table_that_stays_busy_is_said_to_be():
    tried = itertools.count()

    def send(items):
        next(tried)
        return items[:1]

    with pytest.raises(TableBusy) as busy:
        send_all(send, [1, 2], tries=5, sleep=lambda seconds: None)
    assert str(busy.value) == "DynamoDB left 1 of 2 items after 5 tries; try again, it is safe"
    assert next(tried) == 5


def test_any_number_of_records_is_put(aws):
    records = [{"id": f"id-{number}", "entity_id": "a", "made_at": f"{number:03d}"} for number in range(60)]
    tables.put_all(stage.PREDICTIONS, records)
    assert sorted(aws.items(stage.PREDICTIONS), key=lambda item: item["made_at"]) == records
    tables.put_all(stage.PREDICTIONS, [])


def test_a_query_goes_on_over_all_pages(aws):
    for number in range(7):
        aws.put(stage.RUNS, kind="load", run=f"load-{number}")
    loads = tables.query_all(
        stage.RUNS,
        KeyConditionExpression="#kind = :kind",
        ExpressionAttributeNames={"#kind": "kind"},
        ExpressionAttributeValues={":kind": {"S": "load"}},
        Limit=3,
    )
    assert [load["run"] for load in loads] == [f"load-{number}" for number in range(7)]


def test_an_update_sets_what_it_names_and_some_only_once(aws):
    key = run_key("train", "run-1")
    tables.update(stage.RUNS, key, {"status": "RUNNING", "release": None}, once={"started_at": "first"})
    tables.update(stage.RUNS, key, {"status": "DONE"}, once={"started_at": "second"})
    assert aws.items(stage.RUNS) == [{"kind": "train", "run": "run-1", "status": "DONE", "release": None, "started_at": "first"}]


def test_an_update_of_what_must_be_there_makes_nothing(aws):
    assert not tables.update(stage.RUNS, run_key("train", "run-1"), {"status": "DONE"}, only_if_there=True)
    assert aws.items(stage.RUNS) == []


def test_a_put_whose_condition_does_not_hold_writes_nothing(aws):
    first, second = ({"kind": "train", "run": "run-1", "number": number} for number in (1, 2))
    assert tables.put_if(stage.RUNS, first, condition="attribute_not_exists(run)")
    assert not tables.put_if(stage.RUNS, second, condition="attribute_not_exists(run)")
    assert aws.items(stage.RUNS) == [first]


def test_what_fails_for_another_reason_is_raised(aws):
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        tables.put_if("no-such-table", {"kind": "a"}, condition="attribute_not_exists(kind)")
