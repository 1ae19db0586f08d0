"""An artefact is refused by name when one byte, file or answer of it is not what training wrote."""

import json
import tarfile

import numpy as np
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from model_code.answers.golden import golden_answers, prove_golden
from model_code.artefact.archive import pack, unpack
from model_code.artefact.folder import ArtefactRefused, as_json, open_artefact, seal, write_model
from model_code.engines.scorer import load_scorer
from model_code.rows.matrices import matrix, target
from model_code.rows.tables import check_block


def refusal(folder):
    with pytest.raises(ArtefactRefused) as refused:
        prove_golden(open_artefact(folder))
    return str(refused.value)


@pytest.mark.parametrize("name", ["plan.bin", "golden.json", "contract.json"])
@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_changed_byte_anywhere_is_refused_by_name(returns, copy_of, name, place):
    folder = copy_of(returns.models["gradient_boosting"])
    data = bytearray((folder / name).read_bytes())
    data[place] ^= 1
    (folder / name).write_bytes(data)
    assert refusal(folder).startswith(f"{folder / name} was changed: its sha256 is ")


def test_an_artefact_that_is_true_to_itself_but_not_the_signed_one_is_refused(returns):
    """Whoever changes a file and its hash in the manifest has another manifest."""
    prior, other = returns.models["prior"], returns.models["gradient_boosting"]
    signed = open_artefact(prior).sha256
    assert open_artefact(prior, expected=signed).sha256 == signed
    with pytest.raises(
        ArtefactRefused, match=r"manifest.json is not the one that was signed: its sha256 is \w{64}, not " + signed
    ):
        open_artefact(other, expected=signed)


def test_a_file_too_many_or_too_few_is_refused_by_name(returns, copy_of):
    folder = copy_of(returns.models["gradient_boosting"])
    (folder / "model.joblib").write_bytes(b"cposix\nsystem\n")
    assert (
        refusal(folder)
        == f"{folder / 'model.joblib'} is not named by its manifest; take the artefact as it was trained"
    )
    (folder / "model.joblib").unlink()
    (folder / "plan.bin").unlink()
    assert refusal(folder) == f"{folder / 'plan.bin'} is missing; take the artefact as it was trained"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 3}', '{"files": {}}'])
def test_a_manifest_that_is_none_is_refused(returns, copy_of, text):
    folder = copy_of(returns.models["prior"])
    (folder / "manifest.json").write_text(text)
    assert str(folder) in refusal(folder)


def test_another_contract_is_refused_even_with_its_right_hash(returns, parcels, copy_of):
    folder = copy_of(returns.models["prior"])
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "contract.json").write_bytes((parcels.models["prior"] / "contract.json").read_bytes())
    seal(folder, manifest)
    assert "contract.json has the hash" in refusal(folder)


def test_a_golden_row_answered_otherwise_is_refused(returns, copy_of):
    folder = copy_of(returns.models["gradient_boosting"])
    manifest, golden = (json.loads((folder / name).read_bytes()) for name in ("manifest.json", "golden.json"))
    golden["predictions"][3] += 1e-6
    (folder / "golden.json").write_bytes(as_json(golden))
    seal(folder, manifest)
    assert refusal(folder).startswith("golden row 3 is answered 0.")


# ---- model.tar.gz


def test_packing_and_unpacking_gives_the_same_artefact_and_the_same_bytes(returns, tmp_path):
    folder = returns.models["gradient_boosting"]
    for name in ("a.tar.gz", "b.tar.gz"):
        pack(folder, tmp_path / name)
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    assert open_artefact(unpack(tmp_path / "a.tar.gz", tmp_path / "out")).sha256 == open_artefact(folder).sha256


def entry(name, kind=tarfile.REGTYPE, size=0):
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, "/etc/passwd"
    return made


@pytest.mark.parametrize(
    "bad",
    [
        entry("../outside"),
        entry("/tmp/outside"),
        entry("sub/plan.bin"),
        entry("plan.bin", tarfile.SYMTYPE),
        entry("plan.bin", tarfile.LNKTYPE),
        entry("plan.bin", tarfile.FIFOTYPE),
        entry("sub", tarfile.DIRTYPE),
        entry("plan.bin", size=5 << 30),
    ],
    ids=lambda bad: f"{bad.name}-{bad.type.decode()}",
)
def test_an_archive_that_reaches_elsewhere_is_refused_and_writes_nothing(tmp_path, bad):
    file = tmp_path / "model.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        tar.fileobj.write(bad.tobuf())
    with pytest.raises(ArtefactRefused, match="holds"):
        unpack(file, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_cut_off_archive_is_refused(returns, tmp_path):
    pack(returns.models["prior"], tmp_path / "model.tar.gz")
    data = (tmp_path / "model.tar.gz").read_bytes()
    for part in (data[: len(data) // 2], b"not an archive", b""):
        (tmp_path / "model.tar.gz").write_bytes(part)
        with pytest.raises(ArtefactRefused, match="is not a model.tar.gz"):
            unpack(tmp_path / "model.tar.gz", tmp_path / "out")


def test_an_archive_as_tar_makes_it_of_a_folder_is_taken(returns, tmp_path):
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(returns.models["prior"], arcname=".")
    assert open_artefact(unpack(tmp_path / "model.tar.gz", tmp_path / "out")).manifest["candidate"] == "prior"


# ---- where no plan can be


def test_a_model_that_no_plan_expresses_is_served_by_scikit_learn_itself(parcels, tmp_path):
    """The manifest says so, and why."""
    contract = parcels.contract
    table = pa.Table.from_batches([check_block(contract, parcels.rows, with_target=True).accepted])
    numbers = ColumnTransformer([("weight", "passthrough", [0])])
    model = make_pipeline(numbers, KNeighborsClassifier(3)).fit(matrix(contract, table), target(contract, table))
    about = write_model(tmp_path / "m", model, contract)
    assert about["format"] == "sklearn"
    assert about["plan_refused"].startswith(
        "estimator sklearn.neighbors._classification.KNeighborsClassifier: a plan takes"
    )
    instances = [{"weight": 2.5, "from": "A"}, {"weight": 9.0, "from": "C"}]
    golden = {"instances": instances, "predictions": golden_answers(contract, load_scorer(tmp_path / "m"), instances)}
    (tmp_path / "m/golden.json").write_bytes(as_json(golden))
    seal(tmp_path / "m", {**about, "contract_hash": contract.hash, "classes": [1, 2, 3]})
    assert prove_golden(open_artefact(tmp_path / "m")) == 2
    for found, row in zip(golden["predictions"], ([2.5, "A"], [9.0, "C"]), strict=True):
        assert found == pytest.approx(model.predict_proba(np.array([row], dtype=object))[0], abs=1e-11)
