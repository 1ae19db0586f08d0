import pytest

from domain.release import routing as rules
from domain.release.routing import RoutingChanged
from lambdas.aws.routes import write_routing
from lambdas.release.promote import RoutingTable, handler, promote
from tests.lambdas import stage


def event(release: str) -> dict:
    return {"release": release, "endpoint": f"flights-local-{release}", "reason": f"{release} is better"}


def routing(aws) -> dict:
    return aws.item(stage.ROUTING, item="routing")


def test_the_first_release_answers_everybody(aws):
    assert handler(event("r-1"), None) == {"release": "r-1", "previous": None}
    item = routing(aws)
    since = item["changed_at"]
    assert item == {
        "item": "routing",
        "version": 1,
        "changed_at": since,
        "reason": "r-1 is better",
        "champion": {"release": "r-1", "endpoint": "flights-local-r-1", "since": since},
        "claims": [],
        "previous": [],
    }
    release = aws.item(stage.ROUTING, item="release#r-1")
    assert release == {"item": "release#r-1", "release": "r-1", "state": "champion", "promoted_at": since}


def test_the_next_one_takes_its_place_and_remembers_it(aws):
    aws.put(stage.ROUTING, item="release#r-2", release="r-2", state="approved", model_uri="s3://lake/2")
    handler(event("r-1"), None)
    assert handler(event("r-2"), None) == {"release": "r-2", "previous": "r-1"}
    item = routing(aws)
    assert (item["version"], item["champion"]["release"], [r["release"] for r in item["previous"]]) == (
        2,
        "r-2",
        ["r-1"],
    )
    assert aws.item(stage.ROUTING, item="release#r-1")["state"] == "previous"
    release = aws.item(stage.ROUTING, item="release#r-2")
    assert (release["state"], release["model_uri"]) == ("champion", "s3://lake/2")


@pytest.mark.parametrize(
    ("damage", "version"),
    [({"champion": "r-1"}, 2), ({"version": "three"}, 1), ({"version": None}, 1), ({"version": 7.5}, 8)],
)
def test_a_damaged_routing_is_replaced_by_a_whole_one(aws, damage, version):
    handler(event("r-1"), None)
    aws.put(stage.ROUTING, **{**routing(aws), **damage})
    assert handler(event("r-2"), None) == {"release": "r-2", "previous": None}
    item = routing(aws)
    assert (item["version"], item["champion"]["release"]) == (version, "r-2")


def test_promoted_again_it_changes_nothing(aws):
    handler(event("r-1"), None)
    first = handler(event("r-2"), None)
    before = aws.items(stage.ROUTING)
    assert handler(event("r-2"), None) == first
    assert aws.items(stage.ROUTING) == before


def test_killed_after_the_routing_was_written_it_finishes_the_rest(aws):
    handler(event("r-1"), None)
    handler(event("r-2"), None)
    for release in ("r-1", "r-2"):
        aws.put(stage.ROUTING, item=f"release#{release}", release=release, state="approved")
    handler(event("r-2"), None)
    states = {release: aws.item(stage.ROUTING, item=f"release#{release}")["state"] for release in ("r-1", "r-2")}
    assert states == {"r-1": "previous", "r-2": "champion"}


def test_whoever_read_an_old_routing_does_not_write(aws):
    handler(event("r-1"), None)
    handler(event("r-2"), None)
    read_long_ago = {**rules.EMPTY, "version": 1}
    marked = []
    with pytest.raises(RoutingChanged):
        promote(
            **event("r-3"),
            at="2013-04-01T00:00:00Z",
            table=RoutingTable(
                read=lambda: read_long_ago,
                write=lambda routing: write_routing(stage.ROUTING, routing),
                mark=lambda *marks: marked.append(marks),
            ),
        )
    assert routing(aws)["champion"]["release"] == "r-2"
    assert marked == []


def test_the_first_release_is_not_written_over_either(aws):
    handler(event("r-1"), None)
    late = rules.promote(rules.EMPTY, release="r-2", endpoint="e", at="2013-04-01T00:00:00Z", reason="late")
    assert not write_routing(stage.ROUTING, late)
    assert routing(aws)["champion"]["release"] == "r-1"


def test_a_threshold_of_an_experiment_is_promoted_once_and_stays_when_its_release_is_deployed_again(aws):
    handler(event("r-1"), None)
    for _ in range(2):
        assert handler({**event("r-1"), "experiment": {"threshold": 0.4}}, None) == {
            "release": "r-1",
            "previous": "r-1",
        }
    item = routing(aws)
    assert (item["version"], item["champion"]["threshold"], "threshold" in item["previous"][0]) == (2, 0.4, False)
    assert aws.item(stage.ROUTING, item="release#r-1")["state"] == "champion"
    handler({**event("r-1"), "experiment": {}}, None)
    assert routing(aws) == item
