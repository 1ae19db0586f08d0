"""Where SageMaker puts things in the container, and where it takes them from. SAGEMAKER_BASE_DIR moves all of it
elsewhere.
"""

import os
from pathlib import Path


def base() -> Path:
    return Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")


# ---- training and serving


def hyperparameters() -> Path:
    return base() / "input" / "config" / "hyperparameters.json"


def channel(name: str) -> Path:
    return base() / "input" / "data" / name


def model() -> Path:
    """The artefact's folder; MODEL_FOLDER says where it is outside SageMaker, on KServe say."""
    return Path(os.environ.get("MODEL_FOLDER") or base() / "model")


def failure() -> Path:
    return base() / "output" / "failure"


# ---- processing: evaluate and score


def processing_input(name: str) -> Path:
    return base() / "processing" / "input" / name


def unfinished() -> Path:
    """Beside the outputs, which SageMaker uploads while the job runs: what is not whole yet."""
    return base() / "processing" / "unfinished"


def processing_outputs() -> Path:
    return base() / "processing" / "output"


def processing_output(name: str) -> Path:
    return processing_outputs() / name
