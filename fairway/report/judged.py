"""The evaluation on which a release was judged, read from the lake."""

from typing import Any

from domain.config.sections import SMALLER_IS_BETTER, Benchmarks
from domain.release.comparison import at_least_as_good
from domain.release.evaluation import Champion, Evaluation, Measured
from domain.release.state import Measurement
from domain.train.curves import Curves
from fairway.report.record import Before, Check, Judged, Tried
from fairway.stage.aws import Stage
from fairway.stage.documents import run_document


def read_judged(
    stage: Stage, *, run: str | None, candidate: str | None, newest: Measurement | None = None
) -> Judged | None:
    """Read a run's evaluation and the benchmarks agreed at that time. None if the lake no longer has it."""
    evaluation: Evaluation | None = run_document(stage, run or "none", "evaluation.json")
    measured = evaluation["candidates"].get(candidate or "") if evaluation else None
    if not evaluation or not measured:
        return None
    settings = run_document(stage, run or "none", "settings/config.json")
    benchmarks = Benchmarks(**settings["benchmarks"]) if settings else stage.config.benchmarks
    metric, before = evaluation["metric"], evaluation["champion"]
    curves: Curves | None = run_document(stage, run or "none", "curves.json")
    curve = curves["candidates"].get(candidate or "") if curves else None
    return Judged(
        metric=metric,
        smaller_is_better=metric in SMALLER_IS_BETTER,
        rows=evaluation["rows"],
        window=evaluation["window"],
        coverage=evaluation["coverage"],
        checks=_checks(benchmarks, measured, evaluation, newest),
        quality=measured["metrics"][metric],
        standard_error=measured.get("standard_error"),
        calibration_error=measured["metrics"].get("calibration_error"),
        calibration_limit=benchmarks.calibration_error,
        agreed=benchmarks.quality or None,
        prior=evaluation["baseline"].get(metric),
        before=Before(before["release"], before["metrics"][metric]) if before else None,
        tried=[
            Tried(name, each["metrics"][metric], each.get("standard_error"))
            for name, each in evaluation["candidates"].items()
        ],
        sure=measured.get("covered"),
        risk=curve.get("risk") if curve else None,
    )


def _checks(
    benchmarks: Benchmarks, measured: Measured, evaluation: Evaluation, newest: Measurement | None
) -> list[Check]:
    """Compare each benchmark with the release now and when it was judged, the prior, and the previous champion."""
    limits = (
        ("calibration error", "calibration_error", benchmarks.calibration_error),
        ("p99 of scoring one row, ms", "p99_ms", benchmarks.p99_ms),
        ("size, MB", "size_mb", benchmarks.size_mb),
    )
    before, baseline = evaluation["champion"], evaluation["baseline"]
    checks = [
        Check(
            what=what,
            agreed=f"at most {most:g}",
            newest=(now := _value(newest, key)),
            measured=value,
            prior=baseline.get(key),
            before=_value(before, key),
            kept=(value if now is None else now) <= most,
        )
        for what, key, most in limits
        if (value := _value(measured, key)) is not None
    ]
    return [_quality_check(benchmarks, measured, evaluation, newest), *checks]


def _quality_check(
    benchmarks: Benchmarks, measured: Measured, evaluation: Evaluation, newest: Measurement | None
) -> Check:
    metric, least = evaluation["metric"], benchmarks.quality
    quality, now = measured["metrics"][metric], _value(newest, metric)
    word = "most" if metric in SMALLER_IS_BETTER else "least"
    return Check(
        what=metric,
        agreed=f"at {word} {least:g}" if least else None,
        newest=now,
        measured=quality,
        prior=evaluation["baseline"].get(metric),
        before=_value(evaluation["champion"], metric),
        kept=at_least_as_good(metric, quality if now is None else now, least) if least else None,
    )


def _value(measured: Measured | Champion | Measurement | None, key: str) -> float | None:
    values: dict[str, Any] = {**measured, **measured["metrics"]} if measured else {}
    return values.get(key)
