"""The container's folders and files, as SageMaker lays them out. SAGEMAKER_BASE_DIR moves all of them elsewhere."""

import os
from pathlib import Path


def _base() -> Path:
    return Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")


# ---- training and serving


def hyperparameters() -> Path:
    return _base() / "input" / "config" / "hyperparameters.json"


def channel(name: str) -> Path:
    return _base() / "input" / "data" / name


def model() -> Path:
    """Return the artefact's folder; MODEL_FOLDER gives it outside SageMaker, for example on KServe."""
    return Path(os.environ.get("MODEL_FOLDER") or _base() / "model")


def failure() -> Path:
    return _base() / "output" / "failure"


# ---- processing: evaluate, score and monitor


def processing_input(name: str) -> Path:
    return _base() / "processing" / "input" / name


def unfinished() -> Path:
    """Return the folder of files that are not whole yet: SageMaker uploads the outputs while the job runs."""
    return _base() / "processing" / "unfinished"


def processing_outputs() -> Path:
    return _base() / "processing" / "output"


def processing_output(name: str) -> Path:
    return processing_outputs() / name
