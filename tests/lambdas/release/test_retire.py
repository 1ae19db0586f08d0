from datetime import UTC, datetime, timedelta

import pytest

from domain.release.routing import EMPTY
from lambdas.aws.hosting import Hosted
from lambdas.release.retire import handler, retire
from tests.lambdas import stage

NOW = datetime(2013, 4, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
KINDS = ("endpoint", "endpoint-config", "model")


def things(release: str, *, created=LONG_AGO, status="InService") -> list[Hosted]:
    name = f"flights-local-{release}"
    return [Hosted(kind, name, created, status if kind == "endpoint" else None) for kind in KINDS]


def answering(release: str, since="") -> dict:
    return {"release": release, "endpoint": f"flights-local-{release}", "since": since}


def retired(found: list[Hosted], *, champion="r-2", previous=(), since="2013-03-01T00:00:00Z", release=None) -> tuple:
    """(what was removed, in its order, which releases were marked)."""
    removed, marked = [], []
    routing = {**EMPTY, "champion": answering(champion, since), "previous": [answering(one) for one in previous]}
    reply = retire(
        found, now=NOW, routing=routing, release=lambda name: release or {}, remove=removed.append, mark=marked.append
    )
    assert reply == {"removed": [f"flights-local-{name}" for name in marked]}
    return removed, marked


def test_what_no_routing_names_goes_and_what_answers_stays():
    assert retired(things("r-1") + things("r-2")) == (things("r-1"), ["r-1"])


def test_the_champion_before_stays_as_long_as_a_rollback_may_need_it():
    found = things("r-1") + things("r-2")
    assert retired(found, previous=["r-1"], since="2013-04-01T11:30:00Z") == ([], [])
    assert retired(found, previous=["r-1"], since="2013-04-01T10:30:00Z") == (things("r-1"), ["r-1"])


def test_what_is_being_deployed_stays():
    young = things("r-3", created=NOW - timedelta(minutes=30))
    assert retired(young) == ([], [])
    assert retired(young, release={"promoted_at": "2013-03-01T00:00:00Z"}) == ([], [])


def test_what_is_marked_as_being_deployed_stays_even_if_it_was_up_before():
    old = things("r-1")
    assert retired(old, release={"state": "deploying", "deploying_since": "2013-04-01T11:00:00Z"}) == ([], [])
    assert retired(old, release={"state": "deploying", "deploying_since": "2013-04-01T09:00:00Z"}) == (old, ["r-1"])


def test_what_was_deployed_and_promoted_and_rolled_back_goes_at_once():
    young = things("r-3", created=NOW - timedelta(minutes=30))
    assert retired(young, release={"promoted_at": "2013-04-01T11:45:00Z"}) == (young, ["r-3"])


def test_what_was_never_promoted_goes_after_two_hours():
    old = things("r-3", created=NOW - timedelta(hours=2, minutes=1))
    assert retired(old) == (old, ["r-3"])


@pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack"])
def test_an_endpoint_that_sagemaker_works_on_stays_with_its_configuration_and_model(status):
    assert retired(things("r-3", status=status)) == ([], [])


def test_an_endpoint_that_is_going_already_takes_the_rest_along():
    found = things("r-3", status="Deleting")
    assert retired(found) == (found[1:], ["r-3"])


def test_what_cannot_be_removed_keeps_nothing_else_up(caplog):
    removed, marked = [], []

    def remove(thing):
        if (thing.kind, thing.name) == ("endpoint", "flights-local-r-1"):
            raise RuntimeError("AccessDenied")
        removed.append(thing)

    routing = {**EMPTY, "champion": answering("r-3")}
    found = things("r-1") + things("r-2")
    with pytest.raises(RuntimeError, match="AccessDenied"):
        retire(found, now=NOW, routing=routing, release=lambda name: {}, remove=remove, mark=marked.append)
    assert (removed, marked) == (found[1:], ["r-1", "r-2"])
    assert "endpoint flights-local-r-1 not removed: AccessDenied" in caplog.text


def test_whoever_is_killed_while_removing_has_marked_what_is_gone():
    marked = []

    def remove(thing):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retire(things("r-1"), now=NOW, routing=EMPTY, release=lambda name: {}, remove=remove, mark=marked.append)
    assert marked == ["r-1"]


def test_what_a_killed_retirement_left_behind_goes_with_the_next():
    left = things("r-1")[1:]
    assert retired(left) == (left, ["r-1"])


def host(aws, name: str) -> None:
    role = "arn:aws:iam::000000000000:role/any"
    aws.sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"Image": "image", "ModelDataUrl": "s3://lake/m"}
    )
    variant = {"VariantName": "all", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    aws.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


def hosted(aws) -> dict:
    return {
        "endpoints": [one["EndpointName"] for one in aws.sagemaker.list_endpoints()["Endpoints"]],
        "configs": [one["EndpointConfigName"] for one in aws.sagemaker.list_endpoint_configs()["EndpointConfigs"]],
        "models": [one["ModelName"] for one in aws.sagemaker.list_models()["Models"]],
    }


def test_on_sagemaker_only_this_stages_unused_releases_go(aws):
    for name in ("flights-local-r-1", "flights-local-r-2", "flights-prod-r-1", "other-flights-local-r-1"):
        host(aws, name)
    aws.routing(champion=answering("r-2"))
    aws.put(stage.ROUTING, item="release#r-1", release="r-1", state="previous", promoted_at="2999-01-01T00:00:00Z")

    assert handler({}, None) == {"removed": ["flights-local-r-1"]}

    left = ["flights-local-r-2", "flights-prod-r-1", "other-flights-local-r-1"]
    assert {kind: sorted(names) for kind, names in hosted(aws).items()} == dict.fromkeys(
        ("endpoints", "configs", "models"), left
    )
    assert aws.item(stage.ROUTING, item="release#r-1")["state"] == "retired"
    assert handler({}, None) == {"removed": []}


def test_an_endpoint_without_a_release_goes_and_leaves_no_item_behind(aws):
    unknown = things("by-hand")
    assert retired(unknown) == (unknown, ["by-hand"])
    handler({}, None)
    assert aws.items(stage.ROUTING) == []
