"""The score job under the container contract, and the peer, each as the process that it is in production."""

import json
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.batch import measure
from bench.batch.flights import ROOT, contract
from domain.config import sections as config_rules
from domain.contract import schema as contract_rules
from model_code.artefact.archive import pack
from model_code.artefact.folder import MANIFEST, sha256

IMAGE_PYTHON = ROOT / ".venv-image/bin/python"  # what the container has, and no more
RUN = {"run": "bench", "as_of": "2014-01-01T00:00:00Z", "release": "bench"}


def score(folder: Path, rows: Path, *, store: bool = True) -> dict:
    """{seconds, cpu_s, memory_mb} of `python -m model_code score`; its outputs are below `folder`/job. With
    `store` they include what `write_results` needs, which has no counterpart in what the peer does.
    """
    base = folder / "job"
    shutil.rmtree(base, ignore_errors=True)
    inputs = base / "processing/input"
    for name in ("contract", "rows", "model"):
        (inputs / name).mkdir(parents=True)
    run = {**RUN, "store": store, "artefact_sha256": sha256(folder / "model" / MANIFEST)}
    documents = {"contract": contract_rules.as_dict(contract()), "config": settings(), "run": run}
    for name, document in documents.items():
        (inputs / f"contract/{name}.json").write_text(json.dumps(document))
    pack(folder / "model", inputs / "model/model.tar.gz")
    (inputs / f"rows/rows{rows.suffix}").hardlink_to(rows)
    environment = {"SAGEMAKER_BASE_DIR": str(base)}
    return measure.run(
        [IMAGE_PYTHON, "-m", "model_code", "score"], environment=environment, folder=ROOT, log=folder / "job.log"
    )


def settings() -> dict:
    return config_rules.as_dict(config_rules.read_config(ROOT, "local"))


def predictions_of(folder: Path) -> pa.Table:
    """In the order of the rows: a segment is called by its first row."""
    files = sorted((folder / "job/processing/output/predictions").iterdir())
    return pa.concat_tables([pq.read_table(file) for file in files])


def results_of(folder: Path) -> list[Path]:
    return sorted((folder / "job/processing/output/results").iterdir())


def predict(folder: Path, rows: Path) -> dict:
    """The same of pandas and scikit-learn; the answers are in `folder`/peer.parquet."""
    command = [sys.executable, ROOT / "bench/batch/peer.py", folder / "model.joblib", rows, folder / "peer.parquet"]
    return measure.run(command, environment={}, folder=ROOT, log=folder / "peer.log")
