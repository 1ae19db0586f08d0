"""train: from rows to an artefact that says what it is, the same bytes whenever and wherever it runs."""

import json
import os
import platform
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from domain.contract.schema import Column, as_dict
from domain.timestamps import parse_timestamp
from model_code.__main__ import main
from model_code.answers.golden import prove_golden
from model_code.artefact.folder import open_artefact
from model_code.fitting.pins import pins
from tests.model_code.folders import WINDOW, training_folder, write_rows
from tests.model_code.projects import PROJECTS

ROOT = Path(__file__).resolve().parents[2]
IMAGE_PYTHON = ROOT / ".venv-image" / "bin" / "python"


def test_an_artefact_says_what_it_is(project):
    for candidate, folder in project.models.items():
        artefact = open_artefact(folder)
        manifest = artefact.manifest
        assert set(manifest["files"]) == {"contract.json", "golden.json", "plan.bin"}
        assert (manifest["candidate"], manifest["task"], manifest["format"]) == (candidate, project.task, "plan")
        assert manifest["contract_hash"] == project.contract.hash
        assert manifest["data_window"] == WINDOW
        assert manifest["code_version"] == "abc"
        assert manifest["classes"] == {"binary": [0, 1], "multiclass": [1, 2, 3], "regression": []}[project.task]
        assert [column["name"] for column in manifest["columns"]] == [
            column.name for column in project.contract.features
        ]
        assert prove_golden(artefact) == len(artefact.golden["instances"])


def test_only_rows_of_the_training_part_are_learnt_from(project):
    rows = open_artefact(project.models["prior"]).manifest["rows"]
    share = rows["read"] / len(project.rows)
    assert rows["fitted"] == rows["read"]
    assert share == pytest.approx(0.75, abs=0.04 if project.contract.event_time is None else 0.002)


def test_boosting_is_calibrated_on_the_newest_rows_where_they_suffice(returns, parcels):
    manifest = open_artefact(returns.models["gradient_boosting"]).manifest
    assert manifest["calibration"] == {
        "method": "sigmoid",
        "rows": manifest["rows"]["read"] - manifest["rows"]["fitted"],
    }
    assert open_artefact(returns.models["logistic_regression"]).manifest["calibration"] is None
    assert (
        open_artefact(parcels.models["gradient_boosting"]).manifest["calibration"] is None
    )  # a class with too few rows


def test_golden_rows_hold_missing_values_and_texts_never_seen(returns):
    *_, empty, unseen = open_artefact(returns.models["gradient_boosting"]).golden["instances"]
    assert [empty[name] for name in ("größe (cm)", "1st.order", "paid at", "always empty")] == [None] * 4
    assert unseen["class"] == "— never seen —"


HOSTS = {  # what other hosts' libraries would choose by themselves, or are told
    "one thread": {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1"},
    "two threads and AVX2": {
        "PYTHONHASHSEED": "2",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_ENABLE_CPU_FEATURES": "X86_V3",
        "TZ": "Asia/Tokyo",
    },
    "AVX without FMA": {
        "OPENBLAS_CORETYPE": "Sandybridge",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4",
    },
    "AVX-512": {"OPENBLAS_CORETYPE": "SkylakeX"},  # its kernel ends a process on a processor without
}


@pytest.mark.parametrize("candidate", ["logistic_regression", "gradient_boosting"])
def test_other_hosts_hash_seeds_threads_and_files_give_the_same_artefact(candidate, returns, tmp_path):
    """With nothing installed but what the image has."""
    contract, rows = returns.contract, returns.rows
    artefacts = {}
    for host, environment in HOSTS.items():
        base = training_folder(tmp_path / host, contract, rows, candidate)
        if host == "two threads and AVX2":
            in_other_files(base, contract, rows)
        in_subprocess("train", base, **environment)
        artefacts[host] = bytes_of(base / "model")
    assert set(artefacts["one thread"]) == {"contract.json", "golden.json", "manifest.json", "plan.bin"}
    assert [host for host, artefact in artefacts.items() if artefact != artefacts["one thread"]] == []


def in_other_files(base, contract, rows):
    shutil.rmtree(base / "input/data/rows")
    for number, part in enumerate((rows[900:], rows[:900])):
        write_rows(base / f"input/data/rows/{number}.parquet", contract, part)


def bytes_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def in_subprocess(verb, base, **environment):
    environment = {"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(base), **environment}
    subprocess.run([IMAGE_PYTHON, "-m", "model_code", verb], cwd=ROOT, env=environment, check=True, capture_output=True)


def test_the_manifest_records_what_was_pinned_and_in_force(returns, tmp_path):
    base = training_folder(tmp_path, returns.contract, returns.rows, "prior")
    in_subprocess("train", base, NPY_DISABLE_CPU_FEATURES="X86_V3")
    recorded = open_artefact(base / "model").manifest["arithmetic"]
    assert (recorded["machine"], recorded["pinned"]) == (platform.machine(), pins(platform.machine()))
    assert recorded["simd"] == []
    assert all(library.endswith(" threads=1") for library in recorded["libraries"])
    kernels = [library.split()[2] for library in recorded["libraries"] if library.startswith("openblas ")]
    assert {kernel.lower() for kernel in kernels} <= {recorded["pinned"].get("OPENBLAS_CORETYPE", "").lower()}


def test_rows_are_checked_again_and_a_bad_one_is_counted_not_learnt_from(run_verb, tmp_path):
    contract, rows = PROJECTS["regression"]()
    base = training_folder(tmp_path, contract, rows, "prior")
    strict = json.loads((base / "input/data/contract/contract.json").read_text())
    next(column for column in strict["columns"] if column["name"] == "m²")["minimum"] = 30
    (base / "input/data/contract/contract.json").write_text(json.dumps(strict))
    assert run_verb("train", base) == 0
    counted = open_artefact(base / "model").manifest["rows"]
    assert counted["quarantined"] == sum(row["m²"] < 30 for row in rows)


def test_history_loaded_under_other_contracts_is_learnt_from(run_verb, tmp_path):
    """An older part lacks a column that may be null, which is null in its rows, and has one that is gone since."""
    contract, rows = PROJECTS["multiclass"]()
    base = training_folder(tmp_path, contract, rows[:600])
    older = [column for column in contract.columns if column.name != "from"]
    newer = [replace(column, nullable=column.name == "from") for column in contract.columns]
    before = replace(contract, columns=(*older, Column("gone", "string", nullable=True)))
    old_rows = [{name: row[name] for name in row if name != "from"} | {"gone": "x"} for row in rows[600:]]
    write_rows(base / "input/data/rows/rows/month=none/c-00000.parquet", before, old_rows)
    (base / "input/data/contract/contract.json").write_text(json.dumps(as_dict(replace(contract, columns=newer))))

    assert run_verb("train", base) == 0

    manifest = open_artefact(base / "model").manifest
    learnt = sum(parse_timestamp(row["sent"]) < parse_timestamp(WINDOW["evaluate_start"]) for row in rows)
    assert manifest["rows"] == {"fitted": manifest["rows"]["fitted"], "read": learnt, "quarantined": 0}


# ---- what cannot be trained


def failed(run_verb, base):
    assert run_verb("train", base) == 1
    assert not (base / "model/manifest.json").exists()
    return (base / "output/failure").read_text()


def test_a_target_with_one_value_is_refused(run_verb, tmp_path):
    contract, rows = PROJECTS["binary"]()
    base = training_folder(tmp_path, contract, [row for row in rows if row["came back?"] == "no"])
    assert "target 'came back?' is not 'yes' in all" in failed(run_verb, base)


def test_a_window_without_rows_is_refused(run_verb, tmp_path):
    contract, rows = PROJECTS["multiclass"]()
    base = training_folder(
        tmp_path, contract, rows, train_start="2020-01-01", evaluate_start="2020-02-01", as_of="2020-03-01"
    )
    assert failed(run_verb, base).startswith(
        "train: no row to train on: 2 files have none in that part of 2020-01-01 to 2020-03-01"
    )


def test_an_unknown_candidate_or_parameter_is_refused(run_verb, tmp_path):
    contract, rows = PROJECTS["multiclass"]()
    assert "candidate = 'magic': must be one of prior," in failed(
        run_verb, training_folder(tmp_path / "a", contract, rows, "magic")
    )
    for text in ('{"no_such": 1}', '{"max_iter": -5}'):
        base = training_folder(tmp_path / text[2:5], contract, rows, parameters=text)
        assert json.loads(text).popitem()[0] in failed(run_verb, base)


def test_rows_that_all_lack_a_column_that_must_have_a_value_are_refused_with_the_reason(run_verb, tmp_path):
    contract, rows = PROJECTS["multiclass"]()
    base = training_folder(tmp_path, contract, rows)
    other = replace(contract, columns=(*contract.columns, Column("new", "float")))
    (base / "input/data/contract/contract.json").write_text(json.dumps(as_dict(other)))
    assert (
        "2 files have none in that part of 2024-01-01T00:00:00Z to 2024-03-01T00:00:00Z that keeps the contract "
        in (failed(run_verb, base))
    )
    assert f"(null {len(rows):,})" in (base / "output/failure").read_text()


def test_missing_settings_are_refused(run_verb, tmp_path):
    contract, rows = PROJECTS["multiclass"]()
    base = training_folder(tmp_path, contract, rows)
    (base / "input/data/contract/config.json").unlink()
    assert "config.json is not there; the job needs contract.json, config.json and run.json" in failed(run_verb, base)


@pytest.mark.parametrize("arguments", [[], ["dance"], ["train", "serve"]])
def test_asked_wrongly_it_says_how(arguments, capsys):
    assert main(arguments) == 2
    assert "usage: python -m model_code train|evaluate|serve|score" in capsys.readouterr().err
