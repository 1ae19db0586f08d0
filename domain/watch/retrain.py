"""Retrain when it pays: what follows from a window, by outcomes, costs, and what happened before.

The rule is one function of plain numbers, `decide`; `loss_of` reads the loss from the windows. A loss is measured
against what the release's own quality would bring on today's mix of outcomes: a season with fewer positives lowers the
value of an answer, and no training brings it back. Drift alone never retrains; it orders an evaluation.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist

from domain.config.sections import Business
from domain.money.schedule import HOURS_PER_MONTH, firings_per_month
from domain.money.worth import CELLS
from domain.release.state import GIVEN_UP, Measurement, ReleaseState, Verdict
from domain.runs import RunStatus, TrainItem
from domain.watch import decline
from domain.watch.decision import MOST_REJECTED, Action, Decision, Reason, Unit
from domain.watch.decline import FALSE_ALARMS
from domain.watch.verdict import Kind, Outcomes, State, WindowItem
from domain.watch.windows import windows_a_year

LEAST_NEW_ROWS = 0.1  # of a training window
DAYS_WITHOUT_A_SCHEDULE = 30.0  # that a loss is counted ahead where no training is scheduled
DAYS_OF_ROWS = 7  # whose answers say how many are to come: a week has its weekend
_CLASSES = (("true_positive", "false_negative"), ("true_negative", "false_positive"))  # right and wrong, by outcome
_PENDING = (
    ReleaseState.WAITING,
    ReleaseState.APPROVED,
    ReleaseState.DEPLOYING,
    ReleaseState.CANARY,
    ReleaseState.CHALLENGER,
)
_REFUSED = (ReleaseState.REJECTED, *GIVEN_UP)


@dataclass(frozen=True)
class Loss:
    """What an answer of the champion has lost since its release, by outcomes."""

    unit: Unit
    a_row: float
    low: float  # beyond chance over a year of windows; not above 0: none is shown
    outcomes: int
    since: str  # the first window that was counted
    has_declined: bool  # it is wrong more often, by the detector of decline.py


@dataclass(frozen=True)
class Before:
    """What happened before the window is decided on."""

    released_at: datetime | None = None  # the champion
    trained_at: datetime | None = None  # as_of of the newest run that trained, whoever started it
    rejected: int = 0  # candidates in a row, of runs that the loop started
    is_refused: bool = False  # new runs, by the budget's guard
    is_running: bool = False  # a training run
    is_on_its_way: bool = False  # the release of the newest run


@dataclass(frozen=True)
class Situation:
    """Everything that a decision rests on."""

    at: datetime
    window_days: int
    champion: str | None
    state: str  # of the window, a State
    drifted: tuple[str, ...]  # began to in the window
    loss: Loss | None  # without outcomes, or for numbers, none is known
    rows_ahead: float
    run_usd: float
    new_rows: int
    window_rows: int  # that a training learns from and is judged on
    before: Before

    @property
    def needed_rows(self) -> int:
        return math.ceil(LEAST_NEW_ROWS * self.window_rows)


def decide(now: Situation) -> Decision:
    """Decide what follows from a window."""
    action, reason = _unless_held(now, *_wanted(now))
    decision: Decision = {
        "action": action,
        "reason": reason,
        "rows_ahead": round(now.rows_ahead, 1),
        "run_usd": round(now.run_usd, 4),
        "new_rows": now.new_rows,
        "needed_rows": now.needed_rows,
        "rejected": now.before.rejected,
    }
    if now.champion:
        decision["champion"] = now.champion
    if now.drifted:
        decision["drifted"] = list(now.drifted)
    return _with_loss(decision, now)


def _with_loss(decision: Decision, now: Situation) -> Decision:
    loss = now.loss
    if loss is None:
        return decision
    told: Decision = {
        **decision,
        "unit": loss.unit,
        "loss": round(loss.a_row, 6),
        "loss_low": round(loss.low, 6),
        "since": loss.since,
        "outcomes": loss.outcomes,
    }
    if loss.unit is Unit.USD:
        told["gain_usd"] = round(_gain_usd(now), 4)
    return told


def _wanted(now: Situation) -> tuple[Action, Reason]:
    """Return what the window asks for, whatever happened before."""
    if now.champion is None:
        return Action.NOTHING, Reason.NO_CHAMPION
    if now.state == State.NO_DATA:
        return Action.NOTHING, Reason.NO_DATA
    if now.state == State.BROKEN:
        return Action.NOTHING, Reason.BROKEN_DATA
    if now.loss and _is_shown(now.loss):
        return _for_a_loss(now, now.loss)
    if now.drifted:
        return Action.EVALUATE, Reason.DRIFT
    unshown = now.loss is not None and now.loss.has_declined
    return Action.NOTHING, Reason.NOT_SHOWN if unshown else Reason.NO_LOSS


def _is_shown(loss: Loss) -> bool:
    """A loss of dollars by its bound; one of right answers by the detector, which has the budget of false alarms."""
    return loss.low > 0 if loss.unit is Unit.USD else loss.has_declined


def _for_a_loss(now: Situation, loss: Loss) -> tuple[Action, Reason]:
    if loss.unit is Unit.USD and _gain_usd(now) <= now.run_usd:
        return Action.NOTHING, Reason.TOO_SMALL
    if now.new_rows < max(now.needed_rows, 1):
        return Action.NOTHING, Reason.FEW_ROWS
    return Action.RETRAIN, Reason.LOSS if loss.unit is Unit.USD else Reason.DECLINE


def _gain_usd(now: Situation) -> float:
    return max(now.loss.low, 0.0) * now.rows_ahead if now.loss else 0.0


def _unless_held(now: Situation, action: Action, reason: Reason) -> tuple[Action, Reason]:
    """Hold what is wanted where the budget, a run, a release or the loop guard stands against it."""
    before = now.before
    if action is Action.NOTHING:
        return action, reason
    if before.is_refused:
        return Action.NOTHING, Reason.OVER_BUDGET
    if before.is_running:
        return Action.NOTHING, Reason.RUNNING
    if before.is_on_its_way:
        return Action.NOTHING, Reason.ON_ITS_WAY
    last = max((each for each in (before.released_at, before.trained_at) if each), default=None)
    if last and now.at <= last + timedelta(days=now.window_days):
        return Action.NOTHING, Reason.COOLDOWN
    if action is Action.RETRAIN and before.rejected >= MOST_REJECTED:
        return Action.STOPPED, Reason.LOOP_GUARD
    return action, reason


# ---- the loss, from windows


def _has_values(business: Business) -> bool:
    return any(getattr(business, f"{cell}_usd") for cell in CELLS)


def loss_of(
    windows: Sequence[WindowItem],
    champion: str,
    *,
    business: Business,
    decisions: Mapping[str, int] | None,
    wrong_at_release: float | None,
    window_days: int,
) -> Loss | None:
    """Measure what the champion has lost, by its windows whose outcomes have come; None where that is not known.

    `decisions` are its right and wrong ones on the rows that it was judged on, by CELLS. A decline is measured since it
    began, everything else in the newest window. Windows whose data are broken are left out.
    """
    closed = [item for item in windows if _is_closed(item, champion) and item["state"] != State.BROKEN]
    if not closed:
        return None
    newest = closed[-1]
    declined = [each for each in newest["findings"] if each["kind"] == Kind.DECLINE and each.get("release") == champion]
    since = declined[0]["since"] if declined else newest["run"]
    seen = [item["outcomes"][champion] for item in closed if item["run"] >= since]
    z = _standard_errors(window_days)
    outcomes, cells = sum(one["outcomes"] for one in seen), _added(seen)
    if decisions and cells and _has_values(business):
        a_row, low = lost_usd(business, decisions, cells, z=z)
        return Loss(Unit.USD, a_row, low, outcomes, since, bool(declined))
    if wrong_at_release is None:
        return None
    a_row, low = _lost_share(wrong_at_release, sum(one["wrong"] for one in seen), outcomes, z=z)
    return Loss(Unit.WRONG, a_row, low, outcomes, since, bool(declined))


def loss_on_newer_rows(
    newest: Measurement, *, business: Business, decisions: Mapping[str, int] | None, window_days: int
) -> Loss | None:
    """Measure what the champion has lost by its newest evaluation, where no outcomes of its answers are known.

    None unless decisions were counted, then and now.
    """
    cells = newest.get("decisions")
    if not decisions or not cells:
        return None
    z, rows, wrong = _standard_errors(window_days), sum(cells.values()), _wrong(cells)
    seen = decline.after(decline.begin(_wrong(decisions), sum(decisions.values())), wrong, rows)
    since, declined = newest["evaluate_start"][:10], decline.is_alarm(seen, windows=windows_a_year(window_days))
    if _has_values(business):
        a_row, low = lost_usd(business, decisions, cells, z=z)
        return Loss(Unit.USD, a_row, low, rows, since, declined)
    a_row, low = _lost_share(_wrong(decisions) / sum(decisions.values()), wrong, rows, z=z)
    return Loss(Unit.WRONG, a_row, low, rows, since, declined)


def _standard_errors(window_days: int) -> float:
    """Return how many are beyond chance: one chance in twenty for a year of windows, on one side."""
    return NormalDist().inv_cdf(1 - FALSE_ALARMS / windows_a_year(window_days))


def _wrong(cells: Mapping[str, int]) -> int:
    return sum(cells[wrong] for _, wrong in _CLASSES)


def lost_usd(business: Business, then: Mapping[str, int], now: Mapping[str, int], *, z: float) -> tuple[float, float]:
    """Return the dollars that an answer has lost, and their lower bound.

    Both are of how often each outcome is recognised, weighted by today's share of that outcome, so that a mere change
    of the mix is no loss. The bound is `z` standard errors of both samples below; for the error each counts one right
    and one wrong decision more, so that none is taken to be certain.
    """
    total, mean, variance = sum(now.values()), 0.0, 0.0
    for right, wrong in _CLASSES:
        share = (now[right] + now[wrong]) / total
        worth = share * (getattr(business, f"{right}_usd") - getattr(business, f"{wrong}_usd"))
        mean += worth * (_rate(then, right, wrong)[0] - _rate(now, right, wrong)[0])
        variance += worth**2 * (_rate(then, right, wrong)[1] + _rate(now, right, wrong)[1])
    return mean, mean - z * math.sqrt(variance)


def _rate(counts: Mapping[str, int], right: str, wrong: str) -> tuple[float, float]:
    """Return how often an outcome is recognised, and the variance of that."""
    rows = counts[right] + counts[wrong]
    smooth = (counts[right] + 1) / (rows + 2)
    return counts[right] / rows if rows else smooth, smooth * (1 - smooth) / (rows + 2)


def _lost_share(then: float, wrong: int, outcomes: int, *, z: float) -> tuple[float, float]:
    now, smooth = wrong / outcomes, (wrong + 1) / (outcomes + 2)
    return now - then, now - then - z * math.sqrt(smooth * (1 - smooth) / (outcomes + 2))


def _is_closed(item: WindowItem, champion: str) -> bool:
    known = item["outcomes"].get(champion)
    return known is not None and not known["is_open"] and known["outcomes"] > 0


def _added(seen: Sequence[Outcomes]) -> dict[str, int] | None:
    """Add up right and wrong decisions; None for a task that has none."""
    if not all("decisions" in one for one in seen):
        return None
    return {cell: sum(one["decisions"][cell] for one in seen) for cell in CELLS}


# ---- what is to come, and what was before


def newly_drifted(item: WindowItem) -> tuple[str, ...]:
    """Name what began to drift in the window: columns, and the answers."""
    kinds = (Kind.FEATURE, Kind.PREDICTION)
    found = [each for each in item["findings"] if each["kind"] in kinds and each["since"] == item["run"]]
    return tuple(dict.fromkeys(each.get("column", "answers") for each in found))


def rows_ahead(windows: Sequence[WindowItem], *, window_days: int, days: float) -> float:
    """Return the answers of so many days, if they come as they did in the newest windows, a week of them."""
    newest = windows[-max(1, round(DAYS_OF_ROWS / window_days)) :]
    return sum(item["rows"] for item in newest) / (len(newest) * window_days) * days if newest else 0.0


def days_until_training(schedule: str, *, trained_at: datetime | None, now: datetime) -> float:
    """Return the days until the next scheduled training; Scheduler counts from the last one, and so does this."""
    if not (runs := firings_per_month(schedule)):
        return DAYS_WITHOUT_A_SCHEDULE
    period = HOURS_PER_MONTH / 24 / runs
    passed = (now - trained_at) / timedelta(days=1) if trained_at else 0.0
    return period - max(passed, 0.0) % period


def rejected_in_a_row(
    windows: Sequence[WindowItem], runs: Mapping[str, TrainItem], states: Mapping[str, str], *, since: str = ""
) -> int:
    """Count the newest retrainings of the loop, begun after `since`, that brought no release; one under way does not
    count.

    `runs` are training runs by name, `states` those of the releases.
    """
    decided = [item["decision"] for item in reversed(windows) if "decision" in item]
    ours = [one.get("run", "") for one in decided if one["action"] == Action.RETRAIN]
    count = 0
    for run in (runs[name] for name in ours if name in runs):
        state = states.get(run.get("release", ""), "")
        if _began(run) <= since:
            break
        if run["status"] == RunStatus.RUNNING or state in _PENDING:
            continue
        if not (run["status"] == RunStatus.FAILED or run.get("verdict") == Verdict.REJECTED or state in _REFUSED):
            break
        count += 1
    return count


def is_on_its_way(runs: Iterable[TrainItem], states: Mapping[str, str]) -> bool:
    """Whether the release of the newest run was approved and does not answer everybody yet."""
    newest = max(runs, key=_began, default=None)
    return newest is not None and states.get(newest.get("release", ""), "") in _PENDING


def _began(run: TrainItem) -> str:
    """Return when a run began; one that was refused at once has only its end."""
    return run.get("started_at", run.get("finished_at", ""))
