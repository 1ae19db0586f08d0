"""Who answers, and changing it by hand."""

import json
from datetime import UTC, datetime

import pytest

from tests.fairway.conftest import given, writes

CHAMPION = {
    "release": "r-20130401-aaaaaaaa",
    "endpoint": "flights-local-r-20130401-aaaaaaaa",
    "since": "2026-01-01T00:00:00Z",
}
BEFORE = {**CHAMPION, "release": "r-20130301-bbbbbbbb", "endpoint": "flights-local-r-20130301-bbbbbbbb"}
NONE = {"true_positive": 0, "false_positive": 0, "true_negative": 0, "false_negative": 0}
ROUTING = {
    "item": "routing",
    "version": 2,
    "champion": CHAMPION,
    "claims": [],
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
        "threshold": None,
        "reason": "approved",
        "quality": {
            "release": "r-20130401-aaaaaaaa",
            "metric": "roc_auc",
            "at_release": 0.6,
            "quality": 0.6,
            "newest": None,
            "observed": {
                "outcomes": 0,
                "metric": "roc_auc",
                "quality": None,
                "standard_error": None,
                "decisions": NONE,
            },
            "broken": [],
        },
        "releases": [
            {"release": "r-20130601-dddddddd", "role": None, "weight": 0, "state": "retired"},
            {"release": "r-20130501-cccccccc", "role": None, "weight": 0, "state": "rejected"},
            {"release": "r-20130401-aaaaaaaa", "role": "champion", "weight": 100.0, "state": "champion"},
            {"release": "r-20130301-bbbbbbbb", "role": None, "weight": 0, "state": "previous"},
        ],
        "rollout": None,
        "loop": None,
        "unfinished": [],
        "declared_not_simulated": [],
        "warnings": [],
    }
    _, out, _ = released.run("status")
    assert out.splitlines()[1:4] == [
        "champion: r-20130401-aaaaaaaa (approved)",
        "measured: roc_auc 0.6000 at release, not on newer rows since",
        "what happened: not enough outcomes (0)",
    ]


def measured_again(place, *, broken: list[str]) -> None:
    """The champion once more, evaluated by a later run."""
    newest = {
        "release": "r-20130401-aaaaaaaa",
        "run": "train-9",
        "rows": 24_021,
        "evaluate_start": "2013-04-03T00:00:00Z",
        "as_of": "2013-05-01T00:00:00Z",
        "metrics": {"roc_auc": 0.5461, "calibration_error": 0.1282},
        "standard_error": 0.004,
        "p99_ms": 0.4,
        "size_mb": 1.5,
        "broken": broken,
    }
    release = "r-20130401-aaaaaaaa"
    place.put(
        "routing", item=f"release#{release}", release=release, state="champion", metrics={"roc_auc": 0.6}, newest=newest
    )


BROKEN = ["roc_auc 0.5461, at least 0.6 was agreed", "calibration error 0.1282, at most 0.08 was agreed"]
LAST = "measured: roc_auc 0.5461 on 24,021 rows of 2013-04-03 to 2013-05-01; 0.6000 at release"


@pytest.mark.parametrize("command", ["status", "releases"])
def test_the_newest_measurement_leads_in_red_when_it_breaks_what_was_agreed(released, command, monkeypatch):
    measured_again(released, broken=BROKEN)
    _, out, _ = released.run(command)
    assert out.splitlines()[0] == (
        "\x1b[31mr-20130401-aaaaaaaa breaks what was agreed: roc_auc 0.5461, at least 0.6 was agreed; "
        "calibration error 0.1282, at most 0.08 was agreed\x1b[0m"
    )
    assert LAST in out.splitlines()
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = released.run(command)
    assert out.startswith("r-20130401-aaaaaaaa breaks what was agreed: ")
    quality = released.values(command)["quality"]
    assert (quality["quality"], quality["at_release"], quality["broken"]) == (0.5461, 0.6, BROKEN)


def test_outcomes_stand_beside_and_break_a_benchmark_too(released):
    measured_again(released, broken=[])
    for number in range(60):
        for probability, correct in ((0.7, False), (0.3, False)):
            released.put(
                "outcomes",
                entity_id=f"{number} {probability}",
                event_time="t",
                release="r-20130401-aaaaaaaa",
                source="model",
                prediction=probability > 0.5,
                probability=probability,
                correct=correct,
            )
    released.put("outcomes", entity_id="another's", event_time="t", release="r-0", source="model", correct=True)
    _, out, _ = released.run("status")
    said = "roc_auc 0.0000 of 120 outcomes, at least 0.65 was agreed"
    assert out.splitlines()[0] == f"\x1b[31mr-20130401-aaaaaaaa breaks what was agreed: {said}\x1b[0m"
    assert LAST in out and "what happened: roc_auc 0.0000 of 120 joined outcomes" in out


def test_before_the_first_release_status_says_that_the_fallback_answers(place):
    status = place.values("status")
    assert (status["champion"], status["releases"]) == (None, [])
    _, out, err = place.run("status")
    assert "champion: none; the fallback answers (nothing released yet)" in out and "`fairway train --project " in err


def test_releases_lists_each_with_its_quality_and_why(released):
    _, out, _ = released.run("releases")
    assert out.splitlines()[2:4] == [
        "release              state     role      roc_auc  newest  why",
        "r-20130601-dddddddd  retired   -         0.8000   -       why",
    ]


ANSWERS = "at threshold 0.5, of 100 rows: 30 of 40 yes answers are right (precision 0.750)"


def test_one_release_is_told_with_its_judgement_and_its_right_and_wrong_answers(released):
    release = "r-20130601-dddddddd"
    said = {"reason": "keeps every benchmark", "why": "it was the only candidate", "answers": ANSWERS}
    released.put("routing", item=f"release#{release}", release=release, state="retired", run="t", candidate="p", **said)
    _, out, _ = released.run("releases", release)
    assert out.splitlines() == [
        f"{release}: retired, p of t",
        "judged: keeps every benchmark",
        "why: it was the only candidate",
        f"answers: {ANSWERS}",
    ]
    (one,) = released.values("releases", release)["releases"]
    assert {key: one[key] for key in said} == said
    code, _, err = released.run("releases", "r-0")
    assert code == 2 and "release = 'r-0': must be a release" in err


def host(place, release: str) -> None:
    """An endpoint by the release's name, as the local SageMaker keeps them, without a model behind it."""
    place.machine("release", CreateEndpoint={"Type": "Pass"}, Promote=promoted(release))


def promoted(release: str) -> dict:
    champion = {**CHAMPION, "release": release, "endpoint": f"flights-local-{release}"}
    return writes(
        "routing", **{**ROUTING, "version": 3, "champion": champion, "previous": [CHAMPION], "reason": given("release")}
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
        ("r-0", "release = 'r-0': must be a release; `fairway releases --project "),
        ("r-20130501-cccccccc", "was rejected and is not released: why"),
        ("r-20130401-aaaaaaaa", "is the champion already; nothing to do"),
    ],
)
def test_promote_refuses_what_cannot_or_must_not_answer(released, release, said, monkeypatch):
    monkeypatch.setattr("fairway.commands.releases.is_up", lambda *_: True)
    code, _, err = released.run("promote", release)
    assert code == 2 and said in err
    assert released.values("status")["champion"] == "r-20130401-aaaaaaaa"


def test_a_release_that_was_rolled_back_does_not_come_back_unless_somebody_insists(released):
    item, why = "release#r-20130601-dddddddd", "failed answers: 5 of 5"
    released.put("routing", item=item, release="r-20130601-dddddddd", state="rolled back", run="train-3", failure=why)
    code, _, err = released.run("promote", "r-20130601-dddddddd")
    assert code == 2
    assert f"release 'r-20130601-dddddddd' was rolled back: {why}; `fairway train" in err
    host(released, "r-20130601-dddddddd")
    assert released.values("promote", "r-20130601-dddddddd", "--again")["champion"] == "r-20130601-dddddddd"


def test_promote_of_the_champion_deploys_it_again_where_its_endpoint_is_gone(released):
    released.machine("release", CreateEndpoint={"Type": "Pass"}, TryEndpoint={"Type": "Pass"})
    code, out, err = released.run("promote", "r-20130401-aaaaaaaa")
    assert code == 0
    assert "r-20130401-aaaaaaaa is champion and its endpoint is missing; deploying it again\nCreate endpoint" in err
    assert out.startswith("r-20130401-aaaaaaaa is champion: ")


def test_status_says_of_a_damaged_routing_that_the_fallback_answers_and_what_writes_a_whole_one(released):
    released.put("routing", **{**ROUTING, "claims": "all"})
    code, out, _ = released.run("status")
    assert code == 0
    assert "champion: none; the fallback answers (damaged: claims = 'all': not a routing; " in out
    assert "`fairway promote RELEASE` writes a whole one" in out


@pytest.mark.parametrize(
    ("damage", "version"),
    [({"claims": "all"}, 3), ({"version": "3"}, 1), ({"version": None}, 1), ({"version": 7.5}, 8)],
)
def test_promote_writes_a_whole_routing_over_a_damaged_one(released, damage, version):
    released.put("routing", **{**ROUTING, **damage})
    toml = released.folder / "fairway.toml"  # where no endpoint has to come up first
    toml.write_text(toml.read_text().replace('mode = "serverless"', 'mode = "function"'))
    assert released.values("promote", "r-20130301-bbbbbbbb")["champion"] == "r-20130301-bbbbbbbb"
    key = {"item": {"S": "routing"}}
    stored = released.aws("dynamodb").get_item(TableName="flights-local-routing", Key=key)["Item"]
    assert (stored["version"], stored["champion"]["M"]["release"]) == (
        {"N": str(version)},
        {"S": "r-20130301-bbbbbbbb"},
    )
    assert "damaged" not in released.run("status")[1]


def test_releases_names_a_step_that_is_possible(released):
    _, _, err = released.run("releases")
    assert "lets another one answer" in err
    for release in ("r-20130301-bbbbbbbb", "r-20130601-dddddddd"):
        released.aws("dynamodb").delete_item(
            TableName="flights-local-routing", Key={"item": {"S": f"release#{release}"}}
        )
    _, _, err = released.run("releases")  # of the champion and a rejected one
    assert "may give a better one" in err and "promote" not in err


def test_there_must_be_a_champion_to_roll_back_to(place):
    place.enter(endpoint_prefix="flights-local-")
    code, _, err = place.run("rollback")
    assert code == 2 and "there is no earlier champion to roll back to" in err


def test_status_tells_a_run_under_way_from_one_that_was_stopped(place):
    for kind in ("train", "batch"):
        place.machine(kind, Work={"Type": "Wait", "Seconds": 30})
    book = json.loads(place.aws("ssm").get_parameter(Name="/fairway/flights/local")["Parameter"]["Value"])
    states, old, now = place.aws("stepfunctions"), "2026-01-01T00:00:00Z", datetime.now(UTC)
    at_work = states.start_execution(stateMachineArn=book["batch"], input=json.dumps({"run": "batch-1"}))
    scheduled = states.start_execution(stateMachineArn=book["train"], input=json.dumps({"as_of": "2013-04-01"}))
    begun = states.describe_execution(executionArn=scheduled["executionArn"])["startDate"]
    named_by_flow = f"train-20130401-{begun.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    runs = [
        ("batch", "batch-1", "RUNNING", old),
        ("batch", "batch-2", "RUNNING", old),
        ("batch", "batch-3", "RUNNING", now.isoformat()),  # AWS may not list its execution yet
        ("batch", "batch-4", "SUCCEEDED", old),
        ("train", "train-1", "RUNNING", old),
        ("train", named_by_flow, "RUNNING", old),
    ]
    for kind, run, status, started_at in runs:
        place.put("runs", kind=kind, run=run, status=status, started_at=started_at)
    try:
        _, out, _ = place.run("status")
        found = {one["run"]: one["status"] for one in place.values("status")["unfinished"]}
    finally:
        for execution in (at_work, scheduled):
            states.stop_execution(executionArn=execution["executionArn"])
    assert found == {
        "train-1": "STOPPED",
        named_by_flow: "RUNNING",
        "batch-1": "RUNNING",
        "batch-2": "STOPPED",
        "batch-3": "RUNNING",
    }
    told = out.splitlines()
    assert "batch-1 is in progress" in told
    stopped = "was stopped before its end"
    assert f"batch-2 {stopped}; the same `fairway batch` resumes it" in told
    assert f"train-1 {stopped}; `fairway train` starts another" in told
