"""Retrain when it pays: each reason, the loss by outcomes, and the loop over many windows."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.config.sections import Business
from domain.watch import retrain
from domain.watch.decision import Action, Reason, Unit
from domain.watch.retrain import Before, Loss, Situation
from domain.watch.verdict import State
from tests.domain.watch.loop_of_windows import AT_RELEASE, VALUES, Loop

NOW = datetime(2013, 4, 10, 0, 30, tzinfo=UTC)
DAY = timedelta(days=1)
LOSS = Loss(Unit.USD, a_row=1.5, low=0.5, outcomes=900, since="2013-04-05", has_declined=True)
WRONG = replace(LOSS, unit=Unit.WRONG, a_row=0.05, low=0.02)
PAYS = Situation(
    at=NOW,
    window_days=1,
    champion="r-1",
    state=State.DECLINED,
    drifted=(),
    loss=LOSS,
    rows_ahead=2_000.0,
    run_usd=0.6,
    new_rows=1_200,
    window_rows=9_000,
    before=Before(released_at=NOW - 9 * DAY, trained_at=NOW - 9 * DAY),
)


def before(**changes) -> Situation:
    return replace(PAYS, before=replace(PAYS.before, **changes))


def test_a_decision_has_every_number_that_it_rests_on():
    assert retrain.decide(PAYS) == {
        "action": Action.RETRAIN,
        "reason": Reason.LOSS,
        "champion": "r-1",
        "unit": Unit.USD,
        "loss": 1.5,
        "loss_low": 0.5,
        "since": "2013-04-05",
        "outcomes": 900,
        "rows_ahead": 2_000.0,
        "gain_usd": 1_000.0,
        "run_usd": 0.6,
        "new_rows": 1_200,
        "needed_rows": 900,
        "rejected": 0,
    }
    assert retrain.decide(replace(PAYS, champion=None, loss=None, drifted=("distance",))) == {
        "action": Action.NOTHING,
        "reason": Reason.NO_CHAMPION,
        "drifted": ["distance"],
        "rows_ahead": 2_000.0,
        "run_usd": 0.6,
        "new_rows": 1_200,
        "needed_rows": 900,
        "rejected": 0,
    }


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (replace(PAYS, champion=None), (Action.NOTHING, Reason.NO_CHAMPION)),
        (replace(PAYS, state=State.NO_DATA), (Action.NOTHING, Reason.NO_DATA)),
        (replace(PAYS, state=State.BROKEN), (Action.NOTHING, Reason.BROKEN_DATA)),
        (replace(PAYS, state=State.BROKEN, drifted=("distance",)), (Action.NOTHING, Reason.BROKEN_DATA)),
        (replace(PAYS, state=State.OK, loss=None), (Action.NOTHING, Reason.NO_LOSS)),
        (replace(PAYS, loss=replace(LOSS, low=0.0, has_declined=False)), (Action.NOTHING, Reason.NO_LOSS)),
        (replace(PAYS, loss=replace(LOSS, low=-0.1)), (Action.NOTHING, Reason.NOT_SHOWN)),
        (replace(PAYS, rows_ahead=1.2), (Action.NOTHING, Reason.TOO_SMALL)),
        (replace(PAYS, rows_ahead=1.3), (Action.RETRAIN, Reason.LOSS)),
        (replace(PAYS, new_rows=899), (Action.NOTHING, Reason.FEW_ROWS)),
        (replace(PAYS, new_rows=900), (Action.RETRAIN, Reason.LOSS)),
        (replace(PAYS, new_rows=0, window_rows=0), (Action.NOTHING, Reason.FEW_ROWS)),
        (replace(PAYS, loss=WRONG), (Action.RETRAIN, Reason.DECLINE)),
        (replace(PAYS, loss=replace(WRONG, low=-0.1)), (Action.RETRAIN, Reason.DECLINE)),
        (replace(PAYS, loss=replace(WRONG, has_declined=False)), (Action.NOTHING, Reason.NO_LOSS)),
        (replace(PAYS, state=State.DRIFTED, loss=None, drifted=("distance",)), (Action.EVALUATE, Reason.DRIFT)),
        (replace(PAYS, loss=replace(LOSS, low=-0.1), drifted=("distance",)), (Action.EVALUATE, Reason.DRIFT)),
        (replace(PAYS, drifted=("distance",)), (Action.RETRAIN, Reason.LOSS)),
        (before(is_refused=True), (Action.NOTHING, Reason.OVER_BUDGET)),
        (before(is_running=True), (Action.NOTHING, Reason.RUNNING)),
        (before(is_on_its_way=True), (Action.NOTHING, Reason.ON_ITS_WAY)),
        (before(released_at=NOW - DAY), (Action.NOTHING, Reason.COOLDOWN)),
        (before(trained_at=NOW - DAY), (Action.NOTHING, Reason.COOLDOWN)),
        (before(released_at=NOW - DAY - timedelta(seconds=1)), (Action.RETRAIN, Reason.LOSS)),
        (before(released_at=None, trained_at=None), (Action.RETRAIN, Reason.LOSS)),
        (before(rejected=1), (Action.RETRAIN, Reason.LOSS)),
        (before(rejected=2), (Action.STOPPED, Reason.LOOP_GUARD)),
        (
            replace(before(rejected=2), state=State.DRIFTED, loss=None, drifted=("distance",)),
            (Action.EVALUATE, Reason.DRIFT),
        ),
    ],
)
def test_each_reason(situation, expected):
    decision = retrain.decide(situation)
    assert (decision["action"], decision["reason"]) == expected


@given(
    state=st.sampled_from(State),
    drifted=st.sampled_from([(), ("distance",)]),
    low=st.floats(-5, 5),
    rows_ahead=st.floats(0, 1e6),
    new_rows=st.integers(0, 10_000),
    rejected=st.integers(0, 4),
    hours=st.integers(0, 72),
    busy=st.tuples(st.booleans(), st.booleans()),
)
def test_whatever_is_the_case_it_retrains_for_a_loss_that_pays_and_never_else(
    state, drifted, low, rows_ahead, new_rows, rejected, hours, busy
):
    loss = replace(LOSS, low=low)
    past = Before(trained_at=NOW - timedelta(hours=hours), rejected=rejected, is_running=busy[0], is_on_its_way=busy[1])
    situation = replace(
        PAYS, state=state, drifted=drifted, loss=loss, rows_ahead=rows_ahead, new_rows=new_rows, before=past
    )
    pays = low > 0 and low * rows_ahead > situation.run_usd and new_rows >= 900
    may = state not in (State.NO_DATA, State.BROKEN) and not any(busy) and hours > 24 and rejected < 2
    assert (retrain.decide(situation)["action"] == Action.RETRAIN) == (pays and may)


# ---- the loss


def test_a_loss_is_what_is_recognised_less_often_at_the_mix_of_today():
    then = {"true_positive": 70, "false_negative": 30, "true_negative": 270, "false_positive": 30}
    now = {"true_positive": 100, "false_negative": 100, "true_negative": 80, "false_positive": 20}
    mean, low = retrain.lost_usd(VALUES, then, now, z=2.0)
    late, timely = 2 / 3 * 65.0, 1 / 3 * 12.0
    assert mean == pytest.approx(late * (0.7 - 0.5) + timely * (0.9 - 0.8))
    p = [(71, 102), (101, 202), (271, 302), (81, 102)]
    of = [k / n * (1 - k / n) / n for k, n in p]
    assert low == pytest.approx(mean - 2.0 * math.sqrt(late**2 * (of[0] + of[1]) + timely**2 * (of[2] + of[3])))


@given(st.integers(1, 30), st.integers(1, 30))
def test_another_mix_alone_is_no_loss(late, timely):
    then = {"true_positive": 70, "false_negative": 30, "true_negative": 90, "false_positive": 10}
    now = {
        "true_positive": 7 * late,
        "false_negative": 3 * late,
        "true_negative": 9 * timely,
        "false_positive": timely,
    }
    mean, low = retrain.lost_usd(VALUES, then, now, z=1.0)
    assert mean == pytest.approx(0.0, abs=1e-9) and low < 0


def window(name: str, *, state: str = State.OK, findings: tuple = (), is_open: bool = False, **cells) -> dict:
    counts = dict.fromkeys(("true_positive", "false_positive", "true_negative", "false_negative"), 0) | cells
    wrong = counts["false_positive"] + counts["false_negative"]
    known = {"outcomes": sum(counts.values()), "wrong": wrong, "decisions": counts, "metrics": {}, "is_open": is_open}
    return {"run": name, "state": state, "rows": 300, "outcomes": {"r-1": known}, "findings": list(findings)}


def loss_of(*windows: dict, business: Business = VALUES, **changes) -> Loss | None:
    asked = {"decisions": {"true_positive": 700, "false_negative": 300, "true_negative": 900, "false_positive": 100}}
    asked |= {"business": business, "wrong_at_release": 0.2, "window_days": 1}
    return retrain.loss_of(windows, "r-1", **{**asked, **changes})


BAD = {"true_positive": 10, "false_negative": 90, "true_negative": 50, "false_positive": 50}
GOOD = {"true_positive": 70, "false_negative": 30, "true_negative": 90, "false_positive": 10}
DECLINE = {"kind": "decline", "release": "r-1", "window": "2013-04-03", "since": "2013-04-02", "text": ""}


def test_a_loss_is_measured_since_the_decline_began_and_else_in_the_newest_closed_window():
    windows = [window("2013-04-01", **GOOD), window("2013-04-02", **BAD), window("2013-04-03", **BAD)]
    newest = loss_of(*windows, window("2013-04-04", is_open=True, **GOOD))
    assert newest and (newest.since, newest.outcomes, newest.has_declined) == ("2013-04-03", 200, False)
    assert newest.a_row == pytest.approx(0.5 * 65 * 0.6 + 0.5 * 12 * 0.4) and newest.low > 0
    windows[2] = window("2013-04-03", findings=(DECLINE,), **BAD)
    since = loss_of(*windows)
    assert since and (since.since, since.outcomes, since.has_declined) == ("2013-04-02", 400, True)
    assert since.low > newest.low


def test_windows_whose_data_are_broken_tell_nothing_of_the_champion():
    assert loss_of(window("2013-04-01", state=State.BROKEN, **BAD)) is None
    loss = loss_of(window("2013-04-01", **GOOD), window("2013-04-02", state=State.BROKEN, **BAD))
    assert loss and (loss.since, loss.a_row) == ("2013-04-01", 0.0)


def test_without_values_a_loss_is_counted_in_wrong_answers():
    loss = loss_of(window("2013-04-01", **BAD), business=Business())
    z = 3.641  # one chance in twenty for 365 windows
    error = math.sqrt(141 / 202 * 61 / 202 / 202)
    assert loss and (loss.unit, loss.a_row) == (Unit.WRONG, pytest.approx(0.5))
    assert loss.low == pytest.approx(0.5 - z * error, abs=1e-4)
    assert loss_of(window("2013-04-01", **BAD), decisions=None, wrong_at_release=None) is None


def test_an_evaluation_on_newer_rows_tells_the_loss_too():
    newest = {"evaluate_start": "2013-03-12T00:00:00Z", "decisions": BAD}
    then = {"true_positive": 700, "false_negative": 300, "true_negative": 900, "false_positive": 100}
    loss = retrain.loss_on_newer_rows(newest, business=VALUES, decisions=then, window_days=1)
    assert loss and (loss.unit, loss.since, loss.outcomes, loss.has_declined) == (Unit.USD, "2013-03-12", 200, True)
    assert loss.a_row == pytest.approx(0.5 * 65 * 0.6 + 0.5 * 12 * 0.4) and loss.low > 0
    without = retrain.loss_on_newer_rows(newest, business=Business(), decisions=then, window_days=1)
    assert without and (without.unit, without.a_row) == (Unit.WRONG, pytest.approx(0.5))
    good = retrain.loss_on_newer_rows({**newest, "decisions": GOOD}, business=VALUES, decisions=then, window_days=1)
    assert good and (good.a_row, good.has_declined) == (0.0, False)
    assert retrain.loss_on_newer_rows(newest, business=VALUES, decisions=None, window_days=1) is None


def test_nothing_is_known_while_no_window_is_closed():
    assert loss_of() is None
    assert loss_of(window("2013-04-01", is_open=True, **BAD), window("2013-04-02")) is None


# ---- what is to come, and what was before


def test_answers_ahead_are_as_many_as_in_the_last_week():
    windows = [{"rows": 7_000}, *({"rows": rows} for rows in (100, 100, 100, 100, 100, 30, 30))]
    assert retrain.rows_ahead(windows, window_days=1, days=2.0) == pytest.approx(160.0)
    assert retrain.rows_ahead([{"rows": 700}], window_days=7, days=3.5) == pytest.approx(350.0)
    assert retrain.rows_ahead([], window_days=1, days=3.5) == 0.0


@pytest.mark.parametrize(
    ("schedule", "trained", "expected"),
    [
        ("rate(7 days)", NOW - 2 * DAY, 5.0),
        ("rate(7 days)", NOW - 9 * DAY, 5.0),
        ("rate(7 days)", NOW, 7.0),
        ("rate(7 days)", NOW + DAY, 7.0),
        ("rate(7 days)", None, 7.0),
        ("cron(0 3 ? * MON *)", NOW - DAY, 365 / 52 - 1),
        ("off", NOW - 9 * DAY, 30.0),
    ],
)
def test_days_until_the_next_scheduled_training(schedule, trained, expected):
    found = retrain.days_until_training(schedule, trained_at=trained, now=NOW)
    assert found == pytest.approx(expected, abs=0.02)


def decided(day: int, action: Action = Action.RETRAIN) -> dict:
    return {"run": f"2013-04-{day:02d}", "decision": {"action": action, "run": f"{action}-2013-04-{day:02d}"}}


def trained(day: int, **values) -> dict:
    return {"started_at": f"2013-04-{day:02d}T00:30:00Z", "status": "SUCCEEDED", "release": f"r-{day}", **values}


REJECTED = {"verdict": "rejected"}
APPROVED = {"verdict": "approved"}


@pytest.mark.parametrize(
    ("runs", "states", "expected"),
    [
        ({}, {}, 0),
        ({1: REJECTED, 2: REJECTED}, {}, 2),
        ({1: REJECTED, 2: APPROVED}, {"r-2": "champion"}, 0),
        ({1: APPROVED, 2: REJECTED}, {"r-1": "retired"}, 1),
        ({1: REJECTED, 2: {"status": "FAILED"}}, {}, 2),
        ({1: REJECTED, 2: APPROVED}, {"r-2": "rolled back"}, 2),
        ({1: REJECTED, 2: APPROVED}, {"r-2": "canary"}, 1),
        ({1: REJECTED, 2: {"status": "RUNNING"}}, {}, 1),
    ],
)
def test_the_loop_counts_its_own_candidates_that_brought_no_release(runs, states, expected):
    windows = [decided(1), decided(2), {"run": "2013-04-03"}, decided(4, Action.EVALUATE)]
    items = {f"retrain-2013-04-{day:02d}": trained(day, **values) for day, values in runs.items()}
    items |= {"evaluate-2013-04-04": trained(4, **REJECTED), "train-20130405": trained(5, **REJECTED)}
    assert retrain.rejected_in_a_row(windows, items, states) == expected


def test_a_person_who_resumes_the_loop_begins_the_count_anew():
    windows = [decided(1), decided(2)]
    refused = {"status": "FAILED", "finished_at": "2013-04-02T00:31:00Z"}  # before it was recorded as begun
    items = {"retrain-2013-04-01": trained(1, **REJECTED), "retrain-2013-04-02": refused}
    counted = [retrain.rejected_in_a_row(windows, items, {}, since=f"2013-04-{day:02d}T12:00:00Z") for day in (0, 1, 2)]
    assert counted == [2, 1, 0]


def test_a_release_is_on_its_way_until_it_answers_everybody_or_is_given_up():
    runs = [trained(1), trained(3), trained(2)]
    ways = {state: retrain.is_on_its_way(runs, {"r-3": state, "r-2": "canary"}) for state in ("waiting", "canary")}
    assert ways == {"waiting": True, "canary": True}
    assert not retrain.is_on_its_way(runs, {"r-3": "champion", "r-2": "canary"})
    assert not retrain.is_on_its_way([], {})


def test_what_began_to_drift_in_the_window_is_named_once():
    findings = [
        {"kind": "feature", "column": "distance", "window": "2013-04-02", "since": "2013-04-02"},
        {"kind": "feature", "column": "distance", "window": "2013-04-02", "since": "2013-04-02"},
        {"kind": "feature", "column": "wind", "window": "2013-04-02", "since": "2013-04-01"},
        {"kind": "prediction", "window": "2013-04-02", "since": "2013-04-02"},
        {"kind": "decline", "window": "2013-04-02", "since": "2013-04-02"},
    ]
    assert retrain.newly_drifted({"run": "2013-04-02", "findings": findings}) == ("distance", "answers")


# ---- many windows


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_a_hundred_stable_windows_start_at_most_five_runs(seed):
    loop = Loop(np.random.default_rng(seed), recognised=lambda number, release: AT_RELEASE)
    assert len(loop.run(100)) <= 5


@given(st.integers(0, 2**32 - 1), st.integers(3, 20), st.sampled_from([VALUES, Business()]))
@settings(max_examples=10, deadline=None)
def test_a_step_is_answered_within_two_windows_of_labels_and_then_it_is_quiet(seed, step, business):
    """The outcomes of window `step` are known at the look after it."""

    def recognised(number: int, release: int) -> tuple[float, float]:
        return (0.4, 0.8) if number >= step and release < step else AT_RELEASE

    started = Loop(np.random.default_rng(seed), recognised=recognised, business=business).run(step + 10)
    assert any(step < number <= step + 2 for number in started) and len(started) <= 2


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.booleans())
@settings(max_examples=10, deadline=None)
def test_a_sawtooth_of_seasons_never_starts_two_runs_within_the_cooldown(seed, period, rejects):
    def recognised(number: int, release: int) -> tuple[float, float]:
        return 0.7 - 0.5 * (number % period) / period, 0.9

    loop = Loop(np.random.default_rng(seed), recognised=recognised, rejects=lambda number: rejects)
    started = loop.run(60)
    assert all(later - earlier > 1 for earlier, later in pairwise(started))
    assert len(started) <= 2 if rejects else started
