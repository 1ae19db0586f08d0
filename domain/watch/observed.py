"""A release by its outcomes: those that were joined to its predictions."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.config.sections import SMALLER_IS_BETTER, Benchmarks
from domain.money.worth import CELLS
from domain.release.comparison import at_least_as_good
from domain.request.outcomes import LEAST_OUTCOMES, Z_95
from domain.watch.quality import Quality, measure

Outcome = Mapping[str, Any]  # item of the outcomes table, joined to a prediction of a model


@dataclass(frozen=True)
class Observed:
    """Outcomes of a release; quality is None if they are too few or do not determine it."""

    outcomes: int
    metric: str
    quality: float | None = None
    standard_error: float | None = None
    decisions: dict[str, int] | None = None  # by CELLS, of a binary task

    @property
    def is_enough(self) -> bool:
        return self.outcomes >= LEAST_OUTCOMES


def observe(task: str, metric: str, outcomes: Iterable[Outcome]) -> Observed:
    """Measure a release by its joined outcomes."""
    joined = list(outcomes)
    quality = _quality(task, metric, joined) if len(joined) >= LEAST_OUTCOMES else None
    value, error = quality or (None, None)
    return Observed(len(joined), metric, value, error, _decisions(joined) if task == "binary" else None)


def breaks(benchmarks: Benchmarks, observed: Observed) -> str:
    """Describe how outcomes show that quality is below what was agreed, beyond chance (95 of 100); empty if they do
    not.
    """
    value, agreed, metric = observed.quality, benchmarks.quality, benchmarks.metric
    if value is None or not agreed:
        return ""
    slack = Z_95 * (observed.standard_error or 0.0)
    smaller = metric in SMALLER_IS_BETTER
    if at_least_as_good(metric, value - slack if smaller else value + slack, agreed):
        return ""
    word = "most" if smaller else "least"
    return f"{metric} {value:.4f} of {observed.outcomes:,} outcomes, at {word} {agreed:g} was agreed"


def _quality(task: str, metric: str, joined: list[Outcome]) -> Quality | None:
    if task == "binary":
        known = [one for one in joined if one.get("probability") is not None]
        return measure(metric, [_happened(one) for one in known], [one["probability"] for one in known])
    return (
        None
        if task == "multiclass" and metric == "log_loss"
        else measure(metric, [one["outcome"] for one in joined], [one["prediction"] for one in joined])
    )


def _happened(one: Outcome) -> bool:
    """Return whether the positive class came true."""
    return bool(one["prediction"] == one["correct"])


def _decisions(joined: list[Outcome]) -> dict[str, int]:
    counts = Counter(
        f"{str(one['correct']).lower()}_{'positive' if one['prediction'] else 'negative'}" for one in joined
    )
    return {cell: counts[cell] for cell in CELLS}
