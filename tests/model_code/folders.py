"""The folders that SageMaker would have filled before it starts a verb."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from domain.config import sections as config_rules
from domain.contract import schema as contract_rules
from domain.train.windows import training_window
from model_code.artefact.archive import pack
from model_code.artefact.folder import MANIFEST, sha256
from model_code.rows.tables import check_block

AS_OF = "2024-03-01T00:00:00Z"
WINDOW = training_window(as_of=AS_OF, window_days=60, evaluate_days=15)


def settings_of(contract, **benchmarks):
    document = {
        "project": {"name": contract.name, "contract": "c.toml", "task": contract.task},
        "benchmarks": benchmarks,
    }
    document["batch"] = {"rows_per_chunk": 100}
    return config_rules.of_stage(document, "local")


def write_json(file: Path, value):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))


def write_settings(folder: Path, contract, run: dict):
    write_json(folder / "contract.json", contract_rules.as_dict(contract))
    write_json(folder / "config.json", config_rules.as_dict(settings_of(contract)))
    write_json(folder / "run.json", run)


def write_rows(file: Path, contract, rows):
    checked = check_block(contract, rows, with_target=True)
    assert not checked.reasons
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_batches([checked.accepted]), file)


TRAIN_RUN = {
    "run": "train-1",
    "imported": False,
    "artefacts_uri": "s3://lake/artefacts/train-1/",
    "champion": None,
    "champion_sha256": None,
    "code_version": "abc",
    **WINDOW,
}
SCORE_RUN = {"run": "batch-1", "as_of": AS_OF, "release": "r-20240301-abcd", "model_uri": "s3://lake/m.tar.gz"}


def sha256_of(model: Path | None) -> str | None:
    """What was signed of it."""
    return sha256(model / MANIFEST) if model else None


def training_folder(base: Path, contract, rows, candidate="gradient_boosting", **hyperparameters):
    given = {"candidate": candidate, "seed": "7", **WINDOW, **hyperparameters}
    write_json(base / "input/config/hyperparameters.json", given)
    write_settings(base / "input/data/contract", contract, TRAIN_RUN)
    half = len(rows) // 2
    write_rows(base / "input/data/rows/rows/month=none/a-00000.parquet", contract, rows[:half])
    write_rows(base / "input/data/rows/rows/month=none/b-00000.parquet", contract, rows[half:])
    return base


def evaluation_folder(
    base: Path, contract, rows, models: dict, champion: Path | None = None, release: str | None = None
):
    processing = base / "processing/input"
    write_settings(
        processing / "contract", contract, {**TRAIN_RUN, "champion": release, "champion_sha256": sha256_of(champion)}
    )
    write_rows(processing / "rows/rows/month=none/a-00000.parquet", contract, rows)
    for candidate, model in models.items():
        place = processing / "models" / candidate / "job-1" / "output"
        place.mkdir(parents=True)
        pack(model, place / "model.tar.gz")
    if champion:
        (processing / "champion").mkdir()
        pack(champion, processing / "champion/model.tar.gz")
    return base


def scoring_folder(base: Path, contract, model: Path | None, **run):
    processing = base / "processing/input"
    write_settings(processing / "contract", contract, {**SCORE_RUN, "artefact_sha256": sha256_of(model), **run})
    (processing / "rows").mkdir()
    if model:
        (processing / "model").mkdir()
        pack(model, processing / "model/model.tar.gz")
    return base
