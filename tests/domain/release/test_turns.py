"""One rollout runs at a time; who waits is superseded by whoever was approved later."""

from datetime import timedelta

from domain.release.rollout import UNDER_WAY, State
from domain.release.turns import LOST_AFTER, NO_TURNS, in_line, is_free, objection
from tests.domain.release.test_rollout import PLAN, START, canary


def asked(rollout: str, minute: int) -> dict:
    at = f"2026-11-28T12:{minute:02d}:00Z"
    return {"rollout": rollout, "release": rollout[:3], "asked_at": at, "aborted": False}


def test_a_rollout_begins_when_none_runs_or_the_one_that_ran_is_lost():
    def free(current, now=START) -> bool:
        return is_free({**NO_TURNS, "current": current}, now=now, plan=PLAN)

    assert free(None)
    assert not free(canary())
    assert not free(canary(), START + LOST_AFTER)
    assert free(canary(), START + LOST_AFTER + timedelta(minutes=4))
    assert all(free({**canary(), "state": state}) for state in State if state not in UNDER_WAY)


def test_of_several_that_wait_the_one_that_was_approved_last_goes_on():
    first, second = asked("r-2/1", 1), asked("r-3/1", 2)
    turns = in_line(in_line(NO_TURNS, first), second)
    assert turns == in_line(turns, first) == in_line(turns, second) == {**NO_TURNS, "waiting": second}
    assert objection(turns, "r-2/1") == ("superseded", "r-3 was approved later")
    assert objection(turns, "r-3/1") is None
    aborted = {**NO_TURNS, "waiting": {**second, "aborted": True}}
    assert objection(in_line(aborted, second), "r-3/1") == ("aborted", "aborted by hand while it waited")
