"""What is to be imported: the request that `fairway import` writes, and what the closed-off process is given of it."""

import json
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from domain.contract import schema as contract_rules
from domain.contract.schema import Contract
from model_code.importing.formats import Format

ANSWERS, REPORT = "answers.npy", "report.json"  # what the closed-off process hands back beside the model


class Conversion(NamedTuple):
    """A private copy of the model, and rows for its own framework to answer. `folder` takes what it becomes."""

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
    given = json.loads(file.read_text())
    return Conversion(
        file=Path(given["file"]),
        format=Format(*given["format"]),
        module=given["module"],
        encoding=given["encoding"],
        contract=contract_rules.from_dict(given["contract"]),
        rows=pq.read_table(file.parent / "rows.parquet"),
        folder=file.parent,
    )
