"""Who answers, and changing it by hand."""

import json

import pytest

from tests.fairway.conftest import given, writes

CHAMPION = {
    "release": "r-20130401-aaaaaaaa",
    "endpoint": "flights-local-r-20130401-aaaaaaaa",
    "role": "champion",
    "weight": 100,
    "since": "2026-01-01T00:00:00Z",
}
BEFORE = {**CHAMPION, "release": "r-20130301-bbbbbbbb", "endpoint": "flights-local-r-20130301-bbbbbbbb"}
ROUTING = {
    "item": "routing",
    "version": 2,
    "routes": [CHAMPION],
    "previous": [BEFORE],
    "changed_at": "2026-01-01T00:00:00Z",
    "reason": "approved",
}


@pytest.fixture
def released(place):
    """Two releases served one after the other, a third was rejected, a fourth never went up."""
    states = {
        "r-20130301-bbbbbbbb": "previous",
        "r-20130401-aaaaaaaa": "champion",
        "r-20130501-cccccccc": "rejected",
        "r-20130601-dddddddd": "retired",
    }
    for number, (release, state) in enumerate(states.items()):
        place.put(
            "routing",
            item=f"release#{release}",
            release=release,
            state=state,
            reason="why",
            run=f"train-{number}",
            candidate="prior",
            metrics={"roc_auc": 0.5 + number / 10},
            created_at=f"2026-01-0{number + 1}T00:00:00Z",
        )
        place.put("runs", kind="train", run=f"train-{number}", model_package_arn=f"arn:package/{number}")
    place.put("routing", **ROUTING)
    place.enter(endpoint_prefix="flights-local-")
    return place


def test_status_says_who_answers(released):
    status = released.values("status")
    assert status == {
        "stage": "local",
        "api_url": released.endpoint,
        "champion": "r-20130401-aaaaaaaa",
        "reason": "approved",
        "releases": [
            {"release": "r-20130601-dddddddd", "role": None, "weight": 0, "state": "retired"},
            {"release": "r-20130501-cccccccc", "role": None, "weight": 0, "state": "rejected"},
            {"release": "r-20130401-aaaaaaaa", "role": "champion", "weight": 100, "state": "champion"},
            {"release": "r-20130301-bbbbbbbb", "role": None, "weight": 0, "state": "previous"},
        ],
        "declared_not_simulated": [],
        "warnings": [],
    }
    _, out, _ = released.run("status")
    assert out.splitlines()[1] == "champion: r-20130401-aaaaaaaa (approved)"


def test_before_the_first_release_status_says_that_the_fallback_answers(place):
    status = place.values("status")
    assert (status["champion"], status["releases"]) == (None, [])
    _, out, err = place.run("status")
    assert "champion: none; the fallback answers (nothing released yet)" in out and "`fairway train --project " in err


def test_releases_lists_each_with_its_quality_and_why(released):
    _, out, _ = released.run("releases")
    assert out.splitlines()[:2] == [
        "release              state     role      roc_auc  why",
        "r-20130601-dddddddd  retired   -         0.8000   why",
    ]


def host(place, release: str) -> None:
    """An endpoint by the release's name, as the local SageMaker keeps them, without a model behind it."""
    place.machine("release", CreateEndpoint={"Type": "Pass"}, Promote=promoted(release))


def promoted(release: str) -> dict:
    route = {**CHAMPION, "release": release, "endpoint": f"flights-local-{release}"}
    return writes(
        "routing", **{**ROUTING, "version": 3, "routes": [route], "previous": [CHAMPION], "reason": given("release")}
    )


def test_promote_deploys_a_release_whose_endpoint_is_gone_and_rollback_goes_back(released):
    host(released, "r-20130601-dddddddd")
    promoted = released.values("promote", "r-20130601-dddddddd")
    assert promoted == {
        "stage": "local",
        "champion": "r-20130601-dddddddd",
        "previous": "r-20130401-aaaaaaaa",
        "reason": "r-20130601-dddddddd",
    }
    states = {one["release"]: one["state"] for one in released.values("status")["releases"]}
    assert (states["r-20130601-dddddddd"], states["r-20130401-aaaaaaaa"]) == ("champion", "previous")
    host(released, "r-20130401-aaaaaaaa")
    assert released.values("rollback")["champion"] == "r-20130401-aaaaaaaa"


def test_a_deployment_that_fails_leaves_the_champion_and_exits_1(released):
    released.machine("release", TryEndpoint={"Type": "Fail", "Error": "TrialFailed", "Cause": "golden row 3"})
    code, out, _ = released.run("promote", "r-20130601-dddddddd", "--json")
    assert code == 1 and "TrialFailed: golden row 3" in json.loads(out)["message"]
    assert released.values("status")["champion"] == "r-20130401-aaaaaaaa"


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("r-0", "release 'r-0' is not there; `fairway releases --project "),
        ("r-20130501-cccccccc", "was rejected and is not released: why"),
        ("r-20130401-aaaaaaaa", "is the champion already; nothing to do"),
    ],
)
def test_promote_refuses_what_cannot_or_must_not_answer(released, release, said):
    code, _, err = released.run("promote", release)
    assert code == 2 and said in err
    assert released.values("status")["champion"] == "r-20130401-aaaaaaaa"


def test_releases_names_a_step_that_is_possible(released):
    _, _, err = released.run("releases")
    assert "lets another one answer" in err
    for release in ("r-20130301-bbbbbbbb", "r-20130601-dddddddd"):
        released.aws("dynamodb").delete_item(
            TableName="flights-local-routing", Key={"item": {"S": f"release#{release}"}}
        )
    _, _, err = released.run("releases")  # of the champion and a rejected one
    assert "may lead to a better one" in err and "promote" not in err


def test_there_must_be_a_champion_to_roll_back_to(place):
    place.enter(endpoint_prefix="flights-local-")
    code, _, err = place.run("rollback")
    assert code == 2 and "there is no earlier champion to roll back to" in err
