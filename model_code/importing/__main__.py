"""python -m model_code.importing REQUEST.json: a model made elsewhere -> model.tar.gz, or the refusal; one JSON object.

The model is scanned, then opened and converted in a sandbox; the conversion is compared and sealed here, where no code
of the model runs.
"""

import json
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np
import pyarrow as pa

from domain.contract import schema as contract_rules
from domain.contract.schema import Contract
from model_code.answers.bodies import Answer
from model_code.answers.golden import golden_answers
from model_code.artefact.archive import pack
from model_code.artefact.folder import CONTRACT, GOLDEN, as_json, seal, sha256
from model_code.artefact.manifest import Manifest
from model_code.engines.onnx_engine import open_session
from model_code.engines.scorer import (
    COLUMNS_FILE,
    MODEL_FILE,
    ONNX_FILE,
    PLAN_FILE,
    SIGNATURE_FILE,
    Scorer,
    load_scorer,
)
from model_code.fitting.golden_rows import golden_rows
from model_code.importing import request, sandbox
from model_code.importing.formats import (
    SAVED_MODEL,
    STATE_DICT,
    TORCH_EXPORT,
    TORCH_PICKLE,
    Format,
    ImportRefused,
    format_of,
)
from model_code.importing.proof import BOUND, Comparison, prove, prove_given
from model_code.importing.request import Conversion, Request
from model_code.importing.scan import refuse_what_is_no_program, refuse_what_is_not_known
from model_code.importing.signature import ENCODINGS, of_session, signature
from model_code.rows.features import model_columns
from model_code.rows.tables import FileRefused, read_table, schema_of

_READ_ROWS, _COMPARED_ROWS = 100_000, 1000
# (module, its request, the only folder to write in) -> whether the process was closed off from the network
Run = Callable[[str, Path, Path], bool]
_HANDED_BACK = {ONNX_FILE: "onnx", PLAN_FILE: "plan", MODEL_FILE: "sklearn"}


class Imported(TypedDict):
    """The manifest's part about an imported model, beside the file's name and format."""

    file: str
    file_sha256: str | None  # None of a folder
    file_format: str
    made_with: dict[str, str]
    compared: Comparison
    compared_with_given: Comparison | None


class Brought(Imported):
    """The answer to a request. `closed_off`: whether the process that opened the model had no network."""

    artefact: str  # file
    sha256: str
    format: str
    closed_off: bool


def main(arguments: list[str]) -> int:
    asked: Request = json.loads(Path(arguments[0]).read_text())
    try:
        print(json.dumps(bring(asked)))
    except (ImportRefused, FileRefused) as error:
        print(json.dumps({"refused": str(error)}))
        return 1
    return 0


def bring(asked: Request, *, run: Run = sandbox.run) -> Brought:
    """Write model.tar.gz into the request's folder; `run` converts. Raises ImportRefused and FileRefused."""
    folder, file = Path(asked["folder"]), Path(asked["file"])
    if asked["encoding"] not in ENCODINGS:
        raise ImportRefused(f"--encoding = {asked['encoding']!r}: must be {' or '.join(ENCODINGS)}")
    conversion = _prepared(asked, file, folder / "work")
    closed = run("model_code.importing.convert", request.write(conversion), conversion.folder)
    versions, original = handed_back(conversion.folder)
    model, contract = folder / "model", conversion.contract
    stored_as = take_model(conversion.folder, model, contract, encoding=asked["encoding"])
    scorer = load_scorer(model)
    imported: Imported = {
        "file": file.name,
        "file_sha256": sha256(conversion.file) if conversion.file.is_file() else None,
        "file_format": conversion.format.name,
        "made_with": versions,
        "compared": prove(contract, scorer, conversion.rows, original),
        "compared_with_given": prove_given(contract, scorer, asked["answers"]) if asked["answers"] else None,
    }
    sha = _write(model, conversion, _Origin(asked["name"], asked["code_version"], stored_as), imported)
    pack(model, folder / "model.tar.gz")
    return {
        "artefact": str(folder / "model.tar.gz"),
        "sha256": sha,
        "format": stored_as,
        "closed_off": closed,
        **imported,
    }


def _prepared(asked: Request, file: Path, work: Path) -> Conversion:
    """Copy the model, refuse one that may run code unless it is trusted, and sample rows of the lake."""
    contract = contract_rules.from_dict(asked["contract"])
    file_format = format_of(file, module=asked["module"])
    work.mkdir()
    copy = _private_copy(file, file_format, work)
    _refuse_untrusted(copy, file_format, trust=asked["trust"])
    rows = _sampled_rows(contract, [Path(part) for part in asked["rows"]])
    return Conversion(copy, file_format, asked["module"], asked["encoding"], contract, rows, work)


def _private_copy(file: Path, file_format: Format, work: Path) -> Path:
    """Copy the model, so that the scanned bytes are the opened ones, even if the file changes meanwhile."""
    if file_format == SAVED_MODEL:
        return shutil.copytree(file if file.is_dir() else file.parent, work / "saved_model")
    return shutil.copyfile(file, work / file.name)


def _refuse_untrusted(copy: Path, file_format: Format, *, trust: bool) -> None:
    if not file_format.runs_code:
        return
    if file_format == TORCH_EXPORT:
        refuse_what_is_no_program(copy)
    else:
        refuse_what_is_not_known(copy, zipped=file_format in (TORCH_PICKLE, STATE_DICT))
    if not trust:
        raise ImportRefused(
            f"{copy.name} is a {file_format.name} file: opening one can run any code that its maker wrote into it. All "
            "names in it are known to be harmless; if you trust its maker, give --trust"
        )


def _sampled_rows(contract: Contract, parts: list[Path]) -> pa.Table:
    """Read rows spread over the parts of the lake: on these the conversion must agree with the original."""
    blocks = (checked.accepted for part in parts for checked in read_table(part, contract, with_target=True))
    batches: list[pa.RecordBatch] = []
    read = 0
    while read < _READ_ROWS and (block := next(blocks, None)) is not None:
        batches.append(block)
        read += len(block)
    table = pa.Table.from_batches(batches, schema_of(contract, with_target=True))
    if not len(table):
        raise ImportRefused(
            "the lake has no row of this contract to try the model on; load some with `fairway load FILE`"
        )
    return table.take(pa.array(np.unique(np.linspace(0, len(table) - 1, _COMPARED_ROWS).astype(int))))


def handed_back(work: Path) -> tuple[dict[str, str], np.ndarray]:
    """Return the versions of the packages that opened the model, and its own answers. Raises ImportRefused."""
    report: request.Report = json.loads(_own_file(work, request.REPORT).read_text())
    if "refused" in report:
        raise ImportRefused(report["refused"])
    return report["versions"], np.load(_own_file(work, request.ANSWERS), allow_pickle=False)


def _own_file(work: Path, *names: str) -> Path:
    """Find the first of the files that the closed-off process wrote; a link, by which it could make this process read
    files that it cannot read itself, does not count.
    """
    for file in (work / name for name in names):
        if file.is_file() and not file.is_symlink():
            return file
    raise ImportRefused(f"the process that converts the model must hand back {' or '.join(names)}; it did not")


def take_model(work: Path, model: Path, contract: Contract, *, encoding: str) -> str:
    """Take only known files from the closed-off process; return the format of the model."""
    model.mkdir()
    (model / CONTRACT).write_bytes(as_json(contract_rules.as_dict(contract)))
    file = _own_file(work, *_HANDED_BACK)
    name = file.name
    shutil.copyfile(file, model / name)
    if name == ONNX_FILE:
        mapped = signature(contract, *of_session(open_session(model / name)), encoding=encoding)
        (model / SIGNATURE_FILE).write_bytes(as_json(mapped))
    if name == MODEL_FILE:
        refuse_what_is_not_known(model / name)  # a pickle again, and it will be opened here and where it serves
        (model / COLUMNS_FILE).write_bytes(as_json(model_columns(contract)))
    return _HANDED_BACK[name]


class _Origin(NamedTuple):
    candidate: str
    code_version: str
    format: str


def _write(model: Path, conversion: Conversion, origin: _Origin, imported: Imported) -> str:
    """Write golden rows and manifest, as training does; return the artefact's sha256."""
    contract, rows, scorer = conversion.contract, conversion.rows, load_scorer(model)
    instances, predictions = _answered(contract, scorer, golden_rows(contract, rows))
    within = {"within": BOUND} if origin.format == "onnx" else {}
    (model / GOLDEN).write_bytes(as_json({"instances": instances, "predictions": predictions, **within}))
    manifest: Manifest = {
        "format": origin.format,
        "candidate": origin.candidate,
        "code_version": origin.code_version,
        "imported": imported,
        "task": contract.task,
        "classes": scorer.classes,
        "contract_hash": contract.hash,
        "columns": model_columns(contract),
        "parameters": {},
        "seed": None,
        "data_window": None,
        "calibration": None,
        "rows": {"fitted": None, "read": len(rows), "quarantined": 0},
        "versions": {"python": platform.python_version(), **{one: version(one) for one in ("numpy", "scikit-learn")}},
    }
    return seal(model, manifest)


def _answered(
    contract: Contract, scorer: Scorer, instances: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[Answer]]:
    """Return the golden rows that the model answers, and its answers: a model made elsewhere may not accept nulls."""
    predictions = golden_answers(contract, scorer, instances)
    kept = [pair for pair in zip(instances, predictions, strict=True) if not isinstance(pair[1], dict)]
    return [instance for instance, _ in kept], [prediction for _, prediction in kept]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
