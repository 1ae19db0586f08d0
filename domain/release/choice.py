"""Why a candidate was chosen among those that were tried, in words."""

from collections.abc import Mapping

from domain.release.comparison import best_of, gain_of
from domain.release.evaluation import Evaluation


def why(chosen: str, evaluation: Evaluation, faults: Mapping[str, str]) -> str:
    """Explain for each other candidate why it was not chosen; `faults` are empty for those that may be released."""
    others = [name for name in evaluation["candidates"] if name != chosen]
    if not others:
        return f"{chosen} was the only candidate"
    against = "; ".join(_against(name, chosen, evaluation, faults) for name in others)
    return f"of {len(others) + 1} candidates, {chosen} was chosen: {against}"


def _against(name: str, chosen: str, evaluation: Evaluation, faults: Mapping[str, str]) -> str:
    if faults[name]:
        return f"{name} is excluded ({faults[name].removeprefix(f'{name} ')})"
    metric, candidates = evaluation["metric"], evaluation["candidates"]
    value, won = candidates[name]["metrics"][metric], candidates[chosen]["metrics"][metric]
    may = {each: measured for each, measured in candidates.items() if not faults[each]}
    slack = candidates[best_of(metric, may)]["standard_error"]
    ahead = gain_of(metric, won, value)
    apart = f"{abs(ahead):.4f} {'behind' if ahead >= 0 else 'ahead'}"
    if gain_of(metric, candidates[best_of(metric, may)]["metrics"][metric], value) > slack:
        return f"{name} has {metric} {value:.4f}, {apart}"
    return (
        f"{name} has {metric} {value:.4f}, {apart}, which is within a standard error of the best ({slack:.4f}), "
        f"and is slower (p99 {candidates[name]['p99_ms']:.3g} ms against {candidates[chosen]['p99_ms']:.3g} ms)"
    )
