"""The gate: which candidate is best under the benchmarks agreed beforehand, and may it be released?

An evaluation is what `model_code/evaluate.py` measured, every model on the same rows:

    {"metric", "rows", "window": {"train_start", "evaluate_start", "as_of"}, "baseline": {metric: value of the prior},
     "candidates": {name: {"metrics": {...}, "standard_error", "p50_ms", "p99_ms", "size_mb", "artefact_sha256", "model_uri"}},
     "champion": {"release", "metrics": {...}, ...} or None}

Of a binary task each model also has its "decisions": the counts of domain/money/worth.py, at serving.threshold.
"""

from domain.config.sections import SMALLER_IS_BETTER, Benchmarks


def judge(benchmarks: Benchmarks, evaluation: dict, *, worth: dict | None = None) -> dict:
    """{verdict: approved|rejected, candidate, release, reason, metrics, artefact_sha256, tried: {candidate: breaches}}.

    `worth` is what each candidate brings against what it costs (domain/money/worth.py), where settings require it to
    pay.

    Of the candidates that keep every benchmark and beat both the prior and the champion, those within one standard
    error of the best are as good as each other (the one-standard-error rule of Breiman et al., 1984); of these the
    fastest is taken.
    """
    candidates = evaluation["candidates"]
    tried = {name: breaches(benchmarks, measured) for name, measured in candidates.items()}
    passed = [name for name, broken in tried.items() if not broken]
    if not passed:
        best = best_of(benchmarks.metric, candidates)
        reason = f"no candidate keeps the benchmarks; the best, {best}: {'; '.join(tried[best])}"
        return verdict("rejected", best, reason, evaluation, tried)
    objections = {name: objection(benchmarks, name, evaluation, worth) for name in passed}
    better = [name for name in passed if not objections[name]]
    if not better:
        best = best_of(benchmarks.metric, {name: candidates[name] for name in passed})
        return verdict("rejected", best, objections[best], evaluation, tried)
    chosen = fastest_of_the_best(benchmarks.metric, {name: candidates[name] for name in better})
    return verdict("approved", chosen, approval(benchmarks, chosen, evaluation), evaluation, tried)


def breaches(benchmarks: Benchmarks, measured: dict) -> list[str]:
    """Each benchmark the candidate breaks, in words."""
    metric, quality = benchmarks.metric, measured["metrics"][benchmarks.metric]
    found = []
    if benchmarks.quality and not at_least_as_good(metric, quality, benchmarks.quality):
        word = "at most" if metric in SMALLER_IS_BETTER else "at least"
        found.append(f"{metric} {quality:.4f}, {word} {benchmarks.quality} was agreed")
    limits = (
        ("calibration error", measured["metrics"].get("calibration_error"), benchmarks.calibration_error, ""),
        ("p99", measured["p99_ms"], benchmarks.p99_ms, " ms"),
        ("size", measured["size_mb"], benchmarks.size_mb, " MB"),
    )
    found += [
        f"{what} {value:.4g}{unit}, at most {most}{unit} was agreed"
        for what, value, most, unit in limits
        if value is not None and value > most
    ]
    return found


def at_least_as_good(metric: str, value: float, other: float) -> bool:
    return value <= other if metric in SMALLER_IS_BETTER else value >= other


def gain(metric: str, value: float, other: float) -> float:
    """How much better `value` is than `other`; negative when it is worse."""
    return other - value if metric in SMALLER_IS_BETTER else value - other


def best_of(metric: str, candidates: dict) -> str:
    return max(candidates, key=lambda name: gain(metric, candidates[name]["metrics"][metric], 0.0))


def fastest_of_the_best(metric: str, candidates: dict) -> str:
    best = candidates[best_of(metric, candidates)]
    slack = best.get("standard_error") or 0.0
    equals = [
        name
        for name, measured in candidates.items()
        if gain(metric, best["metrics"][metric], measured["metrics"][metric]) <= slack
    ]
    return min(equals, key=lambda name: (candidates[name]["p99_ms"], name))


def objection(benchmarks: Benchmarks, chosen: str, evaluation: dict, worth: dict | None) -> str:
    """Why a candidate that keeps every benchmark is not released all the same; empty if nothing speaks against it."""
    return (
        against_baseline(benchmarks.metric, chosen, evaluation)
        or against_champion(benchmarks, chosen, evaluation)
        or (against_its_cost(chosen, worth[chosen]) if worth else "")
    )


def against_its_cost(chosen: str, worth: dict) -> str:
    if worth["positive"]:
        return ""
    return f"{chosen} is not shown to bring more than it costs, which budget.require_positive_value asks for. {worth['sentence']}"


def against_baseline(metric: str, chosen: str, evaluation: dict) -> str:
    value, prior = evaluation["candidates"][chosen]["metrics"][metric], evaluation["baseline"][metric]
    if gain(metric, value, prior) > 0:
        return ""
    return f"{chosen} has {metric} {value:.4f}, no better than answering with the prior ({prior:.4f})"


def against_champion(benchmarks: Benchmarks, chosen: str, evaluation: dict) -> str:
    current, metric = evaluation["champion"], benchmarks.metric
    if current is None:
        return ""
    candidate = evaluation["candidates"][chosen]
    if candidate["artefact_sha256"] == current["artefact_sha256"]:
        return f"{chosen} is the very artefact that the champion {current['release']} serves already"
    value, other = candidate["metrics"][metric], current["metrics"][metric]
    better = gain(metric, value, other)
    if better >= benchmarks.gain:
        return ""
    return (
        f"{chosen} has {metric} {value:.4f} against {other:.4f} of the champion {current['release']} on the same "
        f"{evaluation['rows']:,} rows; a gain of {benchmarks.gain} was agreed, this is {better:+.4f}"
    )


def approval(benchmarks: Benchmarks, chosen: str, evaluation: dict) -> str:
    measured, metric, current = evaluation["candidates"][chosen], benchmarks.metric, evaluation["champion"]
    against = (
        f"{gain(metric, measured['metrics'][metric], current['metrics'][metric]):+.4f} better than the champion {current['release']}"
        if current
        else f"against {evaluation['baseline'][metric]:.4f} of the prior, no champion yet"
    )
    return (
        f"{chosen} keeps every benchmark: {metric} {measured['metrics'][metric]:.4f} on {evaluation['rows']:,} later rows, {against}; "
        f"p99 {measured['p99_ms']:.3g} ms, {measured['size_mb']:.3g} MB"
    )


def verdict(word: str, candidate: str, reason: str, evaluation: dict, tried: dict) -> dict:
    measured = evaluation["candidates"][candidate]
    return {
        "verdict": word,
        "candidate": candidate,
        "release": release_name(evaluation["window"]["as_of"], measured["artefact_sha256"]),
        "reason": reason,
        "metrics": measured["metrics"],
        "p99_ms": measured["p99_ms"],
        "size_mb": measured["size_mb"],
        "artefact_sha256": measured["artefact_sha256"],
        "model_uri": measured["model_uri"],
        "decisions": measured.get("decisions"),
        "tried": tried,
    }


def release_name(as_of: str, artefact_sha256: str) -> str:
    """r-<date the model knows the world up to>-<what it is>: the same artefact always has the same name."""
    return f"r-{as_of[:10].replace('-', '')}-{artefact_sha256[:8]}"
