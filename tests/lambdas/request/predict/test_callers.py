"""A key is its caller's, with `readers = "own"` predictions are too; a role is one caller in all its sessions."""

from dataclasses import replace

import pytest

from lambdas.request import predict as function
from lambdas.request.predict import handler
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.predict.asking import MANY, ONE, POST, ROW, row

SHOP = {"iam": {"userArn": "arn:aws:sts::000000000000:assumed-role/shop/task-1"}}
SHOP_AGAIN = {"iam": {"userArn": "arn:aws:sts::000000000000:assumed-role/shop/task-2"}}
DESK = {"iam": {"userArn": "arn:aws:iam::000000000000:user/desk"}}
SOMEBODY = {"jwt": {"claims": {"sub": "somebody"}, "scopes": None}}
KEY = {"Idempotency-Key": "order 1"}


@pytest.fixture
def own(monkeypatch):
    monkeypatch.setattr(function, "CONFIG", replace(stage.CONFIG, serving=replace(stage.CONFIG.serving, readers="own")))


def asked(authorizer, body=ROW, **more) -> dict:
    status, answer = call(handler, POST, body, authorizer=authorizer, **more)
    assert status == 200
    return answer


def read(authorizer, id: str) -> int:
    return call(handler, ONE, path={"id": id}, authorizer=authorizer)[0]


def listed(authorizer) -> list[str]:
    status, page = call(handler, MANY, query={"entity_id": ROW["flight_id"]}, authorizer=authorizer)
    assert status == 200
    return [prediction["id"] for prediction in page["predictions"]]


def test_one_key_of_two_callers_is_two_requests(aws):
    first, other = asked(SHOP, headers=KEY), asked(DESK, row("another"), headers=KEY)
    assert other["entity_id"] == "another"
    assert asked(SHOP, headers=KEY) == first
    assert asked(SHOP_AGAIN, headers=KEY) == first
    status, refused = call(handler, POST, row("another"), headers=KEY, authorizer=SHOP)
    assert (status, refused["error"]) == (409, "conflict")


def test_who_asked_is_stored(aws):
    found = {}
    for authorizer in (SHOP, DESK, SOMEBODY):
        answer = asked(authorizer)
        found[aws.item(stage.PREDICTIONS, id=answer["id"])["caller"]] = "caller" in answer
    assert found == {
        "arn:aws:sts::000000000000:assumed-role/shop": False,
        "arn:aws:iam::000000000000:user/desk": False,
        "somebody": False,
    }


def test_any_caller_of_the_route_reads_every_prediction_unless_settings_say_otherwise(aws):
    answer = asked(SHOP)
    assert read(DESK, answer["id"]) == 200
    assert listed(DESK) == [answer["id"]]


def test_with_own_readers_a_caller_reads_only_what_it_asked_for(aws, own):
    shops, desks = asked(SHOP)["id"], asked(DESK)["id"]
    assert [read(SHOP_AGAIN, id) for id in (shops, desks)] == [200, 404]
    assert (listed(SHOP), listed(DESK), listed(SOMEBODY)) == ([shops], [desks], [])


def test_with_own_readers_nobody_reads_what_a_batch_stored_or_without_being_known(aws, own):
    aws.put(stage.PREDICTIONS, id="b" * 32, entity_id=ROW["flight_id"], made_at="2013-04-01T00:00:00Z", run="batch-1")
    asked(None)
    assert [read(who, "b" * 32) for who in (SHOP, None)] == [404, 404]
    assert (listed(SHOP), listed(None)) == ([], [])
