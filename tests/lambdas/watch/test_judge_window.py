"""The verdict on a window, and on the ones before it by the outcomes that came since."""

import json

import pytest

from domain.watch.bins import as_dict, bins_of, count
from lambdas.watch.judge_window import CountsMissing, handler
from tests.lambdas import stage

RUN = "watch-1"
DISTANCES = [float(number) for number in range(1000)]
BINS = bins_of(DISTANCES)


def plan(day: str = "2013-04-02", as_of: str = "2013-04-03T00:30:00Z", **values) -> dict:
    start, following = f"{day}T00:00:00Z", f"{day[:-2]}{int(day[-2:]) + 1:02d}T00:00:00Z"
    return {"run": RUN, "window": day, "start": start, "end": following, "as_of": as_of, **values}


def counts(day: str, *, rows: int = 1000, shift: float = 0.0, **values) -> dict:
    column = {"labels": BINS.labels, "ordered": BINS.ordered, "reference": count(BINS, DISTANCES)}
    moved = [number * (1 - shift) for number in DISTANCES][:rows]
    release = {
        "rows": rows,
        "fallbacks": {"LATE": 3},
        "features": {"distance": {**column, "window": count(BINS, moved)}},
        "prediction": {**column, "window": count(BINS, DISTANCES[:rows])},
        "latency_ms": {"p50": 10.0, "p99": 20.0},
    }
    window = {**plan(day), "rows": rows, "unparsed": 0, "set_aside": [], "releases": {"r-1": release} if rows else {}}
    return {key: value for key, value in window.items() if key != "run"} | values


@pytest.fixture
def watched(aws):
    """A champion that was wrong in 200 of 1,000 rows at its release."""
    aws.route()
    aws.put(stage.ROUTING, item="release#r-1", release="r-1", run="train-1", candidate="prior", state="champion")
    column = {"type": "float", "bins": as_dict(BINS), "counts": count(BINS, DISTANCES)}
    reference = {"rows": 1000, "features": {"distance": column}, "prediction": column}
    aws.upload("runs/train-1/reference/prior.json", {**reference, "wrong": 200, "value_usd": 3.0})
    return aws


def judge(aws, day: str, as_of: str | None = None, **values) -> dict:
    aws.upload(f"windows/window={day}/counts.json", counts(day, **values))
    return handler(plan(day, **({"as_of": as_of} if as_of else {})), None)


def window(aws, day: str) -> dict:
    return aws.item(stage.RUNS, kind="window", run=day)


def told(capsys) -> dict:
    """The newest metrics."""
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_window_like_the_reference_is_fine_and_kept(watched):
    assert judge(watched, "2013-04-02") == {"run": RUN, "window": "2013-04-02", "state": "ok", "findings": []}
    kept = window(watched, "2013-04-02")
    assert (kept["state"], kept["rows"], kept["as_of"]) == ("ok", 1000, "2013-04-03T00:30:00Z")
    answers = {"rows": 1000, "fallbacks": {"LATE": 3}, "is_compared": True, "p50_ms": 10, "p99_ms": 20}
    assert kept["releases"] == {"r-1": answers}


def test_drift_orders_a_look_and_alarms_nobody(watched, capsys):
    judged = judge(watched, "2013-04-02", shift=0.4)
    assert (judged["state"], [each["column"] for each in judged["findings"]]) == ("drifted", ["distance"])
    line = told(capsys)
    assert (line["WatchAlarms"], line["Moved"], line["project"], line["stage"]) == (0, 1, "flights", "local")
    again = judge(watched, "2013-04-03", shift=0.4)
    assert [(each["window"], each["since"]) for each in again["findings"]] == [("2013-04-03", "2013-04-02")]


def test_judging_a_window_again_changes_nothing_and_alarms_nobody_twice(watched, capsys):
    judge(watched, "2013-04-01")
    first = judge(watched, "2013-04-02", rows=0)
    assert (first["state"], told(capsys)["WatchAlarms"]) == ("no data", 1)
    before = watched.items(stage.RUNS)
    assert judge(watched, "2013-04-02", rows=0) == first
    assert (watched.items(stage.RUNS), told(capsys)["WatchAlarms"]) == (before, 0)


def test_rows_that_came_in_and_broke_the_contract_break_the_window(watched):
    load = {"kind": "load", "status": "SUCCEEDED", "accepted": 900, "quarantined": 100, "reasons": {"minimum": 100}}
    watched.put(stage.RUNS, **load, run="l-1", loaded_at="2013-04-02T10:00:00Z")
    watched.put(stage.RUNS, **load, run="l-2", loaded_at="2013-04-03T10:00:00Z")
    batch = {"kind": "batch", "status": "SUCCEEDED", "read": 500, "quarantined": 0, "reasons": {}}
    watched.put(stage.RUNS, **batch, run="b-1", finished_at="2013-04-02T11:00:00Z")
    judged = judge(watched, "2013-04-02")
    assert (judged["state"], judged["findings"][0]["text"]) == (
        "broken",
        "100 of 1,500 rows that came in broke the contract (6.7 %): minimum 100",
    )


def answered(aws, day: int, *, wrong: int, many: int = 100) -> None:
    """What became of the answers of a day, as outcomes add it up."""
    sums = {"outcomes": many, "wrong": wrong, "true_positive": many - wrong, "false_positive": wrong}
    value_usd = 40.0 * (many - wrong) - 12.0 * wrong
    aws.put(stage.EVIDENCE, rollout="outcomes#r-1", item=f"2013-04-{day:02d}#0", **sums, value_usd=value_usd)


def test_outcomes_that_come_later_change_the_verdict_on_their_own_window(watched, capsys):
    alarms = []
    for day in range(1, 7):
        judge(watched, f"2013-04-{day:02d}", as_of=f"2013-04-{day + 1:02d}T00:30:00Z")
        alarms.append(told(capsys)["WatchAlarms"])
        answered(watched, day, wrong=20 if day < 3 else 60)
    assert alarms == [0, 0, 0, 1, 0, 0], "a decline that goes on alarms once"
    assert [window(watched, f"2013-04-{day:02d}")["state"] for day in (2, 3, 4, 5)] == ["ok", *["declined"] * 3]
    (found,) = window(watched, "2013-04-05")["findings"]
    assert (found["release"], found["since"]) == ("r-1", "2013-04-03")
    assert found["text"].startswith("wrong in 60.0 % of 300 outcomes since 2013-04-03, 20.0 % at release; an answer is")
    known = window(watched, "2013-04-05")["outcomes"]["r-1"]
    assert (known["outcomes"], known["wrong"], known["is_open"], known["value_usd"]) == (100, 60, False, 8.8)


def test_a_window_whose_outcomes_still_come_is_open(watched):
    judge(watched, "2013-04-02")
    answered(watched, 2, wrong=90)
    judged = judge(watched, "2013-04-02")
    assert (judged["state"], window(watched, "2013-04-02")["outcomes"]["r-1"]["is_open"]) == ("ok", True)


def test_outcomes_that_no_longer_come_alarm_once_the_window_is_closed(watched):
    judge(watched, "2013-04-01")
    answered(watched, 1, wrong=20)
    judge(watched, "2013-04-02")
    judge(watched, "2013-04-03", as_of="2013-04-04T00:30:00Z")
    assert [each["kind"] for each in window(watched, "2013-04-02")["findings"]] == ["no outcomes"]
    answered(watched, 2, wrong=20)
    judge(watched, "2013-04-03", as_of="2013-04-04T00:30:00Z")
    assert (window(watched, "2013-04-02")["findings"], window(watched, "2013-04-02")["state"]) == ([], "ok")


def test_a_window_that_nobody_counted_is_told(aws):
    with pytest.raises(CountsMissing, match="windows/window=2013-04-02/counts.json is not there; see the Monitor job"):
        handler(plan(), None)


def test_before_outcomes_come_the_answers_own_probabilities_say_how_good_they_are(watched):
    scores = {"yes": [0] * 45 + [400] + [0] * 4, "no": [0] * 5 + [600] + [0] * 44}
    judge(watched, "2013-04-01")
    sums = {"outcomes": 300, "wrong": 30, "happened_45": 80, "not_45": 20, "happened_5": 20, "not_5": 180}
    watched.put(stage.EVIDENCE, rollout="outcomes#r-1", item="2013-04-01#0", **sums)
    judge_with(watched, "2013-04-02", scores)
    assert "refused" in window(watched, "2013-04-02")["estimates"]["r-1"], "the first window is open yet"
    judge_with(watched, "2013-04-02", scores, as_of="2013-04-03T00:30:00Z")
    known = window(watched, "2013-04-02")["estimates"]["r-1"]
    value = (320 * 40.0 - 80 * 12.0 - 60 * 25.0) / 1000
    assert (known["accuracy"], known["value_usd"], known["calibrated_on"]) == (0.86, value, 300)


def judge_with(aws, day: str, scores: dict, as_of: str | None = None) -> None:
    document = counts(day)
    document["releases"]["r-1"]["scores"] = scores
    aws.upload(f"windows/window={day}/counts.json", document)
    handler(plan(day, as_of=as_of or "2013-04-02T12:00:00Z"), None)


def test_an_estimate_that_missed_its_truth_is_not_believed_again(watched):
    scores = {"yes": [0] * 45 + [400] + [0] * 4, "no": [0] * 5 + [600] + [0] * 44}
    sums = {"happened_45": 80, "not_45": 20, "happened_5": 20, "not_5": 180}
    watched.put(stage.EVIDENCE, rollout="outcomes#r-1", item="2013-04-01#0", outcomes=300, wrong=30, **sums)
    judge_with(watched, "2013-04-02", scores, as_of="2013-04-03T00:30:00Z")
    watched.put(stage.EVIDENCE, rollout="outcomes#r-1", item="2013-04-02#0", outcomes=300, wrong=150, **sums)
    judge_with(watched, "2013-04-03", scores, as_of="2013-04-04T00:30:00Z")
    assert window(watched, "2013-04-03")["estimates"] == {
        "r-1": {"refused": "the last estimate was 86.0 % right answers, outcomes said 50.0 %"}
    }
