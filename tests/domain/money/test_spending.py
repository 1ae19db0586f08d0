import pytest

from domain.config.sections import Budget
from domain.money.spending import (
    NOTHING,
    STOP_CHALLENGERS,
    STOP_MODEL,
    STOP_TRAINING,
    after,
    challenger_refusal,
    changed,
    due,
    refusal,
)
from domain.release import routing as rules

NOW, LATER, NEXT_MONTH = "2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z", "2026-12-01T02:00:00Z"
CAREFUL = Budget(
    monthly_usd=100.0, stop_training_percent=90.0, stop_challengers_percent=100.0, stop_model_percent=150.0
)
CHAMPION = {"release": "r-2", "endpoint": "e-2", "since": ""}
CANARY = {
    "rollout": "r-3/1",
    "arm": "canary",
    "role": "canary",
    "release": "r-3",
    "endpoint": "e-3",
    "start": 0.0,
    "end": 0.1,
    "since": "",
}
ROUTING = {
    "version": 7,
    "changed_at": "",
    "reason": "",
    "champion": CHAMPION,
    "claims": [CANARY],
    "previous": [],
}


def test_a_budget_that_says_nothing_stops_nothing():
    assert due(Budget(monthly_usd=1.0), 1000.0, NOTHING, now=NOW) == []


@pytest.mark.parametrize(
    ("spent", "actions"),
    [
        (89.0, []),
        (90.0, [STOP_TRAINING]),
        (100.0, [STOP_TRAINING, STOP_CHALLENGERS]),
        (150.0, [STOP_TRAINING, STOP_CHALLENGERS, STOP_MODEL]),
    ],
)
def test_limits_are_reached_one_after_the_other(spent, actions):
    assert due(CAREFUL, spent, NOTHING, now=NOW) == actions


def test_an_action_is_taken_once_a_month_even_if_it_was_undone():
    done = after(NOTHING, [STOP_TRAINING], spent_usd=91.0, budget_usd=100.0, now=NOW)
    assert due(CAREFUL, 95.0, done, now=LATER) == []
    assert due(CAREFUL, 95.0, {**done, "undone": [STOP_TRAINING]}, now=LATER) == []
    assert due(CAREFUL, 95.0, done, now=NEXT_MONTH) == [STOP_TRAINING]
    assert after(done, [STOP_CHALLENGERS], spent_usd=101.0, budget_usd=100.0, now=LATER)["actions"] == [
        STOP_TRAINING,
        STOP_CHALLENGERS,
    ]
    assert after(done, [STOP_TRAINING], spent_usd=91.0, budget_usd=100.0, now=NEXT_MONTH)["actions"] == [STOP_TRAINING]


def test_without_challengers_the_champion_answers_everybody():
    routing = changed(ROUTING, STOP_CHALLENGERS, at=NOW, reason="spent")
    assert (routing["version"], routing["champion"], routing["claims"]) == (8, CHAMPION, [])
    assert changed(routing, STOP_CHALLENGERS, at=NOW, reason="spent") is None


def test_without_challengers_no_shadow_is_asked_either():
    shadow = {"rollout": "r-3/1/shadow", "release": "r-3", "endpoint": "e-3", "share": 0.1, "since": ""}
    asking = {**ROUTING, "claims": [], "shadow": shadow}
    assert changed(asking, STOP_CHALLENGERS, at=NOW, reason="spent") == {
        **ROUTING,
        "version": 8,
        "changed_at": NOW,
        "reason": "spent",
        "claims": [],
    }


def test_without_the_model_nobody_is_routed_and_one_rollback_brings_the_champion_back():
    stopped = changed(ROUTING, STOP_MODEL, at=NOW, reason="spent")
    assert rules.choose(stopped, "anyone") is None
    assert changed(stopped, STOP_MODEL, at=NOW, reason="spent") is None
    assert rules.rollback(stopped, at=LATER, reason="resumed")["champion"]["release"] == "r-2"


def test_before_the_first_release_there_is_nothing_to_change():
    assert [
        changed(rules.EMPTY, action, at=NOW, reason="") for action in (STOP_TRAINING, STOP_CHALLENGERS, STOP_MODEL)
    ] == [None] * 3


def test_training_is_refused_for_the_rest_of_the_month_unless_it_was_resumed():
    done = after(NOTHING, [STOP_TRAINING], spent_usd=91.5, budget_usd=100.0, now=NOW)
    assert refusal(done, now=LATER) == (
        "no training until 2026-11 is over: $91.50 of the budget of $100.00 was spent by 2026-11-20T10:00:00Z; "
        "`fairway resume` lets it train before"
    )
    assert refusal(done, now=NEXT_MONTH) is None
    assert refusal({**done, "undone": [STOP_TRAINING]}, now=LATER) is None
    assert refusal(None, now=NOW) is None


def test_nothing_is_trained_that_would_answer_while_the_model_is_stopped():
    done = after(NOTHING, [STOP_MODEL], spent_usd=150.0, budget_usd=100.0, now=NOW)
    assert refusal(done, now=LATER).startswith("no training until 2026-11 is over: $150.00 of the budget of $100.00")
    assert refusal({**done, "undone": [STOP_MODEL]}, now=LATER) is None
    assert refusal(after(NOTHING, [STOP_CHALLENGERS], spent_usd=100.0, budget_usd=100.0, now=NOW), now=LATER) is None


def test_once_challengers_were_dropped_none_begins_until_the_next_month_or_a_person_says_so():
    done = after(NOTHING, [STOP_CHALLENGERS], spent_usd=91.5, budget_usd=100.0, now=NOW)
    refused = challenger_refusal(done, now=LATER)
    assert refused is not None and refused.startswith("only the champion answers until ")
    assert refused.endswith(f"was spent by {NOW}; `fairway resume` lets another begin before")
    assert challenger_refusal(done, now=NEXT_MONTH) is None
    assert challenger_refusal({**done, "undone": [STOP_CHALLENGERS]}, now=LATER) is None
    assert challenger_refusal(None, now=NOW) is None
    only_training = after(NOTHING, [STOP_TRAINING], spent_usd=91.5, budget_usd=100.0, now=NOW)
    assert challenger_refusal(only_training, now=LATER) is None
