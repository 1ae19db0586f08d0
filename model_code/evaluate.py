"""evaluate: the candidates and the champion on the same later rows -> evaluation.json, curves.json; and of each
candidate the golden rows, the reference by which it is watched, and the table by which it says how sure it is.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.config.sections import Config
from domain.contract import schema as contract_rules
from domain.contract.schema import Contract
from domain.release.evaluation import Candidate, Champion, Evaluation, Measured
from domain.runs import TrainSettings
from domain.train.confidence import ConfidenceTable
from domain.train.coverage import Coverage, cover
from domain.train.curves import Curve, Curves
from domain.train.windows import Window
from domain.watch.reference import Reference
from model_code import paths
from model_code.answers.answer_columns import has_answer
from model_code.answers.golden import prove_golden
from model_code.answers.latency import Latency, answer_latency
from model_code.artefact.archive import unpack
from model_code.artefact.folder import GOLDEN, Artefact, as_json, open_artefact
from model_code.fitting import metrics, tallies
from model_code.fitting.confidence import Answered, confidence_table, covered, risk_of
from model_code.fitting.curves import curve
from model_code.fitting.influence import influence, standard_error
from model_code.fitting.segments import segments_of
from model_code.rows.features import unfed
from model_code.rows.matrices import model_batch, target
from model_code.rows.window import read_window
from model_code.settings import JobRefused, read_settings, read_train_run, window_of
from model_code.watch.reference import answers_of, feature_references, reference_of


class Yardstick(NamedTuple):
    """The rows on which every model is measured, and the measure."""

    contract: Contract
    config: Config
    table: pa.Table
    actual: np.ndarray  # the labels of the rows


class _Model(NamedTuple):
    file: Path
    artefact: Artefact


class Result(NamedTuple):
    """A model on the rows of a yardstick."""

    measured: Measured
    influence: np.ndarray  # (rows,) of each row on the metric that decides
    curve: Curve
    answers: pa.Array  # as they are counted
    confidence: ConfidenceTable


def main() -> None:
    contract, config = read_settings(paths.processing_input("contract"))
    run = read_train_run(paths.processing_input("contract"))
    window = window_of(run)
    rows = read_window(
        paths.processing_input("rows"),
        contract,
        window,
        "evaluate",
        loads=run.get("loads", ()),
        duplicates=config.data.duplicates,
    )
    yardstick = yardstick_of(contract, config, rows.table)
    with tempfile.TemporaryDirectory() as scratch:
        opened = {name: _open_model(file, Path(scratch) / name) for name, file in _candidate_files().items()}
        results = {name: measure(yardstick, model.artefact, _megabytes(model)) for name, model in opened.items()}
        champion = _open_champion(yardstick, run, Path(scratch))
        current = measure(yardstick, champion.artefact, _megabytes(champion)) if champion else None
        evaluation: Evaluation = {
            "metric": config.benchmarks.metric,
            "imported": run["imported"],
            "threshold": config.serving.threshold,
            "rows": len(rows.table),
            "quarantined": rows.quarantined,
            "window": window,
            "coverage": coverage_of(contract, window, rows.table),
            "baseline": baseline(yardstick),
            "candidates": {name: _candidate(name, model, results[name], run) for name, model in opened.items()},
            "champion": champion_of(run["champion"] or "", current, results) if current else None,
        }
        curves: Curves = {
            "candidates": {name: result.curve for name, result in results.items()},
            "champion": current.curve if current else None,
        }
        golden = {name: Path(scratch) / name / GOLDEN for name in opened}
        _write(evaluation, curves, golden=golden)
        _write_each("reference", _references(yardstick, opened, results))
        again = {run["champion"] or "": current} if current else {}
        _write_each("confidence", _confidences(yardstick, {**results, **again}))
    print(_summary(evaluation))


def _write(evaluation: Evaluation, curves: Curves, *, golden: dict[str, Path]) -> None:
    output = paths.processing_output("evaluation")
    (output / "golden").mkdir(parents=True, exist_ok=True)
    for name, file in golden.items():
        shutil.copy(file, output / "golden" / f"{name}.json")
    (output / "evaluation.json").write_text(json.dumps(evaluation, indent=1, allow_nan=False))
    (output / "curves.json").write_text(json.dumps(curves, allow_nan=False))


def _write_each(folder: str, documents: Mapping[str, object]) -> None:
    """Write a document of each candidate."""
    place = paths.processing_output("evaluation") / folder
    place.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (place / f"{name}.json").write_bytes(as_json(document))


def _confidences(yardstick: Yardstick, results: Mapping[str, Result]) -> dict[str, ConfidenceTable]:
    """Return the confidence table of each candidate and of the champion, with the priors that they share."""
    found = segments_of(yardstick.contract, yardstick.table, yardstick.actual)
    tables = {name: result.confidence for name, result in results.items()}
    return {name: {**table, "segments": found} for name, table in tables.items()} if found else tables


def _references(yardstick: Yardstick, models: dict[str, _Model], results: dict[str, Result]) -> dict[str, Reference]:
    features = feature_references(yardstick.contract, yardstick.table)
    return {
        name: reference_of(
            models[name].artefact.contract,
            yardstick.config.business,
            features=features,
            answers=result.answers,
            measured=result.measured,
        )
        for name, result in results.items()
    }


def coverage_of(contract: Contract, window: Window, table: pa.Table) -> Coverage | None:
    """Measure what the rows cover of the days they are to be judged on; None for a table without event time."""
    if contract.event_time is None:
        return None
    timestamps = table.column(contract.event_time.name)
    ends = pc.min_max(timestamps).as_py()
    days = pc.unique(pc.cast(pc.floor_temporal(timestamps, unit="day"), pa.timestamp("s"))).to_pylist()
    return cover(window, first=ends["min"], last=ends["max"], days={day.date() for day in days})


def _candidate_files() -> dict[str, Path]:
    """Find each candidate's model.tar.gz; the first folder under input/models is the candidate's name."""
    folder = paths.processing_input("models")
    files = {file.relative_to(folder).parts[0]: file for file in sorted(folder.rglob("model.tar.gz"))}
    if not files:
        raise JobRefused(f"no candidate's model.tar.gz is under {folder}; train candidates first")
    return files


def _open_model(file: Path, folder: Path, expected: str | None = None) -> _Model:
    artefact = open_artefact(unpack(file, folder), expected=expected)
    prove_golden(artefact)
    return _Model(file, artefact)


def yardstick_of(contract: Contract, config: Config, table: pa.Table) -> Yardstick:
    """Return checked rows as what models are measured on. Raises JobRefused where their targets are all the same."""
    actual = target(contract, table)
    if contract.task != "regression" and len(set(actual.tolist())) < 2:
        raise JobRefused(
            f"target {contract.target.name!r} is the same in all {len(actual):,} rows of the evaluation window; "
            "nothing can be compared there, so raise data.evaluate_days or move as_of"
        )
    return Yardstick(contract, config, table, actual)


def _candidate(name: str, model: _Model, result: Result, run: TrainSettings) -> Candidate:
    place = model.file.relative_to(paths.processing_input("models")).as_posix()
    return {
        **result.measured,
        "model_uri": run["artefacts_uri"].rstrip("/") + "/" + place,
        "contract": contract_rules.as_dict(model.artefact.contract),
        "golden": f"golden/{name}.json",
        "reference": f"reference/{name}.json",
        "confidence": f"confidence/{name}.json",
    }


def _open_champion(yardstick: Yardstick, run: TrainSettings, scratch: Path) -> _Model | None:
    """Open the champion; None if there is none, or if the contract no longer fits it."""
    files = sorted(paths.processing_input("champion").rglob("model.tar.gz"))
    if not files or run["champion"] is None:
        return None
    model = _open_model(files[0], scratch / "champion of today", run["champion_sha256"])
    missing = unfed(model.artefact.contract, yardstick.contract)
    if missing:
        print(f"champion {run['champion']} is not compared: the contract has changed {', '.join(missing)}")
        return None
    return model


class Influential(Protocol):
    """A model of which the influence (rows,) of each row on the metric is known."""

    @property
    def influence(self) -> np.ndarray: ...


def champion_of(release: str, current: Result, results: Mapping[str, Influential]) -> Champion:
    """Compare the champion with each candidate, row by row."""
    errors = {name: standard_error(result.influence - current.influence) for name, result in results.items()}
    return {"release": release, "gain_errors": errors, **current.measured}


def _megabytes(model: _Model) -> float:
    return model.file.stat().st_size / 1e6


# ---- one model


def measure(
    yardstick: Yardstick,
    artefact: Artefact,
    size_mb: float,
    *,
    timed: Callable[[Artefact, Contract, pa.Table], Latency] = answer_latency,
) -> Result:
    """Measure a model; `size_mb` is that of its archive, and `timed` times its answers to single rows."""
    contract, config, table, actual = yardstick
    metric, classes = config.benchmarks.metric, artefact.manifest["classes"]
    scores, unanswered = _answered(artefact, contract, table)
    sure = _by_the_model(yardstick, scores, classes, unanswered)
    latency = timed(artefact, contract, table)
    moved = influence(contract.task, metric, actual, scores, classes)
    measured: Measured = {
        "unanswered": int(unanswered.sum()),
        "metrics": metrics.measure(contract.task, actual, scores, classes),
        "standard_error": standard_error(moved),
        "p50_ms": latency.p50_ms,
        "p99_ms": latency.p99_ms,
        "timed_requests": latency.timed_requests,
        "artefact_sha256": artefact.sha256,
        "format": artefact.manifest["format"],
        "rows": artefact.manifest["rows"],
        "size_mb": size_mb,
    }
    by_chance = metrics.chance(contract.task, actual, scores, classes)
    if by_chance is not None:
        measured["calibration_by_chance"] = by_chance
    if contract.task == "binary":
        measured["decisions"] = tallies.decisions(actual, scores, config.serving.threshold)
    elif contract.task == "multiclass":
        measured["classes"] = tallies.class_counts(actual, scores, classes)
    else:
        measured["errors"] = tallies.errors(actual, scores)
    agreed = {"coverage": config.confidence.coverage, "threshold": config.serving.threshold}
    if (held := covered(contract, sure, **agreed)) is not None:
        measured["covered"] = held
    drawn = curve(contract.task, actual, scores, classes)
    if (risk := risk_of(contract.task, sure, config.serving.threshold)) is not None:
        drawn["risk"] = risk
    return Result(
        measured,
        moved,
        drawn,
        answers_of(contract.task, scores, classes),
        confidence_table(contract, sure, **agreed),
    )


def _by_the_model(yardstick: Yardstick, scores: np.ndarray, classes: list[Any], unanswered: np.ndarray) -> Answered:
    """Leave out the rows that got the prior, as their answers have the confidence of the prior; unless all did."""
    kept = ~unanswered if not unanswered.all() else np.ones(len(scores), bool)
    return Answered(yardstick.actual[kept], scores[kept], classes)


def _answered(artefact: Artefact, contract: Contract, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores as callers would get them, and which rows got the prior because there was no answer."""
    scores = artefact.scorer.score_batch(model_batch(artefact.contract, table), refusals=[])
    missing = ~has_answer(scores)
    scores = scores if contract.task == "multiclass" else scores[:, -1]
    prior = metrics.prior_scores(contract, len(table), artefact.manifest["classes"])
    scores[missing] = prior[missing]
    return scores, missing


def baseline(yardstick: Yardstick) -> dict[str, float]:
    """Measure the contract's prior on these rows."""
    contract, actual = yardstick.contract, yardstick.actual
    classes = sorted(set(actual.tolist())) if contract.task == "multiclass" else []
    return metrics.measure(contract.task, actual, metrics.prior_scores(contract, len(actual), classes), classes)


def _summary(evaluation: Evaluation) -> str:
    metric = evaluation["metric"]
    lines = [f"{evaluation['rows']:,} rows; {metric} of the prior {evaluation['baseline'][metric]:.4f}"]
    for name, one in evaluation["candidates"].items():
        lines.append(
            f"{name}: {metric} {one['metrics'][metric]:.4f}, p99 {one['p99_ms']:.2f} ms, {one['size_mb']:.2f} MB"
        )
    return "\n".join(lines)
