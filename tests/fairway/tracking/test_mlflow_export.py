"""Training runs in MLflow's own store, a SQLite file. `make test-mlflow` installs what this needs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from domain.watch.observed import Observed
from fairway.terminal.errors import Failed
from fairway.terminal.progress import Progress
from fairway.tracking.mlflow_export import Exported, export
from fairway.tracking.record import Became, Job, TrainingRun, Tried

mlflow = pytest.importorskip("mlflow", reason="an extra, for which `make test-mlflow` makes an environment")
pytest.importorskip("sqlalchemy", reason="MLflow keeps a SQLite file with it")

CURVE = {
    "cuts": {"threshold": [0.9, 0.1], "true_positive": [1, 2], "false_positive": [0, 2]},
    "calibration": {"rows": [2, 2], "predicted": [0.1, 0.9], "happened": [0.0, 1.0]},
}
LOGISTIC = Tried(
    "logistic_regression", {"C": 0.5}, {"roc_auc": 0.72, "brier": 0.1}, 0.004, 0.4, 1.5, "a" * 64, [], CURVE
)
PRIOR = replace(
    LOGISTIC, name="prior", parameters={}, metrics={"roc_auc": 0.5, "brier": 0.2}, broken=["a", "b"], curve=None
)
BECAME = Became("r-20130401-aaaaaaaa", "champion", "champion", 100.0, "2026-11-28T10:02:00Z", None, None)
RUN = TrainingRun(
    run="train-1",
    status="SUCCEEDED",
    started_at="2026-11-28T10:00:00Z",
    finished_at="2026-11-28T10:01:30Z",
    train_start="2013-01-01T00:00:00Z",
    evaluate_start="2013-03-04T00:00:00Z",
    as_of="2013-04-01T00:00:00Z",
    train_rows=52_548,
    evaluate_rows=25_363,
    data_hash="d" * 16,
    contract_hash="c" * 16,
    code_version="image-1",
    seed=7,
    verdict="approved",
    reason="keeps every benchmark",
    metric="roc_auc",
    chosen="logistic_regression",
    candidates=[LOGISTIC, PRIOR],
    champion=None,
    baseline={"roc_auc": 0.5},
    jobs=[Job("a", "training", "ml.m5.large", 72.0, 0.0023)],
    became=BECAME,
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Export to a SQLite file, and read back {name: run} with MLflow's own client."""
    monkeypatch.chdir(tmp_path)  # where MLflow puts the artefacts of a SQLite store
    uri = f"sqlite:///{tmp_path}/mlflow.db"

    def write(*runs):
        with Progress() as progress:
            done = export(runs, uri, experiment="flights/local", progress=progress)
        client = mlflow.MlflowClient(uri, uri)
        experiment = client.get_experiment_by_name("flights/local").experiment_id
        return done, {run.info.run_name: run for run in client.search_runs([experiment])}

    return write


def test_a_run_is_a_run_of_mlflow_with_its_candidates_below_it(store):
    done, found = store(RUN)
    assert (done, sorted(found)) == (Exported(created=3, updated=0), ["logistic_regression", "prior", "train-1"])
    run, logistic, prior = found["train-1"], found["logistic_regression"], found["prior"]
    assert (run.info.status, run.info.end_time - run.info.start_time) == ("FINISHED", 90_000)
    assert run.data.metrics == {
        "quality": 0.72,
        "seconds": 90.0,
        "usd": 0.0023,
        "train_rows": 52_548,
        "evaluate_rows": 25_363,
    }
    assert (run.data.tags["verdict"], run.data.tags["became"]) == ("approved", "champion now")
    (rows,) = run.inputs.dataset_inputs
    assert (rows.dataset.name, rows.dataset.digest) == ("rows 2013-01-01 to 2013-04-01", "d" * 16)
    assert logistic.data.tags["mlflow.parentRunId"] == prior.data.tags["mlflow.parentRunId"] == run.info.run_id
    assert logistic.data.params == {"C": "0.5", "seed": "7"}
    assert logistic.data.metrics == {
        "roc_auc": 0.72,
        "brier": 0.1,
        "standard_error": 0.004,
        "p99_ms": 0.4,
        "size_mb": 1.5,
    }
    assert (logistic.data.tags["chosen"], prior.data.tags["chosen"], prior.data.tags["breaks"]) == (
        "true",
        "false",
        "a; b",
    )
    (file,) = Path(logistic.info.artifact_uri).iterdir()
    assert json.loads(file.read_text()) == CURVE


def test_exporting_again_brings_up_to_date_and_doubles_nothing(store):
    _, before = store(RUN)
    observed = Observed(500, "roc_auc", 0.7, 0.01)
    later = replace(RUN, became=replace(BECAME, state="previous", role=None, observed=observed))
    done, found = store(later)
    assert (done, len(found)) == (Exported(created=0, updated=3), 3)
    assert {name: run.info.run_id for name, run in found.items()} == {
        name: run.info.run_id for name, run in before.items()
    }
    assert found["train-1"].data.tags["became"] == "previous"
    assert found["train-1"].data.metrics == {
        **before["train-1"].data.metrics,
        "outcomes": 500,
        "outcomes_quality": 0.7,
    }
    assert found["prior"].data == before["prior"].data or found["prior"].data.metrics == before["prior"].data.metrics


def test_a_run_that_goes_on_is_finished_by_a_later_export(store):
    going = replace(RUN, status="RUNNING", finished_at=None, candidates=[], became=None, verdict=None)
    assert store(going)[1]["train-1"].info.status == "RUNNING"
    done, found = store(RUN)
    assert (done, found["train-1"].info.status) == (Exported(created=2, updated=1), "FINISHED")


def test_a_failed_run_is_failed_there_too(store):
    _, found = store(replace(RUN, status="FAILED", candidates=[], became=None, reason="NoRows: no rows to train on"))
    assert found["train-1"].info.status == "FAILED"
    assert found["train-1"].data.tags["mlflow.note.content"] == "NoRows: no rows to train on"


def test_a_store_that_cannot_be_reached_is_told_in_one_line():
    with pytest.raises(Failed, match=r"--mlflow http://127.0.0.1:1: .*") as refused, Progress() as progress:
        export([RUN], "http://127.0.0.1:1", experiment="flights/local", progress=progress)
    assert len(str(refused.value).splitlines()) == 1
