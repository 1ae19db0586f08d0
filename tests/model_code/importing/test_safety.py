"""A stranger's file is told what it would do, and is opened where it can do nothing."""

import io
import json
import os
import pickle
import socket
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer

from model_code.importing import sandbox
from model_code.importing.__main__ import handed_back, take_model
from model_code.importing.convert import missing
from model_code.importing.formats import ImportRefused
from model_code.importing.scan import is_harmless, names_in
from tests.model_code.projects import PROJECTS


class Runs:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_pickle_is_refused_unless_it_is_trusted(rents, tmp_path):
    model = LinearRegression().fit([[50.0, 1.0], [60.0, 0.0]], [500, 600])
    joblib.dump(model, tmp_path / "m.joblib")
    assert "can run any code that its maker wrote into it" in rents.refusal(tmp_path / "m.joblib")
    assert "--trust" in rents.refusal(tmp_path / "m.joblib")


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3)])
def test_what_a_file_would_run_is_named_and_never_run_trusted_or_not(rents, tmp_path, compress):
    touched, file = tmp_path / "touched", tmp_path / "m.joblib"
    joblib.dump(
        {"a": np.ones(1000), "b": np.array([Runs(f"touch {touched}"), "x"], dtype=object)}, file, compress=compress
    )
    for trust in (False, True):
        assert "m.joblib names posix.system: must be known to be harmless" in rents.refusal(file, trust=trust)
    assert not touched.exists()


def test_every_name_outside_the_list_is_told(rents, tmp_path):
    odd = [FunctionTransformer(os.getcwd), socket.socket, Runs("true")]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(odd))
    refusal = rents.refusal(tmp_path / "m.pkl", trust=True)
    assert [name in refusal for name in ("posix.getcwd", "posix.system", "socket.socket")] == [True] * 3
    assert "FunctionTransformer" not in refusal


def test_a_name_put_together_while_the_pickle_plays_is_seen(tmp_path):
    """The opcodes alone do not tell it: the module comes from the memo, the name from a frame before."""
    hidden = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x30\x30h\x00h\x01\x93\x8c\x04true\x85R."
    (tmp_path / "m.pkl").write_bytes(hidden)
    assert names_in(tmp_path / "m.pkl") == {("os", "system")}


@pytest.mark.parametrize(
    "name",
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("sklearn.utils", "os.system"),
        ("sklearn.datasets._openml", "GzipFile"),
        ("sklearn.datasets", "fetch_openml"),
        ("sklearn.utils._testing", "TestCase"),
        ("numpy", "load"),
        ("numpy.f2py", "compile"),
        ("joblib", "load"),
        ("torch", "load"),
    ],
)
def test_what_does_more_than_hold_values_is_not_harmless(name):
    assert not is_harmless(*name)


@pytest.mark.parametrize("broken", [b"", b"nonsense", b"\x80\x04", pickle.dumps([1, 2])[:-1], b"\x1f\x8bx", b"x\x9cyy"])
def test_a_broken_file_is_refused(rents, tmp_path, broken):
    (tmp_path / "m.pkl").write_bytes(broken)
    assert "m.pkl cannot be scanned as a pickle" in rents.refusal(tmp_path / "m.pkl", trust=True)


# ---- programs of torch.export, which are told without PyTorch


def program(file: Path, **members: bytes) -> Path:
    """An archive as torch.export.save makes it; `inputs` are what torch.save made of the example, `more` is another
    file.
    """
    inputs = io.BytesIO()
    with zipfile.ZipFile(inputs, "w") as archive:
        archive.writestr("archive/data.pkl", members.get("inputs", pickle.dumps(())))
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("archive_format", ".data/version", "models/model.json", "data/weights/weight_0"):
            archive.writestr(f"m/{name}", b"[]")
        archive.writestr("m/data/sample_inputs/model.pt", inputs.getvalue())
        for name, content in members.get("more", {}).items():
            archive.writestr(name, content)
    return file


def test_a_program_is_code_and_needs_trust(rents, tmp_path):
    """PyTorch evaluates the sizes and guards in its JSON as Python."""
    assert "m.pt2 is a torch.export file: opening one can run any code" in rents.refusal(program(tmp_path / "m.pt2"))


@pytest.mark.parametrize("trust", [False, True])
def test_a_pickle_within_a_program_is_held_to_the_list(rents, tmp_path, trust):
    file = program(tmp_path / "m.pt2", inputs=pickle.dumps(Runs("true")))
    assert "m.pt2 names posix.system: must be known to be harmless" in rents.refusal(file, trust=trust)


@pytest.mark.parametrize(
    "name",
    [
        "m/data/constants/opaque_obj_0",
        "m/data/constants/custom_obj_0",
        "m/data/aotinductor/model/model.so",
        "m/data/constants/opaque_obj_/../tensor_0",
        "m/models/model.py",
        "elsewhere.pkl",
    ],
)
def test_what_is_no_graph_and_no_numbers_is_refused_by_its_place_in_the_program(rents, tmp_path, name):
    file = program(tmp_path / "m.pt2", more={name: pickle.dumps(Runs("true"))})
    assert rents.refusal(file, trust=True).startswith(
        f"m.pt2 holds {name}: must hold a program's graph and numbers alone"
    )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"])
def test_a_program_that_was_cut_off_is_refused(rents, tmp_path, content):
    (tmp_path / "m.pt2").write_bytes(content)
    assert rents.refusal(tmp_path / "m.pt2", trust=True).startswith("m.pt2 is not a file of torch.export: BadZipFile: ")


# ---- the closed-off process


def test_a_framework_that_is_not_installed_is_named_with_what_brings_it():
    assert missing("torch", "torch") == (
        "torch must be installed to open the model; `uv sync --frozen --inexact --extra torch` in the folder of "
        "Fairway brings it"
    )
    assert "--extra skops`" in missing("skops", "scikit-learn")


PROBE = """
import json, os, pathlib, resource, socket, sys
from model_code.importing import sandbox
sandbox.confine()
def fails(action):
    try:
        action()
    except OSError as error:
        return True
    return False
found = {
    "no network": fails(lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1].rpartition("-")[2])), 2)),
    "reads no credentials": not pathlib.Path(os.path.expanduser("~root/.aws/credentials")).exists(),
    "writes nowhere else": all(
        fails(lambda: pathlib.Path(place, "probe").write_text("x")) for place in (sys.argv[1], "/var/tmp")
    ),
    "writes here": not fails(lambda: pathlib.Path("here").write_text("x")),
    "environment": sorted(os.environ),
    "limits": resource.getrlimit(resource.RLIMIT_CORE) == (0, 0),
}
pathlib.Path("found.json").write_text(json.dumps(found))
"""


@pytest.mark.skipif(not sandbox.can_close_off(), reason="this system lets no process make namespaces")
def test_the_process_that_opens_a_model_has_no_network_no_credentials_and_one_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (tmp_path / "probe.py").write_text(PROBE)
    work = tmp_path / "work"
    work.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        outside = tmp_path / f"outside-{server.getsockname()[1]}"
        outside.mkdir()
        monkeypatch.setattr(sandbox, "environment", with_path(tmp_path, sandbox.environment))
        assert sandbox.run("probe", outside, work) is True
    found = json.loads((work / "found.json").read_text())
    assert [
        found[name] for name in ("no network", "reads no credentials", "writes nowhere else", "writes here", "limits")
    ] == [True] * 5
    assert not any("AWS" in name for name in found["environment"])


def test_what_the_closed_off_process_hands_back_is_a_file_of_its_own_and_no_link_to_ours(tmp_path):
    (tmp_path / "secret").write_text("{}")
    with pytest.raises(ImportRefused, match=r"must hand back report\.json; it did not$"):
        handed_back(tmp_path)
    (tmp_path / "report.json").symlink_to(tmp_path / "secret")
    with pytest.raises(ImportRefused, match=r"must hand back report\.json; it did not$"):
        handed_back(tmp_path)
    (tmp_path / "model.onnx").symlink_to(tmp_path / "secret")
    with pytest.raises(ImportRefused, match=r"must hand back model\.onnx or plan\.bin or model\.joblib; it did not$"):
        take_model(tmp_path, tmp_path / "model", PROJECTS["binary"]()[0], encoding="ordinal")
    assert not (tmp_path / "model" / "model.onnx").exists()


def with_path(folder: Path, environment):
    return lambda work: {**environment(work), "PYTHONPATH": f"{folder}:{sandbox.ROOT}"}


def test_a_process_that_dies_is_told_in_its_own_last_words(tmp_path, monkeypatch):
    (tmp_path / "dies.py").write_text("raise SystemExit('no memory left')")
    monkeypatch.setattr(sandbox, "environment", with_path(tmp_path, sandbox.environment))
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(ImportRefused, match="ended with code 1: no memory left"):
        sandbox.run("dies", tmp_path, work)
