"""Models trained once for all tests of the container's verbs."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from model_code.__main__ import main
from tests.model_code.folders import training_folder
from tests.model_code.projects import PROJECTS, quotes_project


@pytest.fixture
def run_verb(monkeypatch):
    """run_verb("train", base) in this process; the exit code."""

    def run(verb, base):
        monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
        return main([verb])

    return run


@pytest.fixture(scope="session", params=list(PROJECTS))
def project(request, tmp_path_factory):
    """Each task's table with its candidates trained: .contract, .rows, .models {candidate: model folder}."""
    return trained(request.param, tmp_path_factory)


@pytest.fixture(scope="session")
def returns(tmp_path_factory):
    return trained("binary", tmp_path_factory)


@pytest.fixture(scope="session")
def parcels(tmp_path_factory):
    return trained("multiclass", tmp_path_factory)


@pytest.fixture(scope="session")
def rents(tmp_path_factory):
    return trained("regression", tmp_path_factory)


@pytest.fixture(scope="session")
def quotes(tmp_path_factory):
    return trained("quotes", tmp_path_factory)


EVERY = {**PROJECTS, "quotes": quotes_project}
TRAINED = {}


def trained(task, tmp_path_factory):
    if task not in TRAINED:
        contract, rows = EVERY[task]()
        models = {}
        with pytest.MonkeyPatch.context() as patch:
            for candidate in ("prior", "logistic_regression", "gradient_boosting"):
                base = training_folder(tmp_path_factory.mktemp(f"{task}-{candidate}"), contract, rows, candidate)
                patch.setenv("SAGEMAKER_BASE_DIR", str(base))
                assert main(["train"]) == 0
                models[candidate] = base / "model"
        TRAINED[task] = SimpleNamespace(task=task, contract=contract, rows=rows, models=models)
    return TRAINED[task]


@pytest.fixture
def copy_of(tmp_path):
    """A copy of a model folder that a test may damage."""
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "copy"))
