"""The windows of a stage as people see them: every one in a line, one in full, and a look now."""

import pytest

from tests.fairway.conftest import given, writes

DRIFT = {
    "kind": "feature",
    "text": "distance: 900 to 999: 10.0 % of rows at release, 24.0 % now",
    "window": "2013-04-02",
    "since": "2013-04-01",
    "release": "r-1",
    "column": "distance",
    "source": "schedule",
    "owner": "network planning",
    "psi": 0.1234,
    "p_value": 1.5e-9,
}
LOSS = {
    "kind": "decline",
    "text": "wrong in 30.0 % of 100 outcomes since 2013-04-02, 20.0 % at release",
    "window": "2013-04-02",
    "since": "2013-04-02",
    "release": "r-1",
}
OUTCOMES = {
    "outcomes": 100,
    "wrong": 30,
    "metrics": {"roc_auc": 0.7123},
    "value_usd": 2.5,
    "predicted": 0.21,
    "happened": 0.3,
    "log_evidence": 11.5,
    "is_open": False,
}
DECIDED = {
    "action": "retrain",
    "reason": "loss",
    "champion": "r-1",
    "unit": "usd",
    "loss": 1.5,
    "loss_low": 0.5,
    "since": "2013-04-02",
    "outcomes": 100,
    "rows_ahead": 2000,
    "gain_usd": 1000,
    "run_usd": 0.6,
    "new_rows": 1200,
    "needed_rows": 900,
    "rejected": 0,
    "as_of": "2013-04-04T00:30:00Z",
    "carried": "started",
    "run": "retrain-2013-04-02",
}
WINDOW = {
    "kind": "window",
    "run": "2013-04-02",
    "start": "2013-04-02T00:00:00Z",
    "end": "2013-04-03T00:00:00Z",
    "as_of": "2013-04-04T00:30:00Z",
    "state": "declined",
    "rows": 1000,
    "releases": {"r-1": {"rows": 1000, "fallbacks": {"LATE": 20}, "is_compared": True, "p50_ms": 12.4, "p99_ms": 80}},
    "outcomes": {"r-1": OUTCOMES},
    "breaches": {"rows": 300, "quarantined": 4, "reasons": {"minimum": 4}},
    "findings": [LOSS, DRIFT],
    "decision": DECIDED,
}
QUIET = {**WINDOW, "run": "2013-04-01", "state": "no data", "rows": 0, "releases": {}, "outcomes": {}, "findings": []}
del QUIET["decision"]


@pytest.fixture
def watched(place):
    for window in (WINDOW, QUIET):
        place.put("runs", **window)
    return place


def test_every_window_is_a_line_the_newest_last_and_its_alarms_lead(watched):
    assert [one["run"] for one in watched.values("watch")["windows"]] == ["2013-04-01", "2013-04-02"]
    code, out, err = watched.run("watch")
    lines = out.splitlines()
    assert (code, "2013-04-02: decline: wrong in 30.0 % of 100 outcomes" in lines[0]) == (0, True)
    heads = ("window", "state", "answers", "by prior", "moved", "outcomes", "wrong", "value of one", "decided")
    assert lines[1].split() == " ".join(heads).split()
    assert lines[2].split() == ["2013-04-01", "no", "data", "0", "-", "-", "0", "-", "-", "-"]
    shown = ["2013-04-02", "declined", "1,000", "2.0", "%", "distance", "100", "30.0", "%", "$2.50", "retrain:", "loss"]
    assert lines[3].split() == shown
    assert "`fairway watch --project" in err


def test_a_window_in_full_names_each_finding_its_beginning_and_whose_column_it_is(watched):
    assert watched.values("watch", "--window", "2013-04-02T17:00:00Z") == {"stage": "local", "window": WINDOW}
    _, out, _ = watched.run("watch", "--window", "2013-04-02")
    assert "window 2013-04-02: declined (2013-04-02 to 2013-04-03, as of 2013-04-04T00:30:00Z)" in out
    assert "1,000 answers captured" in out and "300 rows came in, 4 of them broke the contract" in out
    assert (
        "feature: distance: 900 to 999: 10.0 % of rows at release, 24.0 % now (PSI 0.123, p 1.5e-09), "
        "since 2013-04-01; from schedule of network planning" in out
    )
    assert "roc_auc 0.7123" in out and "10^5.0" in out


def test_a_window_in_full_says_what_followed_with_the_numbers_that_decided(watched):
    _, out, err = watched.run("watch", "--window", "2013-04-02")
    assert (
        "decided: retrain: since 2013-04-02 an answer is worth $1.50 less (at least $0.50) than the release's quality "
        "would bring, by 100 outcomes, which is at least $1,000.00 over 2,000 answers until the next scheduled "
        "training; a run costs $0.60; 1,200 labelled rows are newer than the last training, and 900 are needed; "
        "retrain-2013-04-02 was started" in out
    )
    assert "shows what became of retrain-2013-04-02" in err


def test_an_estimate_is_shown_or_why_there_is_none(place):
    known = {"accuracy": 0.86, "standard_error": 0.01, "roc_auc": 0.8, "value_usd": 10.34, "calibrated_on": 300}
    refused = {"refused": "the answers moved (PSI 0.31, at most 0.25)"}
    place.put("runs", **{**WINDOW, "estimates": {"r-1": known, "r-2": refused}})
    _, out, _ = place.run("watch", "--window", "2013-04-02")
    said = "86.0 % right ± 2.0, roc_auc 0.8000, $10.34 an answer, calibrated on 300 outcomes"
    assert f"r-1, before outcomes: {said}" in out
    assert "r-2, before outcomes: cannot know: the answers moved (PSI 0.31, at most 0.25)" in out


@pytest.mark.parametrize(
    ("carried", "said"),
    [
        ("paused", "900 are needed; not started, since the loop is paused"),
        ("manual", "900 are needed; a person starts it"),
    ],
)
def test_a_run_that_was_not_started_says_why(place, carried, said):
    decided = {name: value for name, value in DECIDED.items() if name != "run"} | {"carried": carried}
    place.put("runs", **{**WINDOW, "decision": decided})
    _, out, _ = place.run("watch", "--window", "2013-04-02")
    assert out.splitlines()[-1].endswith(said)


def test_the_loop_is_paused_and_resumed_by_one_write_each(watched):
    paused = watched.values("watch", "pause")["loop"]
    assert list(paused) == ["paused_at"] and watched.values("watch")["loop"] == paused
    _, out, _ = watched.run("watch")
    assert f"no window starts a run since {paused['paused_at']}; `fairway watch resume` lets them" in out
    code, _, err = watched.run("watch", "pause")
    assert (code, "the loop is paused already" in err) == (2, True)
    resumed = watched.values("watch", "resume")["loop"]
    assert resumed["resumed_at"] > resumed["paused_at"] == paused["paused_at"]
    assert "starts a run since" not in watched.run("watch")[1]


def test_the_status_says_why_no_window_starts_a_run(place):
    assert place.values("status")["loop"] is None
    place.put("runs", **{**WINDOW, "decision": {**DECIDED, "action": "stopped", "reason": "loop guard", "rejected": 2}})
    _, out, _ = place.run("status")
    assert "retraining is stopped: since 2013-04-02 an answer is worth $1.50 less" in out
    assert "but 2 candidates in a row were rejected, so a person has to look; `fairway watch resume` lets it" in out
    place.values("watch", "pause")
    assert place.values("status")["loop"].startswith("no window starts a run since ")


def test_steering_the_loop_concerns_every_window(watched):
    code, _, err = watched.run("watch", "pause", "--window", "2013-04-02")
    assert (code, "pause concerns every window; leave out --window" in err) == (2, True)


def test_a_window_that_was_not_watched_is_refused_with_those_that_were(watched):
    code, _, err = watched.run("watch", "--window", "2013-05-01")
    assert (code, "windows from 2013-04-01 to 2013-04-02 were" in err) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--window", "monday"), "--window monday: must be an ISO 8601 date"),
        (("--run", "--as-of", "soon"), "--as-of soon: must be an ISO 8601 date"),
        (("--as-of", "2013-04-03"), "only a run acts as of a time; add --run"),
    ],
)
def test_a_time_that_is_none_is_refused(watched, options, message):
    code, _, err = watched.run("watch", *options)
    assert (code, message in err) == (2, True)


def test_without_a_window_the_way_to_one_is_told(place):
    _, out, err = place.run("watch")
    assert ("no window was watched yet" in out, "--run` looks now" in err) == (True, True)


def test_a_look_runs_the_flow_for_the_window_and_shows_it(place):
    place.machine("watch", Judge=writes("runs", **{**WINDOW, "run": "2013-04-02"}), End=writes("runs", **QUIET))
    shown = place.values("watch", "--run", "--as-of", "2013-04-03T00:30:00Z")
    assert (shown["window"]["run"], shown["window"]["state"]) == ("2013-04-02", "declined")


def test_a_look_at_an_earlier_window_is_asked_by_its_first_day(place):
    asked = {"kind": "asked", "run": given("window"), "as_of": given("as_of")}
    place.machine("watch", Ask=writes("runs", **asked), Judge=writes("runs", **WINDOW))
    place.values("watch", "--run", "--window", "2013-04-02T18:00:00Z", "--as-of", "2013-05-01")
    found = place.aws("dynamodb").query(
        TableName="flights-local-runs",
        KeyConditionExpression="#kind = :kind",
        ExpressionAttributeNames={"#kind": "kind"},
        ExpressionAttributeValues={":kind": {"S": "asked"}},
    )["Items"]
    assert [(one["run"]["S"], one["as_of"]["S"]) for one in found] == [("2013-04-02T00:00:00Z", "2013-05-01T00:00:00Z")]
