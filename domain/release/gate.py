"""The gate: which candidate is best by the agreed benchmarks, and whether it may be released."""

from collections.abc import Mapping
from typing import Any, TypedDict

from domain.carried import MOST_CARRIED_MB
from domain.config.sections import SMALLER_IS_BETTER, Benchmarks
from domain.release.choice import why
from domain.release.comparison import at_least_as_good, best_of, gain_of
from domain.release.evaluation import Candidate, Evaluation, Measured
from domain.release.state import Verdict
from domain.release.tally import Rates, in_words, rates
from domain.train.coverage import Coverage, staleness
from domain.train.windows import Window


class Judgement(TypedDict):
    """verdict.json of a run: the candidate that was chosen, or the best of the rejected ones."""

    verdict: str  # a Verdict
    candidate: str
    release: str
    reason: str
    why: str  # why this candidate was chosen, in words
    answers: str  # correct and wrong answers, in words
    rates: Rates | None  # of a binary task
    threshold: float
    metrics: dict[str, float]
    p99_ms: float
    size_mb: float
    artefact_sha256: str
    model_uri: str
    decisions: dict[str, int] | None
    rows: int
    window: Window
    coverage: Coverage | None
    tried: dict[str, list[str]]  # benchmarks that each candidate breaks, in words


Worths = Mapping[str, Mapping[str, Any]]  # by candidate, as domain/money/worth.py judges


def judge(
    benchmarks: Benchmarks,
    evaluation: Evaluation,
    *,
    worth: Worths | None = None,
    max_age_days: float = 0,
    in_function: bool = False,
) -> Judgement:
    """Judge the candidates of an evaluation.

    `worth` is required if settings demand that a model pays for itself. With `in_function` the release answers in a
    function, which not every model can. Rows older than `max_age_days` at the run's as_of approve nothing; 0 allows any
    age. Of the candidates that keep every benchmark and beat the prior, and beat the champion by more than the gain's
    standard error, those within one standard error of the best count as equally good (the one-standard-error rule of
    Breiman et al., 1984); the fastest of them is chosen, of equally fast ones the smallest.
    """
    candidates, metric = evaluation["candidates"], benchmarks.metric
    tried = {
        name: breaches(benchmarks, measured) + (_not_carried(measured) if in_function else [])
        for name, measured in candidates.items()
    }
    faults = {
        name: "; ".join(broken) or _objection(benchmarks, name, evaluation, worth) for name, broken in tried.items()
    }
    passed = {name: candidates[name] for name, broken in tried.items() if not broken}
    better = {name: measured for name, measured in passed.items() if not faults[name]}
    rejected = Verdict.REJECTED
    if stale := _against_age(evaluation, max_age_days):
        verdict, chosen, reason = rejected, best_of(metric, candidates), stale
    elif not passed:
        verdict, chosen = rejected, best_of(metric, candidates)
        reason = f"no candidate keeps the benchmarks; the best, {chosen}: {faults[chosen]}"
    elif not better:
        verdict, chosen = rejected, best_of(metric, passed)
        reason = faults[chosen]
    else:
        verdict, chosen = Verdict.APPROVED, _fastest_of_the_best(metric, better)
        reason = _approval(benchmarks, chosen, evaluation)
    return _judgement(verdict, chosen, reason, evaluation, tried, faults)


def breaches(benchmarks: Benchmarks, measured: Measured) -> list[str]:
    """Describe each benchmark that the candidate breaks."""
    metric, quality = benchmarks.metric, measured["metrics"][benchmarks.metric]
    broken = []
    if benchmarks.quality and not at_least_as_good(metric, quality, benchmarks.quality):
        word = "at most" if metric in SMALLER_IS_BETTER else "at least"
        broken.append(f"{metric} {quality:.4f}, {word} {benchmarks.quality} was agreed")
    broken += _calibration_breach(benchmarks, measured)
    limits = (
        ("p99", measured["p99_ms"], benchmarks.p99_ms, " ms"),
        ("size", measured["size_mb"], benchmarks.size_mb, " MB"),
    )
    broken += [
        f"{name} {value:.4g}{unit}, at most {most}{unit} was agreed"
        for name, value, most, unit in limits
        if value > most
    ]
    return broken


def _not_carried(measured: Measured) -> list[str]:
    """Describe why a function cannot answer with the model (lambdas/aws/artefacts.py); empty if it can."""
    setting = 'serving.mode = "function"'
    faults = []
    if measured["format"] != "plan":
        faults.append(f"format = {measured['format']}: must be plan with {setting}")
    if measured["size_mb"] > MOST_CARRIED_MB:
        faults.append(f"size {measured['size_mb']:.4g} MB, at most {MOST_CARRIED_MB} MB answer with {setting}")
    return faults


def _calibration_breach(benchmarks: Benchmarks, measured: Measured) -> list[str]:
    """Describe a calibration error above both the agreed limit and what chance explains for so many rows."""
    error, agreed = measured["metrics"].get("calibration_error"), benchmarks.calibration_error
    by_chance = measured.get("calibration_by_chance", 0.0)
    if error is None or error <= max(agreed, by_chance):
        return []
    few = f", and chance explains at most {by_chance:.4g}" if by_chance > agreed else ""
    return [f"calibration error {error:.4g}, at most {agreed} was agreed{few}"]


def _fastest_of_the_best(metric: str, candidates: Mapping[str, Candidate]) -> str:
    best = candidates[best_of(metric, candidates)]
    slack = best["standard_error"]
    equals = [
        name
        for name, measured in candidates.items()
        if gain_of(metric, best["metrics"][metric], measured["metrics"][metric]) <= slack
    ]
    return min(equals, key=lambda name: (candidates[name]["p99_ms"], candidates[name]["size_mb"], name))


def _objection(benchmarks: Benchmarks, chosen: str, evaluation: Evaluation, worth: Worths | None) -> str:
    """Return the reason not to release a candidate that keeps every benchmark; empty if there is none."""
    return (
        _against_baseline(benchmarks.metric, chosen, evaluation)
        or _against_champion(benchmarks, chosen, evaluation)
        or (_against_its_cost(chosen, worth[chosen]) if worth else "")
    )


def _against_age(evaluation: Evaluation, max_age_days: float) -> str:
    coverage = evaluation["coverage"]
    return staleness(coverage, evaluation["window"], max_age_days) if coverage else ""


def _against_its_cost(chosen: str, worth: Mapping[str, Any]) -> str:
    if worth["positive"]:
        return ""
    required = "required by budget.require_positive_value"
    return f"{chosen}: value not shown to exceed cost ({required}). {worth['sentence']}"


def _against_baseline(metric: str, chosen: str, evaluation: Evaluation) -> str:
    value, prior = evaluation["candidates"][chosen]["metrics"][metric], evaluation["baseline"][metric]
    if gain_of(metric, value, prior) > 0:
        return ""
    return f"{chosen} has {metric} {value:.4f}, no better than answering with the prior ({prior:.4f})"


def _against_champion(benchmarks: Benchmarks, chosen: str, evaluation: Evaluation) -> str:
    current, metric = evaluation["champion"], benchmarks.metric
    if current is None:
        return ""
    candidate = evaluation["candidates"][chosen]
    if candidate["artefact_sha256"] == current["artefact_sha256"]:
        return f"{chosen} is identical to the current champion {current['release']}"
    value, other = candidate["metrics"][metric], current["metrics"][metric]
    needed = _too_small(gain_of(metric, value, other), current["gain_errors"][chosen], benchmarks.gain)
    return needed and (
        f"{chosen} has {metric} {value:.4f} against {other:.4f} of the champion {current['release']} on the same "
        f"{evaluation['rows']:,} rows; {needed}"
    )


def _too_small(gain: float, error: float, agreed: float) -> str:
    """Describe a gain that chance explains or that is below the agreed one; empty if it is neither."""
    if gain <= error:
        return f"a gain of {gain:+.4f} does not exceed its standard error, {error:.4f}"
    if gain < agreed:
        return f"a gain of {agreed} was agreed, this is {gain:+.4f}"
    return ""


def _approval(benchmarks: Benchmarks, chosen: str, evaluation: Evaluation) -> str:
    measured, metric, current = evaluation["candidates"][chosen], benchmarks.metric, evaluation["champion"]
    quality = measured["metrics"][metric]
    against = (
        f"{gain_of(metric, quality, current['metrics'][metric]):+.4f} (standard error "
        f"{current['gain_errors'][chosen]:.4f}) better than the champion {current['release']}"
        if current
        else f"against {evaluation['baseline'][metric]:.4f} of the prior, no champion yet"
    )
    return (
        f"{chosen} keeps every benchmark: {metric} {quality:.4f} on {_rows(evaluation)}, {against}; "
        f"p99 {measured['p99_ms']:.3g} ms, {measured['size_mb']:.3g} MB{_by_chance(benchmarks, measured)}"
    )


def _by_chance(benchmarks: Benchmarks, measured: Measured) -> str:
    """Describe a calibration error above the agreed limit that is within what chance explains for so many rows."""
    error = measured["metrics"].get("calibration_error", 0.0)
    if error <= benchmarks.calibration_error:
        return ""
    agreed = f"above the {benchmarks.calibration_error} that was agreed"
    return f"; calibration error {error:.4g}, {agreed} but within chance ({measured['calibration_by_chance']:.4g})"


def _rows(evaluation: Evaluation) -> str:
    """Describe how the rows were held out: a table without event time has no later rows."""
    return f"{evaluation['rows']:,} {'later rows' if evaluation['coverage'] else 'rows held out at random'}"


def _judgement(
    verdict: Verdict,
    candidate: str,
    reason: str,
    evaluation: Evaluation,
    tried: dict[str, list[str]],
    faults: Mapping[str, str],
) -> Judgement:
    measured = evaluation["candidates"][candidate]
    counts = measured.get("decisions")
    return {
        "verdict": verdict.value,
        "candidate": candidate,
        "release": release_name(evaluation["window"]["as_of"], measured["artefact_sha256"]),
        "reason": reason,
        "why": why(candidate, evaluation, faults),
        "answers": in_words(measured, evaluation["threshold"]),
        "rates": rates(counts) if counts else None,
        "threshold": evaluation["threshold"],
        "metrics": measured["metrics"],
        "p99_ms": measured["p99_ms"],
        "size_mb": measured["size_mb"],
        "artefact_sha256": measured["artefact_sha256"],
        "model_uri": measured["model_uri"],
        "decisions": counts,
        "rows": evaluation["rows"],
        "window": evaluation["window"],
        "coverage": evaluation["coverage"],
        "tried": tried,
    }


def release_name(as_of: str, artefact_sha256: str) -> str:
    """Name a release r-<end of its data>-<hash of its artefact>, so that an artefact always has the same name."""
    return f"r-{as_of[:10].replace('-', '')}-{artefact_sha256[:8]}"
