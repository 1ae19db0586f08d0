"""Two releases side by side, as people begin, watch and end that."""

import pytest

from domain.config.sections import read_config
from domain.release.experiment import begun
from domain.release.rollout import routed
from domain.release.routing import EMPTY, promote
from tests.fairway.commands.test_rollout import AT, NOW, canary
from tests.fairway.conftest import writes

ALONE = promote(EMPTY, release="r-1", endpoint="e-1", at=AT, reason="the first")
ASKED = {"share": 0.5, "metric": "correct", "users": 20_000, "days": 14.0, "by": "a person", "before": "waiting"}
START = ("experiment", "start", "--release", "r-2", "--metric", "correct", "--users", 20_000)
TRIAL = "experiment#r-2/1"
COUNTED = {
    "canary_entities": 5_000,
    "champion_entities": 5_000,
    "canary_true_negative": 4_200,
    "canary_false_negative": 800,
    "champion_true_negative": 4_000,
    "champion_false_negative": 1_000,
}
LOOK = {"at": AT, "entities": 9_000, "evidence": {"split": 3.0}, "difference": [-0.01, 0.04, 0.09]}


def challenger(**values) -> dict:
    names = {"rollout": TRIAL, "release": "r-2", "endpoint": "e-2", "champion": "r-1"}
    return {**begun(ASKED, **names, now=NOW), "routed": True, "looks": [LOOK], **values}


@pytest.fixture
def released(place):
    """r-1 answers, and r-2 waits for its approval."""
    place.put("routing", item="release#r-1", release="r-1", state="champion", run="train-1")
    place.put("routing", item="release#r-2", release="r-2", state="waiting", run="train-2")
    place.put("runs", kind="train", run="train-2", model_package_arn="arn:package/2")
    place.put("routing", item="routing", **ALONE)
    return place


@pytest.fixture
def running(released):
    """r-2 answers half of the entities beside r-1, and is right more often."""
    released.put("routing", item="release#r-2", release="r-2", state="challenger", run="train-2")
    released.put("routing", item="routing", **routed(challenger(), ALONE, at=AT))
    released.put("routing", item="rollout", version=3, current=challenger())
    released.put("evidence", rollout=TRIAL, item="share#0.5", **COUNTED)
    return released


def test_start_asks_the_release_flow_for_a_challenger_and_tells_how_to_watch_it(released):
    released.machine("release", Advance=writes("routing", item="rollout", version=3, current=challenger()))
    told = released.values(*START)
    assert told == {"stage": "local", "experiment": challenger()}
    states = released.aws("stepfunctions")
    machines = [one["stateMachineArn"] for one in states.list_state_machines()["stateMachines"]]
    inputs = [
        states.describe_execution(executionArn=one["executionArn"])["input"]
        for machine in machines
        for one in states.list_executions(stateMachineArn=machine)["executions"]
    ]
    assert any('"model_package_arn": "arn:package/2"' in one and '"before": "waiting"' in one for one in inputs)


def test_a_flow_that_ends_without_an_experiment_is_a_failure(released):
    released.machine("release", Advance=writes("routing", item="another"))
    code, _, err = released.run(*START)
    assert (code, "the experiment of r-2 did not begin; its alarm topic has the reason" in err) == (1, True)


def test_one_that_its_replay_stops_does_not_begin_and_the_reason_is_told(released):
    stopped = {"release": "r-2", "state": "rolled back", "failure": "replay: flips: 40.0 % of 1,000 decisions differ"}
    released.machine("release", JudgeReplay=writes("routing", item="release#r-2", run="train-2", **stopped))
    code, _, err = released.run(*START)
    assert (code, f"the experiment of r-2 did not begin: {stopped['failure']}" in err) == (1, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--release", "r-9"), "release 'r-9' is not there"),
        (("--release", "r-1"), "release 'r-1' is the champion"),
        (("--share", 100), "--share = 100: must be above 0 and below 100"),
        (("--share", 0), "--share = 0: must be above 0"),
        (("--metric", "clicks"), "--metric = 'clicks': must be one of value, correct, conversion, error"),
        (("--users", 99), "--users = 99: must be from 100 to "),
        (("--days", 91), "--days = 91: must be above 0 and at most 90"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name_and_nothing_begins(released, words, told):
    code, _, err = released.run(*START, *words)
    assert (code, told in err) == (2, True), err
    assert released.values("experiment", "status")["experiment"] is None


@pytest.mark.parametrize(
    ("current", "told"),
    [
        (challenger(), "an experiment of r-2 runs"),
        (canary(), "a rollout of r-2 runs"),
    ],
)
def test_one_experiment_or_rollout_runs_at_a_time(released, current, told):
    released.put("routing", item="rollout", version=3, current=current)
    code, _, err = released.run(*START)
    assert (code, told in err) == (2, True), err


def test_a_release_that_waits_for_its_rollout_is_not_overtaken(released):
    waiting = {"rollout": "r-3/1", "release": "r-3", "asked_at": AT, "aborted": False}
    released.put("routing", item="rollout", version=3, waiting=waiting)
    code, _, err = released.run(*START)
    assert (code, "r-3 waits for its rollout" in err) == (2, True), err


@pytest.mark.parametrize(
    ("state", "told"),
    [("rejected", "was rejected"), ("rolled back", "was rolled back"), ("deploying", "is being deployed")],
)
def test_a_release_that_may_not_answer_is_no_challenger(released, state, told):
    released.put("routing", item="release#r-2", release="r-2", state=state, run="train-2", failure="it failed")
    code, _, err = released.run(*START)
    assert (code, f"release 'r-2' {told}" in err) == (2, True), err


def test_status_gives_the_difference_with_its_interval_over_time_and_the_evidence_of_harm(running):
    told = running.values("experiment", "status")
    assert (told["experiment"], told["kept"]) == (challenger(), [])
    found = told["difference"]
    assert (found["value"], found["entities"]) == (pytest.approx(0.04), 10_000)
    assert found["low"] < 0.04 < found["high"]
    assert [one["rule"] for one in told["evidence"]] == ["failed answers", "slow answers", "value", "split"]
    _, out, _ = running.run("experiment", "status")
    assert "r-2: challenger, 50 % beside r-1, since 2026-11-28T12:00:00Z" in out
    assert "by correct of 20,000 entities in 14 days at most, begun by a person" in out
    assert "10,000 of 20,000 entities: r-2 is right for 4.00 more of 100 entities than r-1 (" in out
    (drawn,) = [line for line in out.splitlines() if "-0.01 to 0.09" in line]
    assert drawn.split("to 0.09")[1].strip(" |").count("o") == 1 and "---" in drawn


def test_stop_lets_the_champion_answer_everybody_and_keeps_the_record(running):
    ended = running.values("experiment", "stop")["experiment"]
    assert ended["state"] == "stopped"
    assert ended["why"].startswith("stopped by hand: no verdict; 10,000 of 20,000 entities: r-2 is right for 4.00 more")
    status = running.values("status")
    assert (status["champion"], status["reason"]) == ("r-1", f"experiment of r-2: {ended['why']}")
    assert [(one["release"], one["weight"], one["state"]) for one in status["releases"] if one["release"] == "r-2"] == [
        ("r-2", 0, "waiting")
    ]
    (record,) = running.values("experiment", "status")["kept"]
    assert (record["release"], record["champion"], record["experiment"]) == ("r-2", "r-1", ASKED)
    assert (record["status"], record["state"], record["why"]) == ("SUCCEEDED", "stopped", ended["why"])
    assert (record["entities"], record["difference"]) == (9_000, [-0.01, 0.04, 0.09])


def test_stop_with_promote_makes_the_challenger_champion_by_one_write(running):
    place = running
    ready = {**ASKED, "before": "aborted"}  # approved already
    place.put("routing", item="rollout", version=3, current=challenger(experiment=ready))
    ended = place.values("experiment", "stop", "--promote")["experiment"]
    assert (ended["state"], ended["why"][:39]) == ("champion", "promoted by hand: no verdict; 10,000 of")
    assert place.values("experiment", "status")["experiment"] == ended
    status = place.values("status")
    assert status["champion"] == "r-2"
    assert {one["release"]: one["state"] for one in status["releases"]} == {"r-2": "champion", "r-1": "previous"}
    code, _, err = place.run("experiment", "stop")
    assert (code, "no experiment runs" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("rollout", "pause"), "an experiment of r-2 is under way, and no rollout"),
        (("rollout", "abort"), "an experiment of r-2 is under way, and no rollout"),
        (("promote", "r-2"), "release 'r-2' is the challenger of an experiment"),
    ],
)
def test_a_challenger_is_no_canary(running, words, told):
    code, _, err = running.run(*words)
    assert (code, told in err) == (2, True), err


def test_what_is_not_running_is_not_stopped(released):
    code, _, err = released.run("experiment", "stop")
    assert (code, "no experiment runs; " in err) == (2, True)


def test_an_experiment_that_the_budget_has_ended_is_not_stopped_again(running):
    running.put("routing", item="routing", **{**ALONE, "version": 9, "reason": "100 % of the budget is spent"})
    code, _, err = running.run("experiment", "stop", "--promote")
    assert (code, "the experiment has ended: 100 % of the budget is spent" in err) == (2, True), err


def test_a_project_without_values_has_no_value_metric(released):
    settings = released.folder / "fairway.toml"
    text = settings.read_text()
    start = text.index("[business]")
    end = text.index("\n[", start)
    settings.write_text(text[:start] + text[end:])
    assert read_config(released.folder, "local").business.true_positive_usd == 0
    code, _, err = released.run(*START, "--metric", "value")
    assert (code, "--metric = 'value': needs the value of decisions; set them in [business]" in err) == (2, True), err


# ---- a threshold as challenger

AT_ITS_OWN = {**ASKED, "before": "champion", "threshold": 0.4, "against": 0.5}


def itself(**values) -> dict:
    names = {"rollout": TRIAL, "release": "r-1", "endpoint": "e-1", "champion": "r-1"}
    return {**begun(AT_ITS_OWN, **names, now=NOW), "routed": True, "looks": [LOOK], **values}


@pytest.fixture
def compared(released):
    """r-1 decides half of the entities at 0.4, the rest at 0.5."""
    released.put("routing", item="routing", **routed(itself(), ALONE, at=AT))
    released.put("routing", item="rollout", version=3, current=itself())
    released.put("evidence", rollout=TRIAL, item="share#0.5", **COUNTED)
    return released


def test_without_a_release_the_champion_is_compared_with_itself(released):
    released.put("runs", kind="train", run="train-1", model_package_arn="arn:package/1")
    released.machine("release", Advance=writes("routing", item="rollout", version=3, current=itself()))
    words = ("experiment", "start", "--threshold", 0.4, "--metric", "correct", "--users", 20_000)
    code, out, err = released.run(*words)
    assert (code, "r-1 at threshold 0.4 answers 50 % beside r-1 at 0.5" in out) == (0, True), err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--threshold", 0.5), "--threshold = 0.5: the champion decides by it already; give another"),
        (("--threshold", 1.2), "--threshold = 1.2: must be from 0 to 1, a probability"),
        (("--release", "r-1"), "release 'r-1' is the champion; "),
        ((), "--release or --threshold: must be given; name what the champion is compared with"),
    ],
)
def test_a_threshold_that_cannot_be_compared_is_refused(released, words, told):
    code, _, err = released.run("experiment", "start", "--metric", "correct", "--users", 20_000, *words)
    assert (code, told in err) == (2, True), err


def test_a_promoted_threshold_is_the_champions_until_it_is_rolled_back(compared):
    code, out, err = compared.run("experiment", "stop", "--promote")
    assert (code, "r-1 at threshold 0.4 answers everybody" in out) == (0, True)
    assert "later releases decide by serving.threshold, so set it to 0.4 too if it is to stay" in err
    status = compared.values("status")
    assert (status["champion"], status["threshold"]) == ("r-1", 0.4)
    assert {one["release"]: one["state"] for one in status["releases"]} == {"r-1": "champion", "r-2": "waiting"}
    assert compared.values("rollback")["champion"] == "r-1"
    assert compared.values("status")["threshold"] is None
    assert compared.values("experiment", "status")["kept"][0]["experiment"] == AT_ITS_OWN


def test_stopped_the_champion_decides_as_before(compared):
    compared.values("experiment", "stop")
    status = compared.values("status")
    states = {one["release"]: one["state"] for one in status["releases"]}
    assert (status["threshold"], states) == (None, {"r-1": "champion", "r-2": "waiting"})
