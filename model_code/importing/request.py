"""The request that `fairway import` writes, and the documents that go to the closed-off process and back."""

import json
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

from domain.contract import schema as contract_rules
from domain.contract.schema import Contract
from model_code.importing.formats import Format

ANSWERS, REPORT = "answers.npy", "report.json"  # files that the closed-off process hands back beside the model


class Request(TypedDict):
    """An import; `answers` are rows of features, each with the answer that the model gave where it was made."""

    file: str
    name: str
    trust: bool
    module: str | None
    encoding: str
    contract: dict[str, Any]
    rows: list[str]  # Parquet files
    answers: list[dict[str, Any]] | None
    folder: str
    code_version: str


class Report(TypedDict):
    """The reason that a model is refused, or the versions of the packages that opened it."""

    refused: NotRequired[str]
    versions: NotRequired[dict[str, str]]


class Conversion(NamedTuple):
    """A private copy of the model, and rows for its own framework to answer. `folder` is for its conversion."""

    file: Path
    format: Format
    module: str | None  # FILE.py:Class of a PyTorch state dict
    encoding: str
    contract: Contract
    rows: pa.Table
    folder: Path


def write(conversion: Conversion) -> Path:
    file = conversion.folder / "conversion.json"
    document = {
        "file": str(conversion.file),
        "format": conversion.format,
        "module": conversion.module,
        "encoding": conversion.encoding,
        "contract": contract_rules.as_dict(conversion.contract),
    }
    file.write_text(json.dumps(document))
    pq.write_table(conversion.rows, conversion.folder / "rows.parquet")
    return file


def read(file: Path) -> Conversion:
    document = json.loads(file.read_text())
    return Conversion(
        file=Path(document["file"]),
        format=Format(*document["format"]),
        module=document["module"],
        encoding=document["encoding"],
        contract=contract_rules.from_dict(document["contract"]),
        rows=pq.read_table(file.parent / "rows.parquet"),
        folder=file.parent,
    )
