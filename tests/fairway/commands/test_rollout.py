"""A release on its way to champion, as people see it, hold it and end it."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import pytest

from domain.release.evidence import Failures, harm_by_failures
from domain.release.harm import Limits
from domain.release.rollout import Plan, begun, routed
from domain.release.routing import EMPTY, promote
from fairway.stage import rollouts
from tests.domain.release.test_replay import COUNTED, NOTHING_KNOWN

AT = "2026-11-28T11:00:00Z"
PLAN = Plan(shares=(0.05, 0.25), minutes=60.0, rows=1000, look_s=60, limits=Limits())
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ALONE = promote(EMPTY, release="r-1", endpoint="e-1", at=AT, reason="the first")


def canary(**values) -> dict:
    names = {"rollout": "r-2/1", "release": "r-2", "endpoint": "e-2", "champion": "r-1"}
    return {**begun(**names, now=NOW, plan=PLAN), "routed": True, **values}


@pytest.fixture
def rolling(place):
    """r-2 answers 5 % beside r-1, and five of its entities failed."""
    place.put("routing", item="release#r-2", release="r-2", state="canary", run="train-2")
    place.put("routing", item="routing", **routed(canary(), ALONE, at=AT))
    place.put("routing", item="rollout", version=3, current=canary())
    counts = {"canary_rows": 60, "champion_rows": 940, "canary_entities": 50, "champion_entities": 950}
    failed = {"canary_error": 5, "canary_fallback": 5, "champion_error": 10, "champion_fallback": 10}
    place.put("evidence", rollout="r-2/1", item="share#0.05", **counts, **failed)
    return place


def test_status_gives_share_reason_evidence_and_boundary(rolling):
    told = rolling.values("rollout", "status")
    assert (told["stage"], told["rollout"], told["waiting"]) == ("local", canary(), None)
    assert [one["rule"] for one in told["evidence"]] == ["failed answers", "slow answers", "value", "split"]
    failed = told["evidence"][0]
    assert failed == {
        "rule": "failed answers",
        "e_value": pytest.approx(math.exp(harm_by_failures([Failures(0.05, 5, 10)]))),
        "boundary": pytest.approx(100.0),
        "holds": True,
        "counts": "entities that failed: 5 of 50 of the canary, 10 of 950 of the champion",
    }
    _, out, _ = rolling.run("rollout", "status")
    assert out.splitlines()[:2] == [
        "r-2: canary, 5 % beside r-1, since 2026-11-28T12:00:00Z",
        "begins beside r-1",
    ]
    assert "failed answers  63" in out and "entities that failed: 5 of 50 of the canary" in out


def test_status_before_the_first_rollout_says_so(place):
    nothing = {"stage": "local", "rollout": None, "waiting": None, "evidence": [], "replay": None}
    assert place.values("rollout", "status") == nothing


def test_status_of_a_shadow_shows_its_sample_its_own_evidence_and_what_its_replay_found(place):
    plan = replace(PLAN, shadow=0.2)
    names = {"rollout": "r-2/1", "release": "r-2", "endpoint": "e-2", "champion": "r-1"}
    shadow = {**begun(**names, now=NOW, plan=plan), "routed": True}
    report = {**COUNTED, "at": AT, "known": NOTHING_KNOWN, "stop": "", "why": "1,000 captured rows"}
    place.put("routing", item="release#r-2", release="r-2", state="canary", run="train-2", replay=report)
    place.put("routing", item="routing", **routed(shadow, ALONE, at=AT))
    place.put("routing", item="rollout", version=3, current=shadow)
    counts = {"canary_rows": 60, "champion_rows": 60, "canary_entities": 50, "champion_entities": 50}
    place.put("evidence", rollout="r-2/1/shadow", item="share#0.5", **counts)
    told = place.values("rollout", "status")
    assert (told["rollout"]["state"], told["rollout"]["share"], told["replay"]) == (
        "shadow",
        0.2,
        {"release": "r-2", **report},
    )
    assert told["evidence"][0]["counts"] == "entities that failed: 0 of 50 of the canary, 0 of 50 of the champion"
    lines = place.run("rollout", "status")[1].splitlines()
    assert lines[0] == "r-2: shadow, 20 % beside r-1, since 2026-11-28T12:00:00Z"
    assert [line for line in lines if line.startswith(("r-2, ", "replay "))] == [
        "r-2, 2026-11-28T11:00:00Z",
        "replay passed: 1,000 captured rows",
    ]
    _, out, _ = place.run("rollout", "pause")
    assert "r-2 is asked about 20 % after r-1 has answered, and stays there" in out
    assert place.values("rollout", "abort")["rollout"]["state"] == "aborted"
    assert place.values("status")["reason"] == "rollout of r-2: aborted by hand"


def test_a_rollout_is_paused_and_resumed_once_each(rolling):
    assert rolling.values("rollout", "pause")["rollout"]["paused"] == "paused by hand"
    code, _, err = rolling.run("rollout", "pause")
    assert (code, "the rollout is paused already; continue it with `fairway rollout resume --project " in err) == (
        2,
        True,
    )
    assert rolling.values("rollout", "resume")["rollout"]["paused"] == ""
    code, _, err = rolling.run("rollout", "resume")
    assert (code, "the rollout is not paused" in err) == (2, True)


@pytest.fixture
def flow_writes(rolling, monkeypatch):
    """The rollout's flow writes after each of the first reads of a command, as many as asked for."""
    read, versions = rollouts.turns_of, count(4)

    def often(times: int) -> None:
        left = iter(range(times))

        def read_and_wait(stage):
            turns = read(stage)
            if next(left, None) is not None:
                rolling.put("routing", item="rollout", version=next(versions), current=turns["current"])
            return turns

        monkeypatch.setattr(rollouts, "turns_of", read_and_wait)

    return often


@pytest.mark.parametrize("command", ["pause", "abort"])
def test_a_command_decides_anew_where_the_flow_writes_first(rolling, flow_writes, command):
    flow_writes(2)
    changed = rolling.values("rollout", command)["rollout"]
    assert (changed["paused"] or changed["why"]) == f"{command}{'d' if command == 'pause' else 'ed'} by hand"


def test_a_command_gives_up_on_a_flow_that_always_writes_first(rolling, flow_writes):
    flow_writes(rollouts.TRIES)
    code, _, err = rolling.run("rollout", "abort")
    assert (code, "the rollout's flow writes all the time" in err) == (1, True)
    assert rolling.values("rollout", "status")["rollout"]["state"] == "canary"


def test_abort_lets_the_champion_answer_everybody_at_once(rolling):
    ended = rolling.values("rollout", "abort")["rollout"]
    assert (ended["state"], ended["share"], ended["why"]) == ("aborted", 0.0, "aborted by hand")
    status = rolling.values("status")
    assert (status["champion"], status["reason"]) == ("r-1", "rollout of r-2: aborted by hand")
    assert [(one["release"], one["weight"], one["state"]) for one in status["releases"]] == [("r-2", 0, "aborted")]


@pytest.mark.parametrize("command", ["pause", "resume", "abort"])
def test_what_is_not_running_is_refused_by_name_and_nothing_changes(place, command):
    code, _, err = place.run("rollout", command)
    assert (code, "no rollout is in progress; " in err) == (2, True)
    place.put("routing", item="rollout", version=9, current=canary(state="rolled back"))
    code, _, err = place.run("rollout", command)
    assert (code, "no rollout is in progress; the last one, of r-2, ended as rolled back; " in err) == (2, True)


def test_a_release_that_waits_for_its_turn_is_aborted_by_its_name_alone(rolling):
    waiting = {"rollout": "r-3/1", "release": "r-3", "asked_at": AT, "aborted": False}
    rolling.put("routing", item="rollout", version=3, current=canary(), waiting=waiting)
    assert rolling.values("rollout", "abort", "r-3") == {"stage": "local", "release": "r-3"}
    assert rolling.values("status")["reason"].startswith("rollout of r-2: canary at 5 %")
    code, _, err = rolling.run("rollout", "abort", "r-9")
    assert (code, "RELEASE = 'r-9': must be the canary or the release that waits" in err) == (2, True)
    assert rolling.values("rollout", "abort")["rollout"]["release"] == "r-2"
