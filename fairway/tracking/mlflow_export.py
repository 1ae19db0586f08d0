"""Export training runs to MLflow: one run for each, and one below it for each candidate.

Exporting again changes only tags and growing figures of existing runs: what became of the release, and its outcomes.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from domain.runs import RunStatus
from domain.timestamps import parse_timestamp
from domain.train.curves import Curve
from fairway.terminal.errors import Failed, Refused
from fairway.terminal.progress import Progress
from fairway.tracking.record import TrainingRun, Tried

# lazy: MLflow is an extra, and takes seconds to import

_RUN, _CANDIDATE, _PARENT = "fairway.run", "fairway.candidate", "mlflow.parentRunId"
_STATUS = {RunStatus.SUCCEEDED: "FINISHED", RunStatus.FAILED: "FAILED"}
_QUIETLY = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # --json prints its object there
}
_LONGEST_TAG = 5000  # characters that MLflow stores


class Exported(NamedTuple):
    """Number of MLflow runs, including those of candidates."""

    created: int
    updated: int


@dataclass(frozen=True)
class _Entry:
    """One MLflow run; `candidate` is empty for the training run itself."""

    run: TrainingRun
    candidate: str
    tags: Mapping[str, str | None]
    metrics: Mapping[str, float | None]
    params: Mapping[str, Any] = field(default_factory=dict)
    curve: Curve | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.run.run, self.candidate


def export(runs: Iterable[TrainingRun], uri: str, *, experiment: str, progress: Progress) -> Exported:
    """Export runs to an experiment of the tracking server or store at the URI; the experiment is created if it is
    missing.

    Raises Refused without MLflow, and Failed if the store does not accept the runs.
    """
    client, refused = _connect(uri)
    try:
        return _export(runs, client, experiment, progress)
    except refused as error:
        raise Failed("mlflow", f"--mlflow {uri}: {str(error).splitlines()[0]}") from error


def _connect(uri: str) -> tuple[Any, type[Exception]]:
    """Return MLflow's client and its exception."""
    for name, value in _QUIETLY.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise Refused("mlflow", "--mlflow needs MLflow: install the extra, `uv sync --extra mlflow`") from None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        return MlflowClient(tracking_uri=uri, registry_uri=uri), MlflowException
    except MlflowException as error:
        raise Refused("mlflow", f"--mlflow {uri}: {str(error).splitlines()[0]}") from error


def _export(runs: Iterable[TrainingRun], client: Any, experiment: str, progress: Progress) -> Exported:
    found = client.get_experiment_by_name(experiment)
    id = found.experiment_id if found else client.create_experiment(experiment)
    there = _there(client, id)
    before, updated = set(there), 0
    for run in runs:
        progress(f"Exporting {run.run}")
        for entry in _entries(run):
            if entry.key not in there:
                there[entry.key] = _create(client, id, entry, parent=there.get((run.run, "")))
            _update(client, there[entry.key], entry)
            updated += entry.key in before
    return Exported(created=len(there) - len(before), updated=updated)


def _there(client: Any, experiment: str) -> dict[tuple[str, str], Any]:
    """Read what earlier exports wrote, page by page."""
    found: dict[tuple[str, str], Any] = {}
    token = None
    while True:
        page = client.search_runs([experiment], page_token=token)
        for run in page:
            if _RUN in run.data.tags:
                found[run.data.tags[_RUN], run.data.tags.get(_CANDIDATE, "")] = run
        token = page.token
        if not token:
            return found


def _entries(run: TrainingRun) -> Iterator[_Entry]:
    became = run.became
    observed = became.observed if became else None
    yield _Entry(
        run,
        "",
        tags={
            "verdict": run.verdict,
            "mlflow.note.content": run.reason,
            "release": became.release if became else None,
            "became": became.in_words if became else None,
            "chosen": run.chosen,
            "code_version": run.code_version,
            "contract_hash": run.contract_hash,
            "data_hash": run.data_hash,
        },
        metrics={
            "quality": run.quality,
            "seconds": run.seconds,
            "usd": run.usd,
            "train_rows": run.train_rows,
            "evaluate_rows": run.evaluate_rows,
            "newest_quality": became.newest["metrics"].get(run.metric or "") if became and became.newest else None,
            "outcomes": observed.outcomes if observed else None,
            "outcomes_quality": observed.quality if observed else None,
        },
        params={"as_of": run.as_of, "train_start": run.train_start, "evaluate_start": run.evaluate_start},
    )
    for each in run.candidates:
        yield _candidate(run, each)


def _candidate(run: TrainingRun, tried: Tried) -> _Entry:
    return _Entry(
        run,
        tried.name,
        tags={
            "chosen": str(tried.name == run.chosen).lower(),
            "breaks": "; ".join(tried.broken) or None,
            "artefact_sha256": tried.artefact_sha256,
            "data_hash": run.data_hash,
        },
        metrics={
            **tried.metrics,
            "standard_error": tried.standard_error,
            "p99_ms": tried.p99_ms,
            "size_mb": tried.size_mb,
        },
        params={"seed": run.seed, **tried.parameters},
        curve=tried.curve,
    )


# ---- one MLflow run


def _create(client: Any, experiment: str, entry: _Entry, *, parent: Any) -> Any:
    from mlflow.entities import Param

    tags = {_RUN: entry.run.run, **({_CANDIDATE: entry.candidate, _PARENT: parent.info.run_id} if parent else {})}
    name = entry.candidate or entry.run.run
    made = client.create_run(experiment, start_time=_ms(entry.run.started_at), tags=tags, run_name=name)
    params = [Param(key, str(value)) for key, value in entry.params.items() if value is not None]
    client.log_batch(made.info.run_id, params=params)
    if entry.run.data_hash:
        client.log_inputs(made.info.run_id, [_rows(entry.run)])
    if entry.curve:
        client.log_dict(made.info.run_id, entry.curve, "curves.json")
    return made


def _rows(run: TrainingRun) -> Any:
    """Make MLflow's record of the rows."""
    from mlflow.entities import Dataset, DatasetInput

    name = f"rows {(run.train_start or '')[:10]} to {(run.as_of or '')[:10]}"
    return DatasetInput(Dataset(name, run.data_hash, "fairway", run.run))


def _update(client: Any, there: Any, entry: _Entry) -> None:
    """Update tags, figures and status; an unchanged figure is not written again."""
    from mlflow.entities import Metric, RunTag

    known, at = there.data.metrics, _ms(entry.run.finished_at) or _ms(entry.run.started_at) or 0
    client.log_batch(
        there.info.run_id,
        metrics=[
            Metric(key, value, at, 0)
            for key, value in entry.metrics.items()
            if value is not None and known.get(key) != value
        ],
        tags=[RunTag(key, value[:_LONGEST_TAG]) for key, value in entry.tags.items() if value is not None],
    )
    if entry.run.status in _STATUS:
        client.set_terminated(there.info.run_id, _STATUS[RunStatus(entry.run.status)], _ms(entry.run.finished_at))


def _ms(timestamp: str | None) -> int | None:
    moment: datetime | None = parse_timestamp(timestamp) if timestamp else None
    return int(moment.timestamp() * 1000) if moment else None
