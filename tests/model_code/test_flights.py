"""The loop of the container on real flights: January is loaded, learnt from, judged on its last week, and a day is
scored.
"""

import importlib.util
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.config import sections as config_rules
from domain.contract import schema as contract_rules
from domain.contract.file import read_contract
from domain.release.gate import judge
from domain.train.windows import training_window
from model_code.__main__ import main
from model_code.artefact.archive import pack
from model_code.rows.tables import read_table
from tests.model_code.folders import write_json

ROOT = Path(__file__).resolve().parents[2]
WINDOW = training_window(as_of="2013-02-01", window_days=31, evaluate_days=7)
RUN = {
    "run": "train-1",
    "imported": False,
    "artefacts_uri": "s3://lake/artefacts/train-1/",
    "champion": None,
    "champion_sha256": None,
    **WINDOW,
}


@pytest.fixture(scope="module")
def january(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("prepare", ROOT / "flights" / "prepare.py")
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    rows = prepare.table()
    file = tmp_path_factory.mktemp("flights") / "flights-2013-01.csv"
    rows[rows["month"] == 1].to_csv(file, index=False)
    return file


def test_january_makes_a_release_that_beats_the_prior(january, tmp_path, monkeypatch):
    contract = read_contract(ROOT / "flights/contract.toml", "binary")
    config = config_rules.read_config(ROOT)
    checked = list(read_table(january, contract, with_target=True))
    accepted = pa.Table.from_batches([block.accepted for block in checked])
    assert (len(accepted), sum(len(block.quarantined) for block in checked)) == (
        26_398,
        606,
    )  # 606 had no arrival delay

    def settings(folder, run):
        write_json(folder / "contract.json", contract_rules.as_dict(contract))
        write_json(folder / "config.json", config_rules.as_dict(config))
        write_json(folder / "run.json", run)

    def run(verb, base):
        monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
        assert main([verb]) == 0

    train, evaluate, score = (tmp_path / name for name in ("train", "evaluate", "score"))
    write_json(train / "input/config/hyperparameters.json", {"candidate": "gradient_boosting", "seed": "7", **WINDOW})
    settings(train / "input/data/contract", RUN)
    (train / "input/data/rows").mkdir()
    pq.write_table(accepted, train / "input/data/rows/part.parquet")
    run("train", train)

    settings(evaluate / "processing/input/contract", RUN)
    shutil.copytree(train / "input/data/rows", evaluate / "processing/input/rows")
    model = evaluate / "processing/input/models/gradient_boosting/model.tar.gz"
    model.parent.mkdir(parents=True)
    pack(train / "model", model)
    run("evaluate", evaluate)
    evaluation = json.loads((evaluate / "processing/output/evaluation/evaluation.json").read_text())
    measured = evaluation["candidates"]["gradient_boosting"]
    assert measured["metrics"]["roc_auc"] > 0.55 > evaluation["baseline"]["roc_auc"] == 0.5
    assert measured["p99_ms"] < config.benchmarks.p99_ms and measured["size_mb"] < config.benchmarks.size_mb
    assert judge(config.benchmarks, evaluation)["candidate"] == "gradient_boosting"

    signed = measured["artefact_sha256"]
    settings(
        score / "processing/input/contract",
        {"run": "batch-1", "as_of": WINDOW["as_of"], "release": "r-1", "artefact_sha256": signed},
    )
    (score / "processing/input/rows").mkdir()
    shutil.copy(january, score / "processing/input/rows")
    shutil.copytree(model.parent, score / "processing/input/model")
    run("score", score)
    (summary,) = (json.loads(file.read_text()) for file in (score / "processing/output/summary").iterdir())
    assert {name: summary[name] for name in ("read", "scored", "quarantined")} == {
        "read": 27_004,
        "scored": 27_004,
        "quarantined": 0,
    }
    answered = pq.read_table(score / "processing/output/predictions/flights-2013-01.csv-000000000001.parquet")
    assert answered["entity_id"].to_pylist()[0] == "UA1545-EWR-20130101"
    assert set(answered["source"].to_pylist()) == {"model"}
