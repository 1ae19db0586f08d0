"""What follows from a window: nothing, an evaluation, a retraining, or a person is asked; with its reason and numbers.

The rule is in retrain.py; this is what it decides, as it is kept beside the window, and in words.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NotRequired, TypedDict

MOST_REJECTED = 2  # candidates in a row, of runs that the loop started: then a person has to look


class Action(StrEnum):
    """What is to happen."""

    NOTHING = "nothing"
    EVALUATE = "evaluate"  # the champion, and the candidates of its run, on the newest rows; nothing is trained
    RETRAIN = "retrain"
    STOPPED = "stopped"  # it would retrain, and is stopped by the loop guard


class Reason(StrEnum):
    """Why."""

    NO_CHAMPION = "no champion"
    NO_DATA = "no data"
    BROKEN_DATA = "broken data"
    NO_LOSS = "no loss"
    NOT_SHOWN = "loss not shown"  # it is wrong more often, but what that costs is not beyond chance
    TOO_SMALL = "loss too small"  # to pay for a run
    FEW_ROWS = "few new rows"
    OVER_BUDGET = "budget spent"  # the guard refuses training runs
    RUNNING = "run in progress"
    ON_ITS_WAY = "release on its way"
    COOLDOWN = "cooldown"
    DRIFT = "drift"
    DECLINE = "decline"  # where [business] has no values
    LOSS = "loss"
    LOOP_GUARD = "loop guard"


class Unit(StrEnum):
    """What a loss is counted in."""

    USD = "usd"  # dollars an answer
    WRONG = "wrong answers"  # share of them


class Decision(TypedDict):
    """A decision with the numbers that it rests on; those that were not known are left out."""

    action: str  # an Action
    reason: str  # a Reason
    champion: NotRequired[str]
    drifted: NotRequired[list[str]]  # columns, and answers, that began to drift in the window
    unit: NotRequired[str]  # a Unit; of the two losses
    loss: NotRequired[float]  # of an answer
    loss_low: NotRequired[float]  # its lower bound
    since: NotRequired[str]  # the first of the windows whose outcomes were counted
    outcomes: NotRequired[int]
    rows_ahead: float  # answers until the next scheduled training
    gain_usd: NotRequired[float]  # loss_low times rows_ahead
    run_usd: float  # what a training run and its release cost
    new_rows: int  # labelled, since the newest training
    needed_rows: int
    rejected: int  # candidates in a row, of runs that the loop started


class Carried(StrEnum):
    """Whether an evaluation or a retraining that was decided is also started."""

    STARTED = "started"
    MANUAL = "manual"  # monitoring.retrain: a person starts it
    PAUSED = "paused"  # `fairway watch pause`


class Decided(Decision):
    """The decision of a window, in its item."""

    as_of: str
    carried: NotRequired[str]  # a Carried, of an evaluation or a retraining
    run: NotRequired[str]  # that was started


class Loop(TypedDict, total=False):
    """Item of the routing table: when people stopped and started the loop."""

    paused_at: str
    resumed_at: str


def is_paused(loop: Loop) -> bool:
    return loop.get("paused_at", "") > loop.get("resumed_at", "")


# ---- in words


def in_words(decision: Decision) -> str:
    """Write the decision in one sentence, with the numbers that decided."""
    return f"{decision['action']}: {_WORDS[Reason(decision['reason'])](decision)}"


def _said(text: str) -> Callable[[Decision], str]:
    return lambda decision: text


def _loss(decision: Decision) -> str:
    since, outcomes = decision["since"], decision["outcomes"]
    if decision["unit"] == Unit.WRONG:
        points = f"{100 * decision['loss']:.1f} points (at least {100 * decision['loss_low']:.1f})"
        return f"since {since}, {points} more of the answers are wrong than at release, by {outcomes:,} outcomes"
    worth = f"${decision['loss']:,.2f} less (at least ${decision['loss_low']:,.2f})"
    return f"since {since} an answer is worth {worth} than the release's quality would bring, by {outcomes:,} outcomes"


def _gain(decision: Decision) -> str:
    if "gain_usd" not in decision:
        return f"{_loss(decision)}; a run costs ${decision['run_usd']:,.2f}"
    ahead = f"{decision['rows_ahead']:,.0f} answers until the next scheduled training"
    gain = f"at least ${decision['gain_usd']:,.2f} over {ahead}"
    return f"{_loss(decision)}, which is {gain}; a run costs ${decision['run_usd']:,.2f}"


def _new_rows(decision: Decision) -> str:
    rows = f"{decision['new_rows']:,} labelled rows are newer than the last training"
    return f"{rows}, and {decision['needed_rows']:,} are needed"


def _drift(decision: Decision) -> str:
    return f"{', '.join(decision['drifted'])} began to drift; an evaluation on the newest rows shows what that means"


_WORDS: dict[Reason, Callable[[Decision], str]] = {
    Reason.NO_CHAMPION: _said("no release answers yet"),
    Reason.NO_DATA: _said("the window has no answers"),
    Reason.BROKEN_DATA: _said("rows of the window broke the contract, so nothing is concluded from it"),
    Reason.NO_LOSS: _said("no loss is shown"),
    Reason.NOT_SHOWN: lambda decision: f"{_loss(decision)}, which chance explains",
    Reason.TOO_SMALL: _gain,
    Reason.FEW_ROWS: lambda decision: f"{_loss(decision)}; {_new_rows(decision)}",
    Reason.OVER_BUDGET: _said("the budget's guard refuses new runs; `fairway resume` allows them"),
    Reason.RUNNING: _said("a training run is in progress"),
    Reason.ON_ITS_WAY: _said("the release of the last run is on its way, or waits for approval"),
    Reason.COOLDOWN: _said("the last training or release was less than a window ago"),
    Reason.DRIFT: _drift,
    Reason.DECLINE: _gain,
    Reason.LOSS: lambda decision: f"{_gain(decision)}; {_new_rows(decision)}",
    Reason.LOOP_GUARD: lambda decision: (
        f"{_loss(decision)}, but {decision['rejected']} candidates in a row were rejected, so a person has to look"
    ),
}
