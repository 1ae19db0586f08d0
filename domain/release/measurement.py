"""Later measurements of the champion: each training run evaluates it on rows newer than those of its release."""

from domain.config.sections import Benchmarks
from domain.release.evaluation import Evaluation
from domain.release.gate import breaches
from domain.release.state import Measurement


def measure_champion(benchmarks: Benchmarks, evaluation: Evaluation, *, run: str) -> Measurement | None:
    """Judge the champion by the same benchmarks as candidates; None if the run evaluated no champion."""
    champion, window = evaluation["champion"], evaluation["window"]
    if champion is None:
        return None
    measured: Measurement = {
        "release": champion["release"],
        "run": run,
        "rows": evaluation["rows"],
        "evaluate_start": window["evaluate_start"],
        "as_of": window["as_of"],
        "metrics": champion["metrics"],
        "standard_error": champion["standard_error"],
        "p99_ms": champion["p99_ms"],
        "size_mb": champion["size_mb"],
        "broken": breaches(benchmarks, champion),
    }
    return {**measured, "decisions": champion["decisions"]} if "decisions" in champion else measured
