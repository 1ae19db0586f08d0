"""A decision in words, and who stopped the loop."""

import pytest

from domain.watch.decision import Action, Reason, Unit, in_words, is_paused

NUMBERS = {"rows_ahead": 2_000.0, "run_usd": 0.6, "new_rows": 1_200, "needed_rows": 900, "rejected": 2}
LOSS = {"unit": Unit.USD, "loss": 1.5, "loss_low": 0.5, "since": "2013-04-05", "outcomes": 900, "gain_usd": 1_000.0}
WRONG = {"unit": Unit.WRONG, "loss": 0.05, "loss_low": 0.02, "since": "2013-04-05", "outcomes": 900}
LOST = (
    "since 2013-04-05 an answer is worth $1.50 less (at least $0.50) than the release's quality would bring, "
    "by 900 outcomes"
)
AHEAD = "which is at least $1,000.00 over 2,000 answers until the next scheduled training; a run costs $0.60"
ENOUGH = "1,200 labelled rows are newer than the last training, and 900 are needed"
NOTHING, RETRAIN = Action.NOTHING, Action.RETRAIN


@pytest.mark.parametrize(
    ("action", "reason", "more", "expected"),
    [
        (NOTHING, Reason.NO_CHAMPION, {}, "no release answers yet"),
        (NOTHING, Reason.NO_DATA, {}, "the window has no answers"),
        (
            NOTHING,
            Reason.BROKEN_DATA,
            {},
            "rows of the window broke the contract, so nothing is concluded from it",
        ),
        (NOTHING, Reason.NO_LOSS, {}, "no loss is shown"),
        (NOTHING, Reason.NOT_SHOWN, LOSS, f"{LOST}, which chance explains"),
        (NOTHING, Reason.TOO_SMALL, LOSS, f"{LOST}, {AHEAD}"),
        (NOTHING, Reason.FEW_ROWS, LOSS, f"{LOST}; {ENOUGH}"),
        (NOTHING, Reason.OVER_BUDGET, LOSS, "the budget's guard refuses new runs; `fairway resume` allows them"),
        (NOTHING, Reason.RUNNING, LOSS, "a training run is in progress"),
        (NOTHING, Reason.ON_ITS_WAY, LOSS, "the release of the last run is on its way, or waits for approval"),
        (NOTHING, Reason.COOLDOWN, LOSS, "the last training or release was less than a window ago"),
        (
            Action.EVALUATE,
            Reason.DRIFT,
            {"drifted": ["distance", "answers"]},
            "distance, answers began to drift; an evaluation on the newest rows shows what that means",
        ),
        (
            RETRAIN,
            Reason.DECLINE,
            WRONG,
            (
                "since 2013-04-05, 5.0 points (at least 2.0) more of the answers are wrong than at release, by 900 "
                "outcomes; a run costs $0.60"
            ),
        ),
        (RETRAIN, Reason.LOSS, LOSS, f"{LOST}, {AHEAD}; {ENOUGH}"),
        (
            Action.STOPPED,
            Reason.LOOP_GUARD,
            LOSS,
            f"{LOST}, but 2 candidates in a row were rejected, so a person has to look",
        ),
    ],
)
def test_a_decision_is_said_with_the_numbers_that_decided(action, reason, more, expected):
    assert in_words({"action": action, "reason": reason, **NUMBERS, **more}) == f"{action}: {expected}"


def test_every_reason_can_be_said():
    for reason in Reason:
        decision = {"action": NOTHING, "reason": reason, **NUMBERS, **LOSS, "drifted": ["distance"]}
        assert in_words(decision).startswith("nothing: ")


@pytest.mark.parametrize(
    ("loop", "paused"),
    [
        ({}, False),
        ({"paused_at": "2013-04-01T00:00:00Z"}, True),
        ({"paused_at": "2013-04-01T00:00:00Z", "resumed_at": "2013-04-02T00:00:00Z"}, False),
        ({"paused_at": "2013-04-03T00:00:00Z", "resumed_at": "2013-04-02T00:00:00Z"}, True),
        ({"resumed_at": "2013-04-02T00:00:00Z"}, False),
    ],
)
def test_the_loop_is_paused_until_it_is_resumed(loop, paused):
    assert is_paused(loop) is paused
