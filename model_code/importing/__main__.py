"""python -m model_code.importing REQUEST.json: a model made elsewhere -> model.tar.gz, or why not; one JSON object.

The request is {file, name, trust, module, encoding, contract, rows: [Parquet files], answers: [row], folder,
code_version}. The model is scanned, opened and converted in a closed-off process; what comes back is proved and sealed
here, where nothing of it runs.
"""

import json
import platform
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa

from domain.contract import schema as contract_rules
from domain.contract.schema import Contract
from model_code.answers.golden import golden_answers
from model_code.artefact.archive import pack
from model_code.artefact.folder import CONTRACT, GOLDEN, as_json, seal, sha256
from model_code.engines.onnx_engine import open_session
from model_code.engines.scorer import COLUMNS_FILE, MODEL_FILE, ONNX_FILE, PLAN_FILE, SIGNATURE_FILE, load_scorer
from model_code.fitting.golden_rows import golden_rows
from model_code.importing import request, sandbox
from model_code.importing.formats import STATE_DICT, TORCH_EXPORT, TORCH_PICKLE, Format, ImportRefused, format_of
from model_code.importing.proof import BOUND, prove, prove_given
from model_code.importing.request import Conversion
from model_code.importing.scan import refuse_what_is_no_program, refuse_what_is_not_known
from model_code.importing.signature import ENCODINGS, of_session, signature
from model_code.rows.features import model_columns
from model_code.rows.tables import FileRefused, read_table, schema_of

READ_ROWS, COMPARED_ROWS = 100_000, 1000
HANDED_BACK = {ONNX_FILE: "onnx", PLAN_FILE: "plan", MODEL_FILE: "sklearn"}


def main(arguments: list[str]) -> int:
    given = json.loads(Path(arguments[0]).read_text())
    try:
        print(json.dumps(bring(given)))
    except (ImportRefused, FileRefused) as error:
        print(json.dumps({"refused": str(error)}))
        return 1
    return 0


def bring(given: dict) -> dict:
    """{artefact, sha256, imported}: the model.tar.gz and what is known of how it came to be."""
    folder, file = Path(given["folder"]), Path(given["file"])
    contract = contract_rules.from_dict(given["contract"])
    found = format_of(file, module=given["module"])
    if given["encoding"] not in ENCODINGS:
        raise ImportRefused(f"--encoding {given['encoding']!r}: must be {' or '.join(ENCODINGS)}")
    work = folder / "work"
    work.mkdir()
    copy = private_copy(file, found, work)
    refuse_untrusted(copy, found, trust=given["trust"])
    rows = sampled_rows(contract, [Path(part) for part in given["rows"]])
    conversion = Conversion(copy, found, given["module"], given["encoding"], contract, rows, work)
    closed = sandbox.run("model_code.importing.convert", request.write(conversion), work)
    report, original = handed_back(work)
    model = folder / "model"
    about = take_model(work, model, contract, encoding=given["encoding"])
    scorer = load_scorer(model)
    measured = prove(contract, scorer, rows, original)
    imported = {
        "file": file.name,
        "file_sha256": sha256(copy) if copy.is_file() else None,
        "file_format": found.name,
        "made_with": report["versions"],
        "compared": measured,
        "compared_with_given": prove_given(contract, scorer, given["answers"]) if given["answers"] else None,
    }
    about |= {"candidate": given["name"], "code_version": given["code_version"], "imported": imported}
    sha = write(model, contract, rows, about)
    pack(model, folder / "model.tar.gz")
    return {
        "artefact": str(folder / "model.tar.gz"),
        "sha256": sha,
        "format": about["format"],
        "closed_off": closed,
        **imported,
    }


def private_copy(file: Path, found: Format, work: Path) -> Path:
    """What is scanned is what is opened, whatever becomes of the file meanwhile."""
    if found.name == "SavedModel":
        return shutil.copytree(file if file.is_dir() else file.parent, work / "saved_model")
    return shutil.copyfile(file, work / file.name)


def refuse_untrusted(copy: Path, found: Format, *, trust: bool) -> None:
    if not found.runs_code:
        return
    if found == TORCH_EXPORT:
        refuse_what_is_no_program(copy)
    else:
        refuse_what_is_not_known(copy, zipped=found in (TORCH_PICKLE, STATE_DICT))
    if not trust:
        raise ImportRefused(
            f"{copy.name} is a {found.name} file: opening one can run whatever its maker wrote into it. All that it "
            "names is known to be harmless; if you trust whoever made it, say so with --trust"
        )


def sampled_rows(contract: Contract, parts: list[Path]) -> pa.Table:
    """Rows spread over the parts of the lake: on these the conversion must agree with the original."""
    blocks = (checked.accepted for part in parts for checked in read_table(part, contract, with_target=True))
    batches, found = [], 0
    while found < READ_ROWS and (block := next(blocks, None)) is not None:
        batches.append(block)
        found += len(block)
    table = pa.Table.from_batches(batches, schema_of(contract, with_target=True))
    if not len(table):
        raise ImportRefused(
            "the lake has no row of this contract to try the model on; `fairway load FILE` brings rows in"
        )
    return table.take(pa.array(np.unique(np.linspace(0, len(table) - 1, COMPARED_ROWS).astype(int))))


def handed_back(work: Path) -> tuple[dict, np.ndarray]:
    report = json.loads(own_file(work, request.REPORT).read_text())
    if "refused" in report:
        raise ImportRefused(report["refused"])
    return report, np.load(own_file(work, request.ANSWERS), allow_pickle=False)


def own_file(work: Path, *names: str) -> Path:
    """The first of the files that the closed-off process wrote; not a link, by which it would have us read what it
    cannot.
    """
    for file in (work / name for name in names):
        if file.is_file() and not file.is_symlink():
            return file
    raise ImportRefused(f"the process that converts the model handed back no {' or '.join(names)}")


def take_model(work: Path, model: Path, contract: Contract, *, encoding: str) -> dict:
    """Takes only what it knows from the closed-off process; the manifest's part about it."""
    model.mkdir()
    (model / CONTRACT).write_bytes(as_json(contract_rules.as_dict(contract)))
    file = own_file(work, *HANDED_BACK)
    name = file.name
    shutil.copyfile(file, model / name)
    if name == ONNX_FILE:
        mapped = signature(contract, *of_session(open_session(model / name)), encoding=encoding)
        (model / SIGNATURE_FILE).write_bytes(as_json(mapped))
    if name == MODEL_FILE:
        refuse_what_is_not_known(model / name)  # a pickle again, and it will be opened here and where it serves
        (model / COLUMNS_FILE).write_bytes(as_json(model_columns(contract)))
    return {"format": HANDED_BACK[name]}


def write(model: Path, contract: Contract, rows: pa.Table, about: dict) -> str:
    """Golden rows and manifest, as training writes them; the artefact's sha256."""
    scorer = load_scorer(model)
    instances, predictions = answered(contract, scorer, golden_rows(contract, rows))
    within = {"within": BOUND} if about["format"] == "onnx" else {}
    (model / GOLDEN).write_bytes(as_json({"instances": instances, "predictions": predictions, **within}))
    return seal(
        model,
        {
            **about,
            "task": contract.task,
            "classes": scorer.classes,
            "contract_hash": contract.hash,
            "columns": model_columns(contract),
            "parameters": {},
            "seed": None,
            "data_window": None,
            "calibration": None,
            "rows": {"fitted": None, "read": len(rows), "quarantined": 0},
            "versions": {
                "python": platform.python_version(),
                **{one: version(one) for one in ("numpy", "scikit-learn")},
            },
        },
    )


def answered(contract: Contract, scorer, instances: list[dict]) -> tuple[list, list]:
    """The golden rows that the model has an answer to: one made elsewhere may know nothing of what is missing."""
    predictions = golden_answers(contract, scorer, instances)
    kept = [pair for pair in zip(instances, predictions, strict=True) if not isinstance(pair[1], dict)]
    return [instance for instance, _ in kept], [prediction for _, prediction in kept]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
