"""Training runs, read from the tables and the lake of a stage."""

from typing import Any, NamedTuple

from domain.money.prices import Prices
from domain.release.evaluation import Evaluation, Measured
from domain.release.gate import Judgement
from domain.release.state import ReleaseItem
from domain.runs import TrainItem
from domain.train.curves import Curve, Curves
from domain.watch.observed import Observed, observe
from fairway.money.cost import read_table
from fairway.stage import records
from fairway.stage.aws import Stage
from fairway.stage.documents import run_document
from fairway.stage.outcomes import joined_outcomes
from fairway.stage.records import ReleaseRole
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from fairway.tracking.jobs import jobs_of
from fairway.tracking.record import Became, TrainingRun, Tried


def read_runs(stage: Stage, *, most: int, progress: Progress) -> list[TrainingRun]:
    """Read the newest training runs, newest first, including imports."""
    progress("Reading training runs")
    items = sorted(records.runs(stage, "train"), key=lambda item: item.get("started_at", ""), reverse=True)
    releases, prices = _releases(stage), read_table(stage.folder, stage.config)
    found = []
    for number, item in enumerate(items[:most], 1):
        progress.detail(f"{number} of {min(most, len(items))}")
        found.append(_run(stage, item, releases, prices))
    return found


def read_run(stage: Stage, name: str, *, progress: Progress) -> TrainingRun:
    """Read a run by its name or that of its release, with the outcomes of the release's answers."""
    progress(f"Reading {name}")
    releases = _releases(stage)
    run = releases[name][0].get("run", name) if name in releases else name
    item = records.run(stage, "train", run)
    if item is None:
        raise Refused("no_run", f"{name!r}: must be a training run or its release; `fairway runs` lists them")
    return _run(stage, item, releases, read_table(stage.folder, stage.config), with_outcomes=True)


_Releases = dict[str, tuple[ReleaseItem, ReleaseRole]]  # by name


def _releases(stage: Stage) -> _Releases:
    found = records.releases(stage)
    roles = records.with_roles(found, records.routing(stage))
    return {item["release"]: (item, role) for item, role in zip(found, roles, strict=True)}


def _run(
    stage: Stage, item: TrainItem, releases: _Releases, prices: Prices, *, with_outcomes: bool = False
) -> TrainingRun:
    left = _left_by(stage, item["run"])
    evaluation, judgement, settings = left.evaluation, left.judgement, left.settings
    return TrainingRun(
        run=item["run"],
        status=item["status"],
        started_at=item.get("started_at"),
        finished_at=item.get("finished_at"),
        train_start=item.get("train_start"),
        evaluate_start=item.get("evaluate_start"),
        as_of=item.get("as_of"),
        train_rows=_learnt_from(evaluation) if evaluation else None,
        evaluate_rows=evaluation["rows"] if evaluation else None,
        data_hash=item.get("data_hash"),
        contract_hash=item.get("contract_hash"),
        code_version=item.get("code_version"),
        seed=settings["training"]["seed"] if settings else None,
        verdict=item.get("verdict"),
        reason=item.get("reason"),
        metric=evaluation["metric"] if evaluation else None,
        chosen=judgement["candidate"] if judgement else None,
        candidates=[_candidate(name, left) for name in evaluation["candidates"]] if evaluation else [],
        champion=_champion(left),
        baseline=evaluation["baseline"] if evaluation else {},
        jobs=jobs_of(stage, item, prices),
        became=_became(stage, item.get("release"), releases, with_outcomes=with_outcomes),
    )


def _learnt_from(evaluation: Evaluation) -> int | None:
    """Count the rows that the candidates read; the run's record counts whole parts, beyond the window too."""
    return max((read for each in evaluation["candidates"].values() if (read := each["rows"]["read"])), default=None)


class _Left(NamedTuple):
    """Documents of a run in the lake."""

    evaluation: Evaluation | None
    judgement: Judgement | None
    curves: Curves | None
    settings: dict[str, Any] | None  # the whole of fairway.toml at the time


def _left_by(stage: Stage, run: str) -> _Left:
    names = ("evaluation.json", "verdict.json", "curves.json", "settings/config.json")
    return _Left(*(run_document(stage, run, name) for name in names))


def _candidate(name: str, left: _Left) -> Tried:
    assert left.evaluation is not None, "candidates are named by it"
    parameters = left.settings["training"]["parameters"].get(name, {}) if left.settings else {}
    broken = left.judgement["tried"].get(name, []) if left.judgement else []
    curve = left.curves["candidates"].get(name) if left.curves else None
    return _tried(name, left.evaluation["candidates"][name], parameters=parameters, broken=broken, curve=curve)


def _champion(left: _Left) -> Tried | None:
    """Describe the champion at the time on the same rows; the benchmarks it breaks are in its release's newest
    measurement.
    """
    champion = left.evaluation["champion"] if left.evaluation else None
    if champion is None:
        return None
    curve = left.curves["champion"] if left.curves else None
    return _tried(champion["release"], champion, parameters={}, broken=[], curve=curve)


def _tried(
    name: str, measured: Measured, *, parameters: dict[str, Any], broken: list[str], curve: Curve | None
) -> Tried:
    return Tried(
        name=name,
        parameters=parameters,
        metrics=measured["metrics"],
        standard_error=measured["standard_error"],
        p99_ms=measured["p99_ms"],
        size_mb=measured["size_mb"],
        artefact_sha256=measured["artefact_sha256"],
        broken=broken,
        curve=curve,
    )


def _became(stage: Stage, release: str | None, releases: _Releases, *, with_outcomes: bool) -> Became | None:
    if release is None or release not in releases:
        return None
    item, role = releases[release]
    return Became(
        release=release,
        state=item.get("state"),
        role=role["role"],
        percent=role["weight"],
        promoted_at=item.get("promoted_at"),
        newest=item.get("newest"),
        observed=_observed(stage, release) if with_outcomes else None,
    )


def _observed(stage: Stage, release: str) -> Observed:
    config = stage.config
    return observe(config.project.task, config.benchmarks.metric, joined_outcomes(stage, release))
