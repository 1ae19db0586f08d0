import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.records import run_key
from lambdas.aws import clients, tables
from lambdas.aws.services import ServiceError
from lambdas.aws.tables import TableBusy, send_all
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
    tried, slept = itertools.count(), []

    def send(items):
        next(tried)
        return items[:1]

    with pytest.raises(TableBusy) as busy:
        send_all(send, [1, 2], tries=5, sleep=slept.append)
    assert str(busy.value) == "DynamoDB left 1 of 2 items after 5 tries; trying again is safe"
    assert (next(tried), len(slept)) == (5, 4)  # nobody waits for a try that will not be


class Throttled:
    """DynamoDB while it takes none of a call's items: it fails the call then, with one code or another."""

    def __init__(self, *codes):
        self.codes, self.taken = list(codes), []

    def call(self, operation, RequestItems):  # noqa: N803
        if self.codes:
            raise ServiceError(f"dynamodb {operation}", self.codes.pop(0), "", status=400)
        self.taken += RequestItems["t"]
        return {}


def test_items_none_of_which_was_taken_are_sent_again_too(monkeypatch):
    dynamodb = Throttled("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded")
    monkeypatch.setattr(clients, "dynamodb", lambda: dynamodb)
    tables.put_all("t", [{"id": "a"}, {"id": "b"}], sleep=lambda seconds: None)
    assert [item["PutRequest"]["Item"]["id"]["S"] for item in dynamodb.taken] == ["a", "b"]


def test_a_write_that_no_waiting_helps_is_not_tried_again(monkeypatch):
    dynamodb = Throttled("ValidationException")
    monkeypatch.setattr(clients, "dynamodb", lambda: dynamodb)
    with pytest.raises(ServiceError, match="ValidationException"):
        tables.put_all("t", [{"id": "a"}], sleep=pytest.fail)


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
    assert aws.items(stage.RUNS) == [
        {"kind": "train", "run": "run-1", "status": "DONE", "release": None, "started_at": "first"}
    ]


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


def test_of_several_conditional_writes_at_the_same_time_one_holds(aws):
    def write(number):
        return tables.put_if(
            stage.ROUTING,
            {"item": f"round-{number // 6}"},
            condition="attribute_not_exists(#item)",
            names={"#item": "item"},
        )

    with ThreadPoolExecutor(6) as pool:
        held = list(pool.map(write, range(120)))
    assert [sum(held[start : start + 6]) for start in range(0, 120, 6)] == [1] * 20
