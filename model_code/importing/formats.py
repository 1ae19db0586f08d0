"""What kind of file a model is, by its name and what lies in it."""

import zipfile
from pathlib import Path
from typing import NamedTuple


class ImportRefused(Exception):
    """A model cannot be taken as it is; the message names what is wrong with it and what to do."""


def in_a_line(error: BaseException) -> str:
    """What a library raised: its kind, and its text where it has one."""
    return ": ".join(filter(None, [type(error).__name__, " ".join(str(error).split())[:600]]))


class Format(NamedTuple):
    """`framework` converts it; opening one that `runs_code` can run whatever its maker wrote into it."""

    name: str
    framework: str
    runs_code: bool = False


JOBLIB = Format("joblib", "scikit-learn", runs_code=True)
PICKLE = Format("pickle", "scikit-learn", runs_code=True)
SKOPS = Format("skops", "scikit-learn")
ONNX = Format("onnx", "onnx")
TORCH_EXPORT = Format("torch.export", "torch", runs_code=True)  # sizes and guards are Python that is evaluated
TORCH_SCRIPT = Format("TorchScript", "torch")
TORCH_PICKLE = Format("torch pickle", "torch", runs_code=True)
STATE_DICT = Format("state dict", "torch", runs_code=True)  # its --module is code anyway
KERAS = Format("keras", "tensorflow")
SAVED_MODEL = Format("SavedModel", "tensorflow")
FROZEN_GRAPH = Format("frozen graph", "tensorflow")

BY_SUFFIX = {
    ".joblib": JOBLIB,
    ".pkl": PICKLE,
    ".pickle": PICKLE,
    ".skops": SKOPS,
    ".onnx": ONNX,
    ".pt2": TORCH_EXPORT,
    ".pt": TORCH_PICKLE,
    ".pth": TORCH_PICKLE,
    ".keras": KERAS,
    ".pb": FROZEN_GRAPH,
}


def format_of(path: Path, *, module: str | None) -> Format:
    """The format of a file or folder; `module` says that it holds the weights of that PyTorch class."""
    if not path.exists():
        raise ImportRefused(f"{path} is not there")
    if path.is_dir() or path.name == "saved_model.pb":
        folder = path if path.is_dir() else path.parent
        if not (folder / "saved_model.pb").is_file():
            raise ImportRefused(f"folder {path} is no TensorFlow SavedModel: it holds no saved_model.pb")
        return SAVED_MODEL
    found = BY_SUFFIX.get(path.suffix.lower())
    if found is None:
        known = ", ".join(BY_SUFFIX)
        raise ImportRefused(f"{path.name} ends in {path.suffix!r}; taken are {known} and SavedModel folders")
    if found is TORCH_PICKLE and is_torch_script(path):
        return TORCH_SCRIPT
    if module and found is not TORCH_PICKLE:
        raise ImportRefused(
            f"--module goes with the weights of a PyTorch model, .pt or .pth; {path.name} is {found.name}"
        )
    return STATE_DICT if module else found


def is_torch_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
