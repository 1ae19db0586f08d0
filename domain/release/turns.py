"""Turns: one rollout runs at a time, and others wait in line.

A release that was approved later supersedes one that is still waiting; one that has reached its canary is finished
first.
"""

from datetime import datetime, timedelta
from typing import TypedDict

from domain.release.rollout import UNDER_WAY, Plan, Rollout, State, wait_s
from domain.timestamps import parse_timestamp

LOST_AFTER = timedelta(hours=1)  # age of the last look after which the flow counts as ended without notice


class Waiting(TypedDict):
    """A release that waits for the running rollout."""

    rollout: str
    release: str
    asked_at: str
    aborted: bool  # by a person


class Turns(TypedDict):
    """Item of the routing table (domain/records.py: ROLLOUT): the running or last rollout, and the next release."""

    version: int
    current: Rollout | None
    waiting: Waiting | None


NO_TURNS: Turns = {"version": 0, "current": None, "waiting": None}


def is_free(turns: Turns, *, now: datetime, plan: Plan) -> bool:
    """Return whether the next rollout may begin: none is running, or the running one has had no look for long."""
    current = turns["current"]
    if current is None or current["state"] not in UNDER_WAY:
        return True
    looked = parse_timestamp(current["looked_at"])
    return looked is None or now - looked > LOST_AFTER + 3 * timedelta(seconds=wait_s(current, now=now, plan=plan))


def in_line(turns: Turns, mine: Waiting) -> Turns:
    """Return the turns in which `mine` is next, unless a release that was approved later is."""
    other = turns["waiting"]
    if other and (other["rollout"] == mine["rollout"] or other["asked_at"] > mine["asked_at"]):
        return turns
    return {**turns, "waiting": mine}


def objection(turns: Turns, rollout: str) -> tuple[State, str] | None:
    """Return how and why a waiting rollout ends; None while it is next."""
    waiting = turns["waiting"]
    if waiting is None or waiting["rollout"] != rollout:
        return State.SUPERSEDED, f"{waiting['release'] if waiting else 'another release'} was approved later"
    return (State.ABORTED, "aborted by hand while it waited") if waiting["aborted"] else None
