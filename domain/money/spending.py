"""What happens when a stage nears its budget: which actions are due, and what each of them changes.

What was done stands in one item, so that it is done once, is refused to nobody who was not told, and can be undone:

    {"month": "2026-11", "actions": [...], "undone": [...], "spent_usd", "budget_usd", "at"}

An action that was undone by hand is not taken again in the same month.
"""

from typing import NotRequired, TypedDict

from domain.config.sections import Budget
from domain.release import routing as rules

STOP_TRAINING, STOP_CHALLENGERS, STOP_MODEL = "stop_training", "stop_challengers", "stop_model"
ACTIONS = {
    STOP_TRAINING: "new training runs are refused",
    STOP_CHALLENGERS: "only the champion answers",
    STOP_MODEL: "the fallback answers everybody",
}


class Done(TypedDict):
    """What the guard did in a month, and what of it was undone by hand."""

    month: str
    actions: list[str]
    undone: NotRequired[list[str]]
    spent_usd: NotRequired[float]
    budget_usd: NotRequired[float]
    at: NotRequired[str]


NOTHING: Done = {"month": "", "actions": [], "undone": []}


def calendar_month(moment: str) -> str:
    return moment[:7]


def due(budget: Budget, spent_usd: float, done: Done, *, now: str) -> list[str]:
    """The actions whose limit is reached and that were not taken this month, the mildest first."""
    taken = done["actions"] if done["month"] == calendar_month(now) else []
    limits = {
        STOP_TRAINING: budget.stop_training_percent,
        STOP_CHALLENGERS: budget.stop_challengers_percent,
        STOP_MODEL: budget.stop_model_percent,
    }
    percent = 100 * spent_usd / budget.monthly_usd if budget.monthly_usd else 0.0
    return [action for action, limit in limits.items() if limit and percent >= limit and action not in taken]


def after(done: Done, actions: list[str], *, spent_usd: float, budget_usd: float, now: str) -> Done:
    """The item once these were taken; a new month begins anew."""
    before = done if done["month"] == calendar_month(now) else NOTHING
    return {
        "month": calendar_month(now),
        "actions": [*before["actions"], *actions],
        "undone": before.get("undone", []),
        "spent_usd": spent_usd,
        "budget_usd": budget_usd,
        "at": now,
    }


def changed(routing: dict, action: str, *, at: str, reason: str) -> dict | None:
    """The routing after the action; None where it changes nothing."""
    champion = rules.champion(routing)
    if action == STOP_CHALLENGERS and champion and routing["routes"] != [alone(champion)]:
        return rules.changed(routing, [alone(champion)], routing["previous"], at, reason)
    if action == STOP_MODEL and routing["routes"]:
        past = [champion] if champion else []
        return rules.changed(
            routing, [], past + routing["previous"], at, reason
        )  # a rollback lets the champion answer again
    return None


def alone(champion: dict) -> dict:
    return {**champion, "weight": 100}


def refusal(done: Done | None, *, now: str) -> str | None:
    """Why no training run may begin now; None where it may."""
    done = done or NOTHING
    standing = set(done["actions"]) - set(done.get("undone", []))
    # What is trained while the model is stopped would be released, and answer again as if nothing had been stopped.
    if done["month"] != calendar_month(now) or standing.isdisjoint((STOP_TRAINING, STOP_MODEL)):
        return None
    return (
        f"no training until {calendar_month(now)} is over: ${done['spent_usd']:,.2f} of the budget of ${done['budget_usd']:,.2f} was spent "
        f"by {done['at']}; `fairway resume` lets it train before"
    )
