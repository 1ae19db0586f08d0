"""The format of a model's file, by its name and content."""

import zipfile
from pathlib import Path
from typing import NamedTuple


class ImportRefused(Exception):
    """A model cannot be imported as it is; the message names the fault and what to do."""


def in_a_line(error: BaseException) -> str:
    """Write an exception of a library in one line: its class, and its text if it has one."""
    return ": ".join(filter(None, [type(error).__name__, " ".join(str(error).split())[:600]]))


class Format(NamedTuple):
    """`framework` converts it; opening one that `runs_code` can run any code that its maker wrote into it."""

    name: str
    framework: str
    runs_code: bool = False


_JOBLIB = Format("joblib", "scikit-learn", runs_code=True)
_PICKLE = Format("pickle", "scikit-learn", runs_code=True)
SKOPS = Format("skops", "scikit-learn")
_ONNX = Format("onnx", "onnx")
TORCH_EXPORT = Format("torch.export", "torch", runs_code=True)  # sizes and guards are Python that is evaluated
TORCH_SCRIPT = Format("TorchScript", "torch")
TORCH_PICKLE = Format("torch pickle", "torch", runs_code=True)
STATE_DICT = Format("state dict", "torch", runs_code=True)  # its --module is code anyway
KERAS = Format("keras", "tensorflow")
SAVED_MODEL = Format("SavedModel", "tensorflow")
FROZEN_GRAPH = Format("frozen graph", "tensorflow")

_BY_SUFFIX = {
    ".joblib": _JOBLIB,
    ".pkl": _PICKLE,
    ".pickle": _PICKLE,
    ".skops": SKOPS,
    ".onnx": _ONNX,
    ".pt2": TORCH_EXPORT,
    ".pt": TORCH_PICKLE,
    ".pth": TORCH_PICKLE,
    ".keras": KERAS,
    ".pb": FROZEN_GRAPH,
}


def format_of(path: Path, *, module: str | None) -> Format:
    """Return the format of a file or folder; with `module` it holds the weights of that PyTorch class."""
    if not path.exists():
        raise ImportRefused(f"{path} is not there; check the path")
    if path.is_dir() or path.name == "saved_model.pb":
        folder = path if path.is_dir() else path.parent
        if not (folder / "saved_model.pb").is_file():
            raise ImportRefused(f"folder {path} is not a TensorFlow SavedModel: must hold saved_model.pb")
        return SAVED_MODEL
    by_suffix = _BY_SUFFIX.get(path.suffix.lower())
    if by_suffix is None:
        known = ", ".join(_BY_SUFFIX)
        raise ImportRefused(f"{path.name} ends in {path.suffix!r}: must be a folder of a SavedModel, or end in {known}")
    if by_suffix is TORCH_PICKLE and _is_torch_script(path):
        return TORCH_SCRIPT
    if module and by_suffix is not TORCH_PICKLE:
        allowed = "must be the weights of a PyTorch model, .pt or .pth"
        raise ImportRefused(f"{path.name} is {by_suffix.name}: {allowed}; omit --module")
    return STATE_DICT if module else by_suffix


def _is_torch_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
