import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.release.routing import EMPTY, KEPT, RoutingError, champion, choose, endpoints_in_use, promote, rollback

AT = "2013-04-01T00:00:00Z"


def route(release: str, weight=100, role="champion") -> dict:
    return {"release": release, "endpoint": f"e-{release}", "role": role, "weight": weight, "since": AT}


def shared(challenger: int) -> dict:
    return {**EMPTY, "routes": [route("r-1", 100 - challenger), route("r-2", challenger, "challenger")]}


def promoted(*releases: str) -> dict:
    routing = EMPTY
    for number, release in enumerate(releases):
        at = f"2013-04-{number + 1:02d}T00:00:00Z"
        routing = promote(routing, release=release, endpoint=f"e-{release}", at=at, reason=f"{release} is better")
    return routing


# ---- who answers whom


def test_before_the_first_release_nobody_is_chosen():
    assert choose(EMPTY, "flight 1") is None
    assert choose({**EMPTY, "routes": [route("r-1", 0)]}, "flight 1") is None


entities = st.text(st.characters(exclude_categories=["Cs"]))
shares = st.integers(0, 100)


@given(entities, shares)
def test_an_entity_is_answered_by_the_same_release_every_time(entity, share):
    assert choose(shared(share), entity) == choose(shared(share), entity)


@given(entities, shares, shares)
def test_a_share_that_grows_moves_only_the_entities_that_it_gains(entity, one, other):
    small, large = sorted((one, other))
    if choose(shared(small), entity)["release"] == "r-2":
        assert choose(shared(large), entity)["release"] == "r-2"


@given(entities)
def test_a_share_of_everything_and_of_nothing_is_just_that(entity):
    assert choose(shared(0), entity)["release"] == "r-1"
    assert choose(shared(100), entity)["release"] == "r-2"


@given(entities, st.lists(st.floats(0.001, 1000), min_size=1, max_size=6))
def test_whatever_the_weights_somebody_answers(entity, weights):
    routes = [route(f"r-{number}", weight) for number, weight in enumerate(weights)]
    assert choose({**EMPTY, "routes": routes}, entity) in routes


@pytest.mark.parametrize("share", [1, 10, 50])
def test_a_share_is_one_of_entities(share):
    answered = [choose(shared(share), f"flight {number}")["release"] for number in range(20_000)]
    assert answered.count("r-2") / 200 == pytest.approx(share, abs=1)


# ---- who is champion


def test_the_first_champion_has_nobody_before_it():
    assert promoted("r-1") == {
        "version": 1,
        "changed_at": AT,
        "reason": "r-1 is better",
        "routes": [route("r-1")],
        "previous": [],
    }


def test_champions_before_are_remembered_the_newest_first():
    routing = promoted("r-1", "r-2", "r-3")
    assert [one["release"] for one in routing["previous"]] == ["r-2", "r-1"]
    assert (routing["version"], champion(routing)["release"]) == (3, "r-3")


def test_one_that_returns_is_not_its_own_predecessor():
    assert [one["release"] for one in promoted("r-1", "r-2", "r-1")["previous"]] == ["r-2"]


def test_only_so_many_are_remembered():
    assert len(promoted(*(f"r-{number}" for number in range(30)))["previous"]) == KEPT


def test_the_champion_is_not_promoted_again():
    with pytest.raises(RoutingError) as refused:
        promote(promoted("r-1"), release="r-1", endpoint="e", at=AT, reason="")
    assert str(refused.value) == "release 'r-1' is the champion already; nothing to do"


def test_a_rollback_brings_the_one_before_back_and_forgets_the_one_that_failed():
    routing = rollback(promoted("r-1", "r-2"), at="2013-05-01T00:00:00Z", reason="r-2 was wrong")
    assert routing == {
        "version": 3,
        "changed_at": "2013-05-01T00:00:00Z",
        "reason": "r-2 was wrong",
        "routes": [{**route("r-1"), "since": "2013-05-01T00:00:00Z"}],
        "previous": [],
    }


def test_without_a_champion_before_there_is_no_rollback():
    for routing in (EMPTY, promoted("r-1")):
        with pytest.raises(RoutingError) as refused:
            rollback(routing, at=AT, reason="")
        assert str(refused.value).startswith("there is no earlier champion to roll back to")


@given(st.lists(st.sampled_from(["r-1", "r-2", "r-3", "back"]), max_size=30))
def test_whatever_is_done_one_release_answers_everybody_and_versions_have_no_gap(steps):
    routing = EMPTY
    for _number, step in enumerate(steps):
        try:
            if step == "back":
                changed = rollback(routing, at=AT, reason="")
            else:
                changed = promote(routing, release=step, endpoint=step, at=AT, reason="")
        except RoutingError:
            continue
        assert changed["version"] == routing["version"] + 1
        routing = changed
        (only,) = routing["routes"]
        assert (only["role"], only["weight"]) == ("champion", 100)
        assert only["release"] not in [one["release"] for one in routing["previous"]]


# ---- what must stay up


def test_the_champion_before_stays_up_for_a_while():
    routing = promoted("r-1", "r-2", "r-3")  # changed on 3 April
    assert endpoints_in_use(routing, keep_since="2013-04-03T00:00:00Z") == {"e-r-3", "e-r-2"}
    assert endpoints_in_use(routing, keep_since="2013-04-03T00:00:01Z") == {"e-r-3"}
    assert endpoints_in_use(EMPTY, keep_since=AT) == set()
