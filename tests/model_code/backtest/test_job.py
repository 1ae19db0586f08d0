"""A backtest of the tasks whose decisions have no value in dollars: from the folder of its order to its result."""

import dataclasses
import json
import subprocess
import sys

import pytest

from domain.config import sections
from domain.contract import schema
from tests.model_code.folders import settings_of, write_json, write_rows
from tests.model_code.projects import parcels_project, rents_project

ORDER = {
    "history": "ab",
    "loads": ["a", "b"],
    "first": None,
    "until": None,
    "policies": ["never", "weekly", "loop"],
    "scenario": None,
    "run_usd": 0.5,
    "evaluation_usd": 0.1,
}
TASKS = {
    "multiclass": (parcels_project, "accuracy", {"accuracy", "macro_f1"}),
    "regression": (rents_project, "mae", {"mae", "rmse"}),  # outcomes do not determine r2
}


def replayed(folder, contract, rows, **monitoring) -> dict:
    config = settings_of(contract, calibration_error=0.5)
    config = dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, window_days=28, evaluate_days=7),
        training=dataclasses.replace(config.training, candidates=["prior", "logistic_regression"]),
        monitoring=dataclasses.replace(config.monitoring, **monitoring),
    )
    half = len(rows) // 2
    for name, part in (("a", rows[: half + 50]), ("b", rows[half:])):  # some rows are loaded twice
        write_rows(folder / f"parts/month=none/{name}-00000.parquet", contract, part)
    write_json(folder / "contract.json", schema.as_dict(contract))
    write_json(folder / "config.json", sections.as_dict(config))
    write_json(folder / "run.json", ORDER)
    (folder / "kept").mkdir()
    words = [sys.executable, "-m", "model_code.backtest", str(folder), str(folder / "kept")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"done": str(folder / "result.json")}
    return json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("window_days", [1, 7])
def test_every_row_is_answered_once_and_measured_by_its_task(task, window_days, tmp_path):
    project, metric, metrics = TASKS[task]
    contract, rows = project()
    result = replayed(tmp_path, contract, rows, window_days=window_days)
    asked = [row for row in rows if row[contract.event_time.name] >= "2024-01-29"]
    assert (result["metric"], result["task"], result["rows"]) == (metric, task, len(asked))
    assert result["prior_usd"] is None
    for tried in result["policies"]:
        assert (tried["answers"], tried["by_model"]) == (len(asked), len(asked))
        assert set(tried["metrics"]) == metrics
        assert (tried["value_usd"], tried["net_usd"]) == (None, None)
        assert tried["training_usd"] == pytest.approx(0.5 * len(tried["runs"]) + 0.1 * tried["evaluations"])
        assert sum(week["answers"] for week in tried["weeks"]) == len(asked)
        assert sum(tried["windows"].values()) == pytest.approx(32 / window_days, abs=1)
    counts = {tried["policy"]: len(tried["runs"]) for tried in result["policies"]}
    assert (counts["never"], counts["weekly"]) == (1, 5)
