"""Values of a metric, compared in the direction that is better for it."""

from collections.abc import Mapping

from domain.config.sections import SMALLER_IS_BETTER
from domain.release.evaluation import Candidate


def at_least_as_good(metric: str, value: float, other: float) -> bool:
    """Compare two values of a metric in the direction that is better for it."""
    return value <= other if metric in SMALLER_IS_BETTER else value >= other


def gain_of(metric: str, value: float, other: float) -> float:
    """Return how much better `value` is than `other`; negative when it is worse."""
    return other - value if metric in SMALLER_IS_BETTER else value - other


def best_of(metric: str, candidates: Mapping[str, Candidate]) -> str:
    return max(sorted(candidates), key=lambda name: gain_of(metric, candidates[name]["metrics"][metric], 0.0))
