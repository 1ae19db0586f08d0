"""A backtest: what `model_code/backtest` is given, what it returns, and how two of them differ."""

import math
from collections.abc import Mapping
from typing import NamedTuple, TypedDict

from domain.config.sections import SMALLER_IS_BETTER
from domain.release.state import Verdict
from domain.watch.scenarios import Scenario


class Order(TypedDict):
    """run.json of a backtest's folder, beside contract.json and config.json. Days are ISO dates in UTC."""

    history: str  # hash of the rows and of the contract that they were checked under
    loads: list[str]  # of the rows, oldest first
    first: str | None  # None: as soon as a whole window of rows lies before it
    until: str | None  # not included; None: to the end of the rows
    policies: list[str]  # of domain/watch/policies.py
    scenario: Scenario | None
    run_usd: float | None  # list price of a training run; None if it is not known
    evaluation_usd: float | None  # and of one that only evaluates


class Run(TypedDict):
    """A training run of a policy."""

    as_of: str
    why: str  # it was started
    verdict: str  # a Verdict, or `failed`
    release: str | None
    candidate: str | None
    reason: str  # of the verdict


class Alarm(TypedDict):
    """A finding that alarmed; `told` is the day on which it was found."""

    told: str
    window: str
    kind: str  # a Kind of domain/watch/verdict.py, or `loop guard`
    text: str


class Week(TypedDict):
    """Seven days of answers; figures that the task does not have are None."""

    week: str  # its first day
    answers: int
    wrong: int | None
    value_usd: float | None
    quality: float | None  # by the backtest's metric


class Tried(TypedDict):
    """What became of a policy."""

    policy: str
    answers: int
    by_model: int  # the others were answered with the prior
    metrics: dict[str, float]
    wrong: int | None
    value_usd: float | None
    training_usd: float | None
    net_usd: float | None  # value less training; serving and watching cost every policy the same
    runs: list[Run]
    evaluations: int  # that drift ordered; nothing was trained
    alarms: list[Alarm]
    windows: dict[str, int]  # by State
    weeks: list[Week]


class Backtest(TypedDict):
    """result.json of a backtest's folder."""

    history: str
    first: str
    until: str
    scenario: Scenario | None
    rows: int  # of the days between; each is a request
    task: str
    metric: str  # that `quality` is
    prior_usd: float | None  # value of answering every row with the prior
    policies: list[Tried]


class Difference(TypedDict):
    """A policy now against the same one before; None where either does not have the figure."""

    policy: str
    value_usd: float | None
    quality: float | None
    training_usd: float | None
    runs: int
    alarms: int


class NotComparable(ValueError):
    """Report that two backtests are of other rows or days; the message says which."""


def difference(now: Backtest, before: Backtest) -> list[Difference]:
    """Compare the policies that both have. Raises NotComparable."""
    for name in ("history", "first", "until", "metric"):
        if now[name] != before[name]:
            what = {"history": "rows or contract"}.get(name, name)
            raise NotComparable(
                f"{what} = {before[name]}: must be {now[name]}, as of this backtest; run it on the same rows and days"
            )
    earlier = {one["policy"]: one for one in before["policies"]}
    metric = now["metric"]
    return [_changed(one, earlier[one["policy"]], metric) for one in now["policies"] if one["policy"] in earlier]


def _changed(now: Tried, before: Tried, metric: str) -> Difference:
    return {
        "policy": now["policy"],
        "value_usd": _less(now["value_usd"], before["value_usd"]),
        "quality": _less(now["metrics"].get(metric), before["metrics"].get(metric)),
        "training_usd": _less(now["training_usd"], before["training_usd"]),
        "runs": len(now["runs"]) - len(before["runs"]),
        "alarms": len(now["alarms"]) - len(before["alarms"]),
    }


def _less(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before


def released(tried: Tried) -> int:
    """Count the runs that ended in a release."""
    return sum(run["verdict"] == Verdict.APPROVED for run in tried["runs"])


class Beyond(NamedTuple):
    """Dollars that a policy brought beyond another, with the standard error of that: weeks differ."""

    usd: float
    error: float


def beyond(tried: Tried, other: Tried) -> Beyond | None:
    """Compare the value of two policies week by week; None for a task without values."""
    gains = [
        week["value_usd"] - before["value_usd"]
        for week, before in zip(tried["weeks"], other["weeks"], strict=True)
        if week["value_usd"] is not None and before["value_usd"] is not None
    ]
    if not gains:
        return None
    mean = math.fsum(gains) / len(gains)
    spread = math.fsum((gain - mean) ** 2 for gain in gains) / max(len(gains) - 1, 1)
    return Beyond(math.fsum(gains), math.sqrt(spread * len(gains)))


def best_of(result: Backtest) -> Tried:
    """Return the policy of the greatest net value; for a task without values that of the best quality. Of equal ones
    the first, which has fewer runs.
    """
    return max(result["policies"], key=lambda tried: _merit(tried, result["metric"]))


def _merit(tried: Tried, metric: str) -> float:
    for figure in (tried["net_usd"], tried["value_usd"]):
        if figure is not None:
            return figure
    quality = _quality(tried["metrics"], metric)
    return -quality if metric in SMALLER_IS_BETTER else quality


def _quality(metrics: Mapping[str, float], metric: str) -> float:
    return metrics.get(metric, 0.0)
