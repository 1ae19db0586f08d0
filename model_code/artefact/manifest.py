"""manifest.json: how an artefact came to be, and the hash of each of its files."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from domain.train.windows import Window
from model_code.rows.features import ModelColumn


class ModelPart(TypedDict):
    """How the model is stored: as a plan, as scikit-learn's own file, or as ONNX."""

    format: str  # plan, sklearn or onnx
    plan_refused: NotRequired[str]  # the reason why no plan can express the estimator


class Calibration(TypedDict):
    """`rows`, the newest of the training window, were held back to calibrate on."""

    method: str
    rows: int


class Manifest(ModelPart):
    """What training and importing write; `files` is added when the folder is sealed. `classes` are in the order of the
    scores, none for a regression.
    """

    candidate: str
    parameters: dict[str, Any]
    seed: int | None
    data_window: Window | None
    code_version: str
    task: str
    classes: list[Any]
    contract_hash: str
    columns: list[ModelColumn]  # in the contract's order
    calibration: Calibration | None
    rows: dict[str, int | None]  # fitted (None if the model was fitted elsewhere); read; quarantined
    versions: dict[str, str]
    arithmetic: NotRequired[Any]  # Arithmetic of fitting/arithmetic.py, which a server does not import
    imported: NotRequired[Mapping[str, Any]]  # Imported of importing/__main__.py, which a server does not import
    files: NotRequired[dict[str, str]]
