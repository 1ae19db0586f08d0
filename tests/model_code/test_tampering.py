"""Every file of every kind of artefact, changed by one byte, gone or added: whoever would load it refuses it by name
first.
"""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from model_code.answers.golden import golden_answers
from model_code.artefact import folder as artefact
from model_code.artefact.archive import pack
from model_code.artefact.folder import as_json, open_artefact, seal, write_model
from model_code.engines.scorer import load_scorer
from model_code.rows.matrices import matrix, target
from model_code.rows.tables import check_block
from tests.model_code.folders import evaluation_folder, scoring_folder
from tests.model_code.importing.graphs import sums
from tests.model_code.importing.imports import Importer

OF_ALL = ("contract.json", "golden.json", "manifest.json")
FILES = {
    "plan": ("plan.bin", *OF_ALL),
    "sklearn": ("model.joblib", "columns.json", *OF_ALL),
    "onnx": ("model.onnx", "signature.json", *OF_ALL),
}
EACH = [(kind, file) for kind, files in FILES.items() for file in files]


@pytest.fixture(scope="module")
def artefacts(returns, tmp_path_factory) -> dict[str, Path]:
    """{format: an artefact of it} of one contract."""
    folder = tmp_path_factory.mktemp("artefacts")
    return {
        "plan": returns.models["gradient_boosting"],
        "sklearn": without_plan(returns, folder / "sklearn"),
        "onnx": as_tensors(returns, folder),
    }


def without_plan(project, folder: Path) -> Path:
    contract = project.contract
    table = pa.Table.from_batches([check_block(contract, project.rows, with_target=True).accepted])
    numbers = ColumnTransformer([("size", SimpleImputer(), [0])])
    model = make_pipeline(numbers, KNeighborsClassifier(3)).fit(matrix(contract, table), target(contract, table))
    about = write_model(folder, model, contract)
    instances = [{"größe (cm)": 12.0}, {"größe (cm)": 40.0}]
    golden = {"instances": instances, "predictions": golden_answers(contract, load_scorer(folder), instances)}
    (folder / "golden.json").write_bytes(as_json(golden))
    seal(folder, {**about, "contract_hash": contract.hash, "classes": [0, 1]})
    return folder


def as_tensors(project, folder: Path) -> Path:
    pytest.importorskip("onnx")
    importer = Importer(folder, project.contract, project.rows)
    importer.artefact(sums(folder / "m.onnx", {"größe (cm)": "float", "class": "str"}, {"class": "Sorte 1 ß"}))
    return folder / "artefact-1"


# ---- who loads an artefact: each lays out what its verb finds


def to_serve(project, folder, signed, base, patch):
    shutil.copytree(folder, base / "model")
    patch.setenv("ARTEFACT_SHA256", signed)


def to_score(project, folder, signed, base, patch):
    scoring_folder(base, project.contract, None, artefact_sha256=signed)
    (base / "processing/input/model").mkdir()
    pack(folder, base / "processing/input/model/model.tar.gz")
    (base / "processing/input/rows/part.jsonl").write_text("{}\n")


def to_compare(project, folder, signed, base, patch):
    evaluation_folder(base, project.contract, project.rows, {"prior": project.models["prior"]}, release="r-1")
    run = base / "processing/input/contract/run.json"
    run.write_text(json.dumps({**json.loads(run.read_text()), "champion_sha256": signed}))
    (base / "processing/input/champion").mkdir()
    pack(folder, base / "processing/input/champion/model.tar.gz")


WAYS = {"serve": to_serve, "score": to_score, "evaluate": to_compare}


@pytest.fixture(params=list(WAYS))
def refusal(request, returns, artefacts, run_verb, tmp_path, monkeypatch, capsys):
    """refusal(kind, damage): what the verb says of a damaged copy of the artefact that was signed; it loads nothing of
    it.
    """
    loaded = []
    monkeypatch.setattr(
        artefact, "load_scorer", lambda folder, **rest: loaded.append(folder.name) or load_scorer(folder, **rest)
    )

    def refusal(kind: str, damage) -> str:
        folder = Path(shutil.copytree(artefacts[kind], tmp_path / "copy"))
        damage(folder)
        WAYS[request.param](returns, folder, open_artefact(artefacts[kind]).sha256, tmp_path / "job", monkeypatch)
        loaded.clear()
        assert run_verb(request.param, tmp_path / "job") == 1
        assert loaded == (["prior"] if request.param == "evaluate" else [])
        return capsys.readouterr().err

    return refusal


def test_the_files_that_are_damaged_here_are_all_that_an_artefact_has(artefacts):
    assert {kind: sorted(file.name for file in folder.iterdir()) for kind, folder in artefacts.items()} == {
        kind: sorted(files) for kind, files in FILES.items()
    }


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_a_changed_byte_is_refused_by_the_name_of_its_file(refusal, kind, name):
    def change(folder):
        content = bytearray((folder / name).read_bytes())
        content[-2 if name == "manifest.json" else len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    said = refusal(kind, change)
    assert f"/{name} " in said and ("was changed: its sha256 is" in said or "manifest.json is not a manifest" in said)


def test_another_word_in_the_manifest_is_not_what_was_signed(refusal):
    """It is a manifest still, and all its files are as it says."""

    def change(folder):
        text = (folder / "manifest.json").read_text()
        (folder / "manifest.json").write_text(text.replace('"seed"', '"sead"') if '"seed"' in text else text + " ")

    assert "/manifest.json is not the one that was signed: its sha256 is " in refusal("plan", change)


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_a_missing_file_is_refused_by_its_name(refusal, kind, name):
    assert f"/{name} is {'not there' if name == 'manifest.json' else 'missing'}; " in refusal(
        kind, lambda folder: (folder / name).unlink()
    )


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("name", ["model.joblib.bak", ".hidden", "plan.bin.1"])
def test_an_added_file_is_refused_by_its_name(refusal, kind, name):
    said = refusal(kind, lambda folder: (folder / name).write_bytes(b"cposix\nsystem\n"))
    assert f"/{name} is not named by its manifest; take the artefact as it was trained" in said
