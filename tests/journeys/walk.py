"""A table's whole way without an AWS: init, check, load, train, evaluate, judge, batch, by the very code of each step.

What lies between them in the cloud, the state machines and the lake, has journeys of its own.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from domain.config import sections
from domain.contract.file import read_contract
from domain.contract.schema import Contract, as_dict
from domain.release.gate import Judgement, judge
from domain.train.windows import training_window
from fairway.commands.check import check
from fairway.commands.init import init
from fairway.commands.train import after_the_newest_row
from fairway.tables.parts import Written, write_parts
from fairway.terminal.progress import Progress
from lambdas.batch.input_files import file_problem
from model_code.__main__ import main
from model_code.artefact.archive import pack

CANDIDATE = "logistic_regression"
LOADED_AT = "2026-01-01T00:00:00Z"


@dataclass
class Walk:
    """What each step said."""

    draft: dict[str, Any]
    contract: Contract
    written: Written
    judged: Judgement
    predictions: list[dict[str, Any]]
    unscored: Counter[str]  # rows of the batch by the rule that they broke

    @property
    def notes(self) -> str:
        return "\n".join(self.draft["notes"])

    def role(self, column: str) -> str:
        return self.contract.by_name[column].role

    @property
    def quality(self) -> float:
        """By the task's first metric."""
        return self.judged["metrics"][sections.METRICS[self.contract.task][0]]


def walk(table: Path, target: str, folder: Path, *, batch: Path | None = None) -> Walk:
    """Take a table from `init` to predictions, of the file `batch` or of the table itself."""
    with Progress() as progress:
        draft = init(table, target=target, out=folder / "project", progress=progress).values
        check(folder / "project")
        config = sections.read_config(folder / "project")
        contract = read_contract(folder / "project/contract.toml", config.project.task)
        (folder / "load").mkdir()
        written = write_parts(table, contract, "load", folder / "load", progress=progress)
    judged = _judged(folder, contract, config, written)
    predictions, reasons = _scored(folder, contract, config, batch or table, judged["artefact_sha256"])
    assert isinstance(draft, dict)
    return Walk(draft, contract, written, judged, predictions, reasons)


def _judged(folder: Path, contract: Contract, config: sections.Config, written: Written) -> Judgement:
    window = training_window(
        as_of=after_the_newest_row([{"loaded_at": LOADED_AT, "parts": json.dumps(written.parts)}]),
        window_days=config.data.window_days,
        evaluate_days=config.data.evaluate_days,
    )
    run = {
        "run": "train-1",
        "imported": False,
        "artefacts_uri": "s3://lake/artefacts/train-1/",
        "loads": ["load"],
        **window,
    }
    training, evaluation = folder / "training", folder / "evaluation"
    _write(training / "input/config/hyperparameters.json", {"candidate": CANDIDATE, **window})
    _settings(training / "input/data/contract", contract, config, run)
    _settings(evaluation / "processing/input/contract", contract, config, run)
    for key, file in written.files.items():
        for place in (training / "input/data/rows", evaluation / "processing/input/rows"):
            if key.startswith("rows/"):
                _copy(file, place / key)
    _verb("train", training)
    archive = evaluation / f"processing/input/models/{CANDIDATE}/model.tar.gz"
    archive.parent.mkdir(parents=True)
    pack(training / "model", archive)
    _verb("evaluate", evaluation)
    found = json.loads((evaluation / "processing/output/evaluation/evaluation.json").read_text())
    return judge(config.benchmarks, found)


def _scored(
    folder: Path, contract: Contract, config: sections.Config, file: Path, sha256: str
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Predictions in the file's order, and how many rows broke which rule."""
    content = file.read_bytes()
    problem = file_problem(file.name, len(content), contract=contract, read=lambda span: _span(content, span))
    assert not problem, f"{file}: {problem}"
    scoring, run = folder / "scoring", {"run": "batch-1", "as_of": LOADED_AT, "release": "r-1", "model_uri": "s3://m"}
    run["artefact_sha256"] = sha256
    _settings(scoring / "processing/input/contract", contract, config, run)
    _copy(file, scoring / "processing/input/rows" / file.name)
    _copy(
        folder / f"evaluation/processing/input/models/{CANDIDATE}/model.tar.gz",
        scoring / "processing/input/model/model.tar.gz",
    )
    _verb("score", scoring)
    output = scoring / "processing/output"
    rows = [row for part in sorted((output / "predictions").glob("*")) for row in pq.read_table(part).to_pylist()]
    summaries = [json.loads(one.read_text()) for one in sorted((output / "summary").glob("*.json"))]
    return rows, sum((Counter(one["reasons"]) for one in summaries), Counter[str]())


def _span(content: bytes, span: str) -> bytes:
    first, _, last = span.partition("-")
    return content[int(first) : int(last) + 1] if first else content[-int(last) :]


def _settings(folder: Path, contract: Contract, config: sections.Config, run: dict[str, Any]) -> None:
    _write(folder / "contract.json", as_dict(contract))
    _write(folder / "config.json", sections.as_dict(config))
    _write(folder / "run.json", run)


def _write(file: Path, value: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))


def _copy(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, place)


def _verb(verb: str, base: Path) -> None:
    with _base_dir(base):
        assert main([verb]) == 0, f"{verb} failed"


@contextmanager
def _base_dir(folder: Path) -> Iterator[None]:
    before = os.environ.get("SAGEMAKER_BASE_DIR")
    os.environ["SAGEMAKER_BASE_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["SAGEMAKER_BASE_DIR"]
        if before is not None:
            os.environ["SAGEMAKER_BASE_DIR"] = before
