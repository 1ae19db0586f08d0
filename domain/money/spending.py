"""Decide which actions are due when a stage nears its budget, and what each of them changes.

The actions of a month are stored in one item (`Done`), so that each is taken and announced once and can be undone. An
action that was undone by hand is not taken again in the same month. In a new month training is allowed again and a
stopped model returns; canaries and experiments do not, as their evidence is old by then.
"""

from typing import NotRequired, TypedDict

from domain.config.sections import Budget
from domain.release import routing as rules

STOP_TRAINING, STOP_CHALLENGERS, STOP_MODEL = "stop_training", "stop_challengers", "stop_model"
ACTIONS = {
    STOP_TRAINING: "new training runs are refused",
    STOP_CHALLENGERS: "only the champion answers",
    STOP_MODEL: "the fallback answers everything",
}


class Done(TypedDict):
    """Actions that the guard took in a month, and those that were undone by hand."""

    month: str
    actions: list[str]
    undone: NotRequired[list[str]]
    spent_usd: NotRequired[float]
    budget_usd: NotRequired[float]
    at: NotRequired[str]


NOTHING: Done = {"month": "", "actions": [], "undone": []}


def _calendar_month(timestamp: str) -> str:
    return timestamp[:7]


def due(budget: Budget, spent_usd: float, done: Done, *, now: str) -> list[str]:
    """Return the actions whose limit is reached and that were not taken this month, the mildest first."""
    taken = done["actions"] if done["month"] == _calendar_month(now) else []
    limits = {
        STOP_TRAINING: budget.stop_training_percent,
        STOP_CHALLENGERS: budget.stop_challengers_percent,
        STOP_MODEL: budget.stop_model_percent,
    }
    percent = 100 * spent_usd / budget.monthly_usd if budget.monthly_usd else 0.0
    return [action for action, limit in limits.items() if limit and percent >= limit and action not in taken]


def after(done: Done, actions: list[str], *, spent_usd: float, budget_usd: float, now: str) -> Done:
    """Return the item after these actions were taken; a new month starts with an empty one."""
    before = done if done["month"] == _calendar_month(now) else NOTHING
    return {
        "month": _calendar_month(now),
        "actions": [*before["actions"], *actions],
        "undone": before.get("undone", []),
        "spent_usd": spent_usd,
        "budget_usd": budget_usd,
        "at": now,
    }


def changed(routing: rules.Routing, action: str, *, at: str, reason: str) -> rules.Routing | None:
    """Return the routing after the action; None if the action does not change it."""
    if action == STOP_CHALLENGERS and (routing["claims"] or routing.get("shadow")):
        return rules.alone(routing, at=at, reason=reason)
    if action == STOP_MODEL and routing["champion"]:
        return rules.stop(routing, at=at, reason=reason)
    return None


def is_stopped(routing: rules.Routing) -> bool:
    """Return whether the fallback answers everything although there is a release."""
    return routing["champion"] is None and bool(routing["previous"])


def come_back(routing: rules.Routing, done: Done, *, now: str) -> rules.Routing | None:
    """Return the routing after a model that an earlier month's budget stopped answers again.

    None if this month stopped it, if the stop was undone, or if a release answers already.
    """
    standing = STOP_MODEL in done["actions"] and STOP_MODEL not in done.get("undone", [])
    if done["month"] == _calendar_month(now) or not standing or not is_stopped(routing):
        return None
    reason = f"{_calendar_month(now)} has begun: the budget of {done['month']} no longer stops the model"
    return rules.rollback(routing, at=now, reason=reason)


def new_month(now: str) -> Done:
    return {"month": _calendar_month(now), "actions": [], "undone": []}


def refusal(done: Done | None, *, now: str) -> str | None:
    """Return why no training run may begin now; None if one may."""
    # A model trained while the model is stopped would be released and answer, as if nothing had been stopped.
    spent = _spent(done or NOTHING, (STOP_TRAINING, STOP_MODEL), now=now)
    return f"no training {spent}; `fairway resume` lets it train before" if spent else None


def challenger_refusal(done: Done | None, *, now: str) -> str | None:
    """Return why no release may be compared with the champion now; None if one may."""
    spent = _spent(done or NOTHING, (STOP_CHALLENGERS, STOP_MODEL), now=now)
    return f"only the champion answers {spent}; `fairway resume` lets another begin before" if spent else None


def _spent(done: Done, actions: tuple[str, ...], *, now: str) -> str:
    """Tell until when and why one of these actions of the month stands; empty where none does."""
    standing = set(done["actions"]) - set(done.get("undone", []))
    if done["month"] != _calendar_month(now) or standing.isdisjoint(actions):
        return ""
    return (
        f"until {_calendar_month(now)} is over: ${done['spent_usd']:,.2f} of the budget of "
        f"${done['budget_usd']:,.2f} was spent by {done['at']}"
    )
